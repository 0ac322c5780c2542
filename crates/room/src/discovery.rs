//! Who is found. Only the asker's room, never the asker, in the order of joining.

use sleap_rtc_wire::filter::Rank;
use sleap_rtc_wire::signal::{Discover, PeerEntry};
use sleap_rtc_wire::{Filters, Metadata, ToPeer, limits};

use crate::Room;
use crate::presence::{Joined, Peer};

/// What an answer may weigh, bytes: below the frame's limit, with room for the frame's own keys.
const ANSWER: usize = limits::FRAME - 4096;

/// The role whose peers can be booked.
pub(crate) const WORKER: &str = "worker";

impl Room {
    pub(crate) fn discover(&mut self, joined: Joined, discover: &Discover) {
        if !self.speaks_as(joined, &discover.from_peer_id, None) {
            return;
        }
        let mut found = self.find(&discover.filters, joined);
        self.sort(&discover.filters, &mut found);
        found.truncate(discover.filters.limit().unwrap_or(usize::MAX));
        let mut room_left = ANSWER;
        let peers: Vec<PeerEntry> = found
            .into_iter()
            .map_while(|peer| {
                room_left = room_left.checked_sub(weight(peer))?;
                Some(self.entry(peer))
            })
            .collect();
        let Some(asker) = self.presence.get(joined) else { return };
        let (conn, to_peer_id, count) = (asker.conn, asker.id.clone(), peers.len());
        self.send(conn, ToPeer::PeerList { to_peer_id, peers, count, total: None, absent: Vec::new() });
    }

    fn find(&self, filters: &Filters, asker: Joined) -> Vec<&Peer> {
        self.presence
            .with_role(filters.role())
            .filter(|(joined, peer)| *joined != asker && self.matches(filters, peer))
            .map(|(_, peer)| peer)
            .collect()
    }

    fn sort(&self, filters: &Filters, found: &mut [&Peer]) {
        if let Some(name) = filters.sort() {
            found.sort_by(|a, b| filters.order(self.rank(a, name), self.rank(b, name)));
        } else if filters.role() == Some(WORKER) {
            // A program that takes the first of equals gets a free one.
            found.sort_by_cached_key(|peer| !self.is_free(peer));
        }
    }

    fn rank<'a>(&'a self, peer: &'a Peer, property: &str) -> Option<Rank<'a>> {
        let shown = self.claims.slot(&peer.id).and_then(|slot| slot.shown(property));
        Rank::of(shown.or_else(|| peer.metadata.property(property))?)
    }

    /// Whether a filter means a peer, whose status is what the room knows to be true.
    pub(crate) fn matches(&self, filters: &Filters, peer: &Peer) -> bool {
        let slot = self.claims.slot(&peer.id);
        filters.matches_with(&peer.role, &peer.metadata, |name| slot.and_then(|slot| slot.shown(name)))
    }

    /// Whether a worker says that it is free and no claim is on it.
    pub(crate) fn is_free(&self, peer: &Peer) -> bool {
        peer.role == WORKER && peer.says_available() && self.claims.slot(&peer.id).is_none()
    }

    /// A peer's metadata as everybody sees it.
    pub(crate) fn shown_metadata(&self, peer: &Peer) -> Metadata {
        let mut metadata = peer.metadata.clone();
        if let Some(slot) = self.claims.slot(&peer.id) {
            slot.show(&mut metadata);
        }
        metadata
    }

    fn entry(&self, peer: &Peer) -> PeerEntry {
        PeerEntry {
            peer_id: peer.id.clone(),
            role: peer.role.clone(),
            metadata: self.shown_metadata(peer),
            connected_at: seconds(peer.connected_at),
            was_silent_ms: None,
        }
    }
}

/// No less than the bytes of a peer's entry: its keys, times and a claim's properties take below 400, and JSON writes a
/// byte of a text in at most six (`\u0000`).
fn weight(peer: &Peer) -> usize {
    400 + 2 * peer.id.as_str().len() + 6 * peer.role.len() + peer.bytes
}

/// Unix seconds with a fraction, as old programs write times.
pub(crate) fn seconds(time: sleap_rtc_wire::Time) -> f64 {
    time.0 as f64 / 1000.0
}
