//! Workers that are not here and have not said that they leave.

use std::collections::BTreeMap;

use sleap_rtc_wire::record::WorkerRecord;
use sleap_rtc_wire::{MemberId, Metadata, PeerId, Time};

/// A worker that is missed.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) member: MemberId,
    /// What it told last.
    pub(crate) metadata: Metadata,
    /// Since when it is missed; a restarted server counts from its own start.
    pub(crate) since: Time,
}

/// All workers that are missed.
#[derive(Debug, Default)]
pub(crate) struct Absent {
    workers: BTreeMap<PeerId, Missing>,
}

impl Absent {
    /// Those whom the store knows: all of them, as nobody is here yet.
    pub(crate) fn load(records: Vec<WorkerRecord>, now: Time) -> Self {
        let missing = |record: WorkerRecord| {
            let since = record.silent_since.map_or(now, |at| at.min(now));
            (record.peer_id, Missing { member: record.member, metadata: record.metadata, since })
        };
        Self { workers: records.into_iter().map(missing).collect() }
    }
}
