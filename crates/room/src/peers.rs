//! Who is here: peers by id, connection, role and what they say, in the order of joining.

use std::collections::{BTreeMap, BTreeSet};

use sleap_rtc_wire::{ConnId, Filters, MemberId, Metadata, PeerId, Time};

use crate::index::{Candidates, Index};
use crate::peer::{Peer, Shown};

/// Names a registration: later ones are higher, so that this is the order of joining too.
pub(crate) type Joined = u64;

/// All registered peers.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    peers: BTreeMap<Joined, Peer>,
    by_id: BTreeMap<PeerId, Joined>,
    by_conn: BTreeMap<ConnId, Joined>,
    by_role: BTreeMap<String, BTreeSet<Joined>>,
    /// How many connections a member has here.
    members: BTreeMap<MemberId, usize>,
    pings: BTreeSet<(Time, Joined)>,
    index: Index,
    /// Free workers.
    free: BTreeSet<Joined>,
    /// Those of them that take part in claims, the one that has been idle longest first.
    idle: BTreeSet<(u64, Joined)>,
    last: Joined,
}

impl Presence {
    pub(crate) fn get(&self, joined: Joined) -> Option<&Peer> {
        self.peers.get(&joined)
    }

    pub(crate) fn get_mut(&mut self, joined: Joined) -> Option<&mut Peer> {
        self.peers.get_mut(&joined)
    }

    pub(crate) fn by_id(&self, id: &PeerId) -> Option<Joined> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn by_conn(&self, conn: ConnId) -> Option<Joined> {
        self.by_conn.get(&conn).copied()
    }

    pub(crate) fn has_member(&self, member: &MemberId) -> bool {
        self.members.contains_key(member)
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// All peers in the order of joining, or those of one role.
    pub(crate) fn with_role(&self, role: Option<&str>) -> Box<dyn Iterator<Item = (Joined, &Peer)> + '_> {
        match role {
            None => Box::new(self.peers.iter().map(|(joined, peer)| (*joined, peer))),
            Some(role) => Box::new(
                self.by_role
                    .get(role)
                    .into_iter()
                    .flatten()
                    .filter_map(|joined| self.peers.get(joined).map(|peer| (*joined, peer))),
            ),
        }
    }

    pub(crate) fn count_by_role(&self) -> BTreeMap<String, usize> {
        self.by_role.iter().map(|(role, peers)| (role.clone(), peers.len())).collect()
    }

    pub(crate) fn insert(&mut self, mut peer: Peer) -> Joined {
        self.last += 1;
        let joined = self.last;
        self.by_id.insert(peer.id.clone(), joined);
        self.by_conn.insert(peer.conn, joined);
        self.by_role.entry(peer.role.clone()).or_default().insert(joined);
        *self.members.entry(peer.member.clone()).or_default() += 1;
        if let Some(at) = peer.next_ping {
            self.pings.insert((at, joined));
        }
        for tag in peer.metadata.tags() {
            self.index.add_tag(tag, joined);
        }
        for (name, value) in peer.metadata.properties() {
            self.index.change(name, joined, None, Some(value));
        }
        peer.metadata.share_names(|name| self.index.name(name));
        self.peers.insert(joined, peer);
        self.settle_free(joined);
        joined
    }

    pub(crate) fn remove(&mut self, joined: Joined) -> Option<Peer> {
        self.show(joined, None);
        let peer = self.peers.remove(&joined)?;
        for tag in peer.metadata.tags() {
            self.index.remove_tag(tag, joined);
        }
        for (name, value) in peer.metadata.properties() {
            self.index.change(name, joined, Some(value), None);
        }
        self.free.remove(&joined);
        if let Some(granted) = peer.free_as {
            self.idle.remove(&(granted, joined));
        }
        self.by_id.remove(&peer.id);
        self.by_conn.remove(&peer.conn);
        if let Some(peers) = self.by_role.get_mut(&peer.role) {
            peers.remove(&joined);
            if peers.is_empty() {
                self.by_role.remove(&peer.role);
            }
        }
        if let Some(count) = self.members.get_mut(&peer.member) {
            *count -= 1;
            if *count == 0 {
                self.members.remove(&peer.member);
            }
        }
        if let Some(at) = peer.next_ping {
            self.pings.remove(&(at, joined));
        }
        Some(peer)
    }

