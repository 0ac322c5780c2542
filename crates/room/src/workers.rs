//! Which workers a claim means.

use serde_json::Value;
use sleap_rtc_wire::Filters;

use crate::Room;
use crate::discovery::WORKER;
use crate::presence::{Joined, Peer};

impl Room {
    /// The free workers that a claim means, the one that has been idle longest first, at most so many.
    pub(crate) fn free_workers(&self, filters: &Filters, asker: Joined, most: usize) -> Vec<Joined> {
        let matching = self.matching_workers(filters, asker).into_iter();
        let peers = matching.filter_map(|joined| Some((joined, self.presence.get(joined)?)));
        let mut idle: Vec<(u64, Joined)> =
            peers.filter(|(_, peer)| self.is_free(peer)).map(|(joined, peer)| (peer.last_granted, joined)).collect();
        idle.sort_unstable();
        idle.into_iter().map(|(_, joined)| joined).take(most).collect()
    }

    /// The connected workers that a claim means, whatever they do at the moment, in the order of joining.
    pub(crate) fn matching_workers(&self, filters: &Filters, asker: Joined) -> Vec<Joined> {
        let available = Value::from("available");
        // A filter for `available` means every worker here: whether it is free is asked apart from whether it matches.
        let matches = |peer: &Peer| {
            filters.matches_with(&peer.role, &peer.metadata, |name| (name == "status").then_some(&available))
        };
        let workers = self.presence.with_role(Some(WORKER));
        workers
            .filter(|(joined, peer)| *joined != asker && peer.claims && matches(peer))
            .map(|(joined, _)| joined)
            .collect()
    }
}
