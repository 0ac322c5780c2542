//! Which workers a claim means.

use serde_json::Value;
use sleap_rtc_wire::Filters;

use crate::Room;
use crate::discovery::WORKER;
use crate::peer::Peer;
use crate::peers::Joined;

/// What a claim says of its worker. A claim's filter looks past it, so the index, which knows what everybody sees, is not asked.
const SHOWN: [&str; 3] = ["status", "current_job_id", "job_start_time"];

impl Room {
    /// The free workers that a claim means, the one that has been idle longest first, at most so many.
    pub(crate) fn free_workers(&self, filters: &Filters, asker: Joined, most: usize) -> Vec<Joined> {
        let means = claim_filter(filters, asker);
        let is_meant = |joined: &Joined| self.presence.get(*joined).is_some_and(|peer| means(*joined, peer));
        let candidates = self.presence.candidates(Some(WORKER), filters, &SHOWN);
        let idle = self.presence.idle();
        // One look at as many of the idle as there are candidates: mostly that is enough, and it costs no more than the candidates.
        let in_order = idle.iter().map(|(_, joined)| *joined);
        let first: Vec<Joined> = in_order.take(candidates.len()).filter(is_meant).take(most).collect();
        if first.len() == most || idle.len() <= candidates.len() {
            return first;
        }
        let free_as = |joined: Joined| Some((self.presence.get(joined)?.free_as?, joined));
        let mut free: Vec<(u64, Joined)> = candidates.iter().filter(is_meant).filter_map(free_as).collect();
        free.sort_unstable();
        free.into_iter().map(|(_, joined)| joined).take(most).collect()
    }

    /// The connected workers that a claim means, whatever they do at the moment, in the order of joining.
    pub(crate) fn matching_workers(&self, filters: &Filters, asker: Joined) -> Vec<Joined> {
        let means = claim_filter(filters, asker);
        let candidates = self.presence.candidates(Some(WORKER), filters, &SHOWN);
        let is_meant = |joined: &Joined| self.presence.get(*joined).is_some_and(|peer| means(*joined, peer));
        candidates.iter().filter(is_meant).collect()
    }
}

/// Whether a claim means a peer. A filter for `available` means every worker here: whether it is free is asked apart from whether
/// it matches.
fn claim_filter(filters: &Filters, asker: Joined) -> impl Fn(Joined, &Peer) -> bool {
    let available = Value::from("available");
    move |joined, peer| {
        let overlay = |name: &str| (name == "status").then_some(&available);
        joined != asker
            && peer.claims
            && peer.role == WORKER
            && filters.matches_with(&peer.role, &peer.metadata, overlay)
    }
}
