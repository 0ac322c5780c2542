//! Who is found. Only the asker's room, never the asker, in the order of joining unless something else is asked for.

use sleap_rtc_wire::filter::Rank;
use sleap_rtc_wire::signal::{Discover, PeerEntry};
use sleap_rtc_wire::{Filters, Time, ToPeer, limits};

use crate::Room;
use crate::index::Candidates;
use crate::peer::Peer;
use crate::peers::{Joined, Presence};

/// What an answer may weigh, bytes: below the frame's limit, with room for the frame's own keys.
pub(crate) const ANSWER: usize = limits::FRAME - 4096;

/// What is counted for the keys and times of one peer's entry, which take less, bytes.
const ENTRY: usize = 200;

/// How long it is told that a worker had been missed, ms.
const CAME_BACK_MS: u64 = 600_000;

/// The role whose peers can be booked.
pub(crate) const WORKER: &str = "worker";

impl Room {
    pub(crate) fn discover(&mut self, joined: Joined, discover: &Discover, now: Time) {
        if !self.speaks_as(joined, &discover.from_peer_id, None) {
            return;
        }
        let (found, meant) = self.find(&discover.filters, joined);
        let mut room_left = ANSWER;
        let fits = |peer: &&Peer| {
            let left = room_left.checked_sub(weight(peer));
            room_left = left.unwrap_or(0);
            left.is_some()
        };
        let peers: Vec<PeerEntry> = found.into_iter().take_while(fits).map(|peer| entry(peer, now)).collect();
        let Some(asker) = self.presence.get(joined) else { return };
        let (conn, to_peer_id, count) = (asker.conn, asker.calls_itself().clone(), peers.len());
        let total = (count < meant).then_some(meant);
        let absent = if discover.absent { self.absent_list(&discover.filters, room_left) } else { Vec::new() };
        self.send(conn, ToPeer::PeerList { to_peer_id, peers, count, total, absent });
    }

    /// Who is meant, the best matches first, and how many they are: no more than are asked for. Those who cannot fit into an answer
    /// may be missing among the first.
    fn find(&self, filters: &Filters, asker: Joined) -> (Vec<&Peer>, usize) {
        let most = filters.limit().unwrap_or(usize::MAX);
        let candidates = self.presence.candidates(filters.role(), filters, &[]);
        let search = Search { presence: &self.presence, filters, asker };
        if let Some(property) = filters.sort() {
            return counted(search.sorted(&candidates, property, most));
        }
        if !filters.is_by_role_only() {
            return counted(search.in_order(&candidates, most));
        }
        // How many they are is known, so that nobody is looked at in vain.
        let is_asker = self.presence.get(asker).is_some_and(|peer| peer.matches(filters));
        let meant = (candidates.len() - usize::from(is_asker)).min(most);
        (search.in_order(&candidates, most.min(ANSWER / ENTRY)), meant)
    }
}

fn counted(found: Vec<&Peer>) -> (Vec<&Peer>, usize) {
    let meant = found.len();
    (found, meant)
}

struct Search<'a, 'f> {
    presence: &'a Presence,
    filters: &'f Filters,
    asker: Joined,
}

impl<'a> Search<'a, '_> {
    /// Those who are meant.
    fn among(&self, peers: impl Iterator<Item = Joined>) -> impl Iterator<Item = &'a Peer> {
        peers
            .filter(|joined| *joined != self.asker)
            .filter_map(|joined| self.presence.get(joined))
            .filter(|peer| peer.matches(self.filters))
    }

    /// In the order of joining; where workers are asked for, the free ones first.
    fn in_order(&self, candidates: &Candidates<'_>, most: usize) -> Vec<&'a Peer> {
        if self.filters.role() == Some(WORKER) {
            self.free_first(candidates, most)
        } else {
            self.among(candidates.iter()).take(most).collect()
        }
    }

    /// A program that takes the first of equals gets a free one.
    fn free_first(&self, candidates: &Candidates<'_>, most: usize) -> Vec<&'a Peer> {
        if most >= candidates.len() {
            let (mut found, taken): (Vec<&Peer>, Vec<&Peer>) =
                self.among(candidates.iter()).partition(|peer| peer.is_free());
            found.extend(taken);
            return found;
        }
        let free = self.presence.free();
        // Whichever is fewer to look at: the free ones that match, or the matches that are free.
        let mut found: Vec<&Peer> = if free.len() <= candidates.len() {
            self.among(free.iter().copied()).take(most).collect()
        } else {
            self.among(candidates.iter()).filter(|peer| peer.is_free()).take(most).collect()
        };
        let taken = self.among(candidates.iter()).filter(|peer| !peer.is_free());
        found.extend(taken.take(most - found.len()));
        found
    }

    /// By a property; equals in the order of joining.
    fn sorted(&self, candidates: &Candidates<'_>, property: &str, most: usize) -> Vec<&'a Peer> {
        let rank = |peer: &'a Peer| peer.property(property).and_then(Rank::of);
        let found = self.among(candidates.iter()).enumerate();
        let mut found: Vec<_> = found.map(|(place, peer)| (rank(peer), place, peer)).collect();
        let order = |a: &(_, usize, _), b: &(_, usize, _)| self.filters.order(a.0, b.0).then(a.1.cmp(&b.1));
        if most < found.len() {
            found.select_nth_unstable_by(most, order);
            found.truncate(most);
        }
        found.sort_unstable_by(order);
        found.into_iter().map(|(.., peer)| peer).collect()
    }
}

fn entry(peer: &Peer, now: Time) -> PeerEntry {
    PeerEntry {
        peer_id: peer.id.clone(),
        role: peer.role.clone(),
        metadata: peer.shown_metadata().clone(),
        connected_at: seconds(peer.connected_at),
        was_silent_ms: peer.was_silent_ms.filter(|_| now.since(peer.connected_at) < CAME_BACK_MS),
    }
}

/// No less than the bytes of a peer's entry: JSON writes a byte of a text in at most six (`\u0000`), one of a peer id in at most two.
pub(crate) fn weight(peer: &Peer) -> usize {
    ENTRY + 2 * peer.id.as_str().len() + 6 * peer.role.len() + peer.shown_metadata().text().len()
}

/// Unix seconds with a fraction, as old programs write times.
pub(crate) fn seconds(time: Time) -> f64 {
    time.0 as f64 / 1000.0
}
