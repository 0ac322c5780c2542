//! Which workers a claim means.

use std::sync::LazyLock;

use serde_json::Value;
use sleap_rtc_wire::{Filters, Metadata};

use crate::Room;
use crate::discovery::WORKER;
use crate::peers::Joined;
use crate::pool::Set;

/// What a claim says of its worker. A claim's filter looks past it, so the index, which knows what everybody sees, is not asked.
const SHOWN: [&str; 3] = ["status", "current_job_id", "job_start_time"];

impl Room {
    /// The free workers that a claim means, the one that has been idle longest first, at most so many.
    pub(crate) fn free_workers(&self, filters: &Filters, asker: Joined, most: usize) -> Vec<Joined> {
        let is_meant = |joined: &Joined| {
            let peer = self.presence.get(*joined).filter(|peer| *joined != asker && peer.is_bookable());
            peer.is_some_and(|peer| means(filters, &peer.metadata))
        };
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

    /// The workers, connected or missed, that a claim with these filters means, whatever they do at the moment.
    pub(crate) fn matching_workers(&self, filters: &Filters) -> Set {
        let candidates = self.presence.candidates(Some(WORKER), filters, &SHOWN);
        let connected = candidates.iter().filter_map(|joined| self.presence.get(joined));
        let connected = connected.filter(|peer| means(filters, &peer.metadata)).filter_map(|peer| peer.number);
        let missing = self.absent.workers().filter(|(_, missing)| means(filters, &missing.metadata));
        let missing = missing.filter_map(|(worker, _)| self.pool.number(worker));
        connected.chain(missing).collect()
    }
}

/// Whether a claim means a worker with this metadata. A filter for `available` means every worker here: whether it is free is
/// asked apart from whether it matches.
pub(crate) fn means(filters: &Filters, metadata: &Metadata) -> bool {
    static AVAILABLE: LazyLock<Value> = LazyLock::new(|| Value::from("available"));
    filters.matches_with(WORKER, metadata, |name| (name == "status").then_some(&*AVAILABLE))
}