    /// The end of this connection too is the end of the peer: only where that rule is broken on purpose.
    pub(crate) fn also_of(&mut self, conn: Option<ConnId>, joined: Joined) {
        if let Some(conn) = conn {
            self.by_conn.insert(conn, joined);
        }
    }

    /// What a peer says of itself from now on.
    pub(crate) fn set_metadata(&mut self, joined: Joined, metadata: Metadata) {
        let Some(peer) = self.peers.get_mut(&joined) else { return };
        let before = std::mem::replace(&mut peer.metadata, metadata);
        let after = &peer.metadata;
        if !before.tags().eq(after.tags()) {
            before.tags().for_each(|tag| self.index.remove_tag(tag, joined));
            after.tags().for_each(|tag| self.index.add_tag(tag, joined));
        }
        let is_shown = |name: &str| peer.shown.as_ref().is_some_and(|shown| shown.value(name).is_some());
        let mut has_new_names = false;
        for (name, old, new) in before.changes(after) {
            has_new_names |= old.is_none();
            if !is_shown(name) {
                self.index.change(name, joined, old, new);
            }
        }
        if has_new_names {
            peer.metadata.share_names(|name| self.index.name(name));
        }
        if let Some(shown) = &mut peer.shown {
            shown.forget_metadata();
        }
        self.settle_free(joined);
    }

    /// What the claim on a worker says of it from now on; `None`: there is none.
    pub(crate) fn show(&mut self, joined: Joined, shown: Option<Shown>) {
        let Some(peer) = self.peers.get_mut(&joined) else { return };
        for (name, value) in peer.shown.iter().flat_map(|shown| shown.values()) {
            self.index.change(name, joined, Some(value), peer.metadata.property(name));
        }
        peer.shown = shown.map(Box::new);
        for (name, value) in peer.shown.iter().flat_map(|shown| shown.values()) {
            self.index.change(name, joined, peer.metadata.property(name), Some(value));
        }
        self.settle_free(joined);
    }

    fn settle_free(&mut self, joined: Joined) {
        let Some(peer) = self.peers.get_mut(&joined) else { return };
        let free_as = peer.is_free().then_some(peer.last_granted);
        if peer.free_as == free_as {
            return;
        }
        if let Some(granted) = std::mem::replace(&mut peer.free_as, free_as) {
            self.free.remove(&joined);
            self.idle.remove(&(granted, joined));
        }
        if let Some(granted) = free_as {
            self.free.insert(joined);
            if peer.claims {
                self.idle.insert((granted, joined));
            }
        }
    }

    /// Free workers in the order of joining.
    pub(crate) fn free(&self) -> &BTreeSet<Joined> {
        &self.free
    }

    /// Free workers that take part in claims, the one that has been idle longest first.
    pub(crate) fn idle(&self) -> &BTreeSet<(u64, Joined)> {
        &self.idle
    }

    /// Among whom all the matches of a filter are that have this role (`None`: any). The properties `but` are not looked at.
    pub(crate) fn candidates(&self, role: Option<&str>, filters: &Filters, but: &[&str]) -> Candidates<'_> {
        let of_role = match role {
            None => Candidates::All(&self.peers),
            Some(role) => self.by_role.get(role).map_or_else(Candidates::nobody, Candidates::Set),
        };
        self.index.narrow(filters, but, of_role.len()).unwrap_or(of_role)
    }

    pub(crate) fn next_ping(&self) -> Option<Time> {
        self.pings.first().map(|(at, _)| *at)
    }

    /// The connection whose ping is due, if any; its next one is then planned.
    pub(crate) fn take_due_ping(&mut self, now: Time, every_ms: u64) -> Option<ConnId> {
        let (at, joined) = self.pings.first().copied().filter(|(at, _)| *at <= now)?;
        self.pings.remove(&(at, joined));
        let peer = self.peers.get_mut(&joined)?;
        let next = now.plus_ms(every_ms);
        peer.next_ping = Some(next);
        self.pings.insert((next, joined));
        Some(peer.conn)
    }

    #[cfg(debug_assertions)]
    pub(crate) fn check(&self) {
        debug_assert_eq!(self.peers.len(), self.by_id.len(), "one peer an id");
        debug_assert_eq!(self.peers.len(), self.by_conn.len(), "one peer a connection");
        debug_assert!(self.idle.len() <= self.free.len(), "who is idle is free");
        let forgotten = self.index.is_empty() && self.free.is_empty() && self.idle.is_empty();
        debug_assert!(forgotten || !self.peers.is_empty(), "who is gone is found nowhere");
    }
}
