//! Which workers the store is told to expect after a restart.
//!
//! Nobody waits for these writes. One is under way at a time, and what failed is written again with the next one, or after a
//! while.

use std::collections::BTreeSet;

use sleap_rtc_wire::record::{Change, WorkerRecord};
use sleap_rtc_wire::{PeerId, Time};

use crate::{Room, Ticket};

/// Workers of one write: a server that stops has all of them to write at once.
const BATCH: usize = 256;
/// How long to wait before a failed write is tried again, ms.
const RETRY_MS: u64 = 60_000;

/// Of which workers the store does not know the newest yet.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    unwritten: BTreeSet<PeerId>,
    writing: Option<(Ticket, Vec<PeerId>)>,
    retry_at: Option<Time>,
}

impl Expected {
    /// The store is to know this worker as it is now.
    pub(crate) fn write(&mut self, worker: PeerId) {
        self.unwritten.insert(worker);
        self.retry_at = None;
    }

    pub(crate) fn is_written(&self) -> bool {
        self.unwritten.is_empty() && self.writing.is_none()
    }

    pub(crate) fn next_retry(&self) -> Option<Time> {
        self.retry_at.filter(|_| self.writing.is_none())
    }
}

impl Room {
    /// Starts the next write if there is something to write and none is under way.
    pub(crate) fn flush_workers(&mut self, now: Time) {
        let expected = &mut self.expected;
        let is_early = expected.retry_at.is_some_and(|at| at > now);
        if expected.unwritten.is_empty() || expected.writing.is_some() || is_early || self.lifetime.is_ending() {
            return;
        }
        expected.retry_at = None;
        let workers: Vec<PeerId> = expected.unwritten.iter().take(BATCH).cloned().collect();
        for worker in &workers {
            expected.unwritten.remove(worker);
        }
        let changes = workers.iter().map(|worker| self.worker_change(worker)).collect();
        let ticket = self.persist(changes);
        self.expected.writing = Some((ticket, workers));
    }

    fn worker_change(&self, worker: &PeerId) -> Change {
        let room_id = self.record.room_id.clone();
        let connected = self.presence.by_id(worker).and_then(|joined| self.presence.get(joined));
        if let Some(record) = self.held_record(worker) {
            return Change::PutWorker(record);
        }
        let known = match (connected.filter(|peer| peer.is_bookable()), self.absent.get(worker)) {
            (Some(peer), _) => Some((&peer.member, &peer.metadata, None)),
            (None, Some(missing)) => Some((&missing.member, &missing.metadata, Some(missing.since))),
            (None, None) => None,
        };
        let Some((member, metadata, silent_since)) = known else {
            return Change::DeleteWorker(room_id, worker.clone());
        };
        let (member, metadata) = (member.clone(), metadata.clone());
        Change::PutWorker(WorkerRecord {
            room_id,
            peer_id: worker.clone(),
            member,
            metadata,
            silent_since,
            taken: None,
        })
    }

    /// Takes in the outcome of a write of workers; `false`: the ticket is not of such a write.
    pub(crate) fn workers_written(&mut self, ticket: Ticket, stored: bool, now: Time) -> bool {
        let Some((_, workers)) = self.expected.writing.take_if(|(writing, _)| *writing == ticket) else { return false };
        if !stored {
            // What has come up meanwhile is the next write, which takes these along.
            let is_next = !self.expected.unwritten.is_empty();
            self.expected.unwritten.extend(workers);
            self.expected.retry_at = (!is_next).then(|| now.plus_ms(RETRY_MS));
        }
        true
    }
}
