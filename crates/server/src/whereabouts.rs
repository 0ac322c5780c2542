//! In which rooms a peer of some name is connected, so that nobody has to ask every room.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sleap_rtc_wire::{ConnId, PeerId, RoomId};

/// Told by the rooms, each while it is handled: what a room has confirmed stands here as well.
#[derive(Debug, Default)]
pub(crate) struct Whereabouts(Mutex<HashMap<PeerId, BTreeSet<(RoomId, ConnId)>>>);

impl Whereabouts {
    fn places(&self) -> MutexGuard<'_, HashMap<PeerId, BTreeSet<(RoomId, ConnId)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn came(&self, peer: &PeerId, room: &RoomId, conn: ConnId) {
        self.places().entry(peer.clone()).or_default().insert((room.clone(), conn));
    }

    pub(crate) fn left(&self, peer: &PeerId, room: &RoomId, conn: ConnId) {
        let mut places = self.places();
        if let Some(of_peer) = places.get_mut(peer) {
            of_peer.remove(&(room.clone(), conn));
            if of_peer.is_empty() {
                places.remove(peer);
            }
        }
    }

    /// The rooms in which a peer of this name is connected, by id.
    pub(crate) fn rooms(&self, peer: &PeerId) -> Vec<RoomId> {
        let mut rooms: Vec<RoomId> =
            self.places().get(peer).into_iter().flatten().map(|(room, _)| room.clone()).collect();
        rooms.dedup();
        rooms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_where_its_latest_connections_are() {
        let (peer, one, two) = (PeerId::new("gpu1").unwrap(), RoomId::new("a").unwrap(), RoomId::new("b").unwrap());
        let conn = |n| ConnId { n, ..ConnId::default() };
        let whereabouts = Whereabouts::default();
        whereabouts.came(&peer, &one, conn(1));
        // A later connection of it, before the earlier one's end is told.
        whereabouts.came(&peer, &one, conn(2));
        whereabouts.came(&peer, &two, conn(3));
        whereabouts.left(&peer, &one, conn(1));
        assert_eq!(whereabouts.rooms(&peer), [one.clone(), two.clone()]);
        whereabouts.left(&peer, &one, conn(2));
        assert_eq!(whereabouts.rooms(&peer), std::slice::from_ref(&two));
        whereabouts.left(&peer, &two, conn(3));
        assert!(whereabouts.rooms(&peer).is_empty() && whereabouts.places().is_empty());
    }
}
