//! Workers that are missed: their connection ended and they did not say that they leave.
//!
//! First a worker is *silent*: it may run a job, and is most likely back in a moment. After `lost_ms` it is *lost*: its job may be
//! tried elsewhere. Neither is in any list of peers. Those without a claim are forgotten after `forget_ms`, or when there are
//! too many.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sleap_rtc_wire::claim::EndReason;
use sleap_rtc_wire::record::WorkerRecord;
use sleap_rtc_wire::signal::AbsentPeer;
use sleap_rtc_wire::{Filters, JobId, MemberId, Metadata, PeerId, Time};

use crate::attempts::Doubtful;
use crate::claims::Tell;
use crate::discovery::{WORKER, seconds};
use crate::peer::Peer;
use crate::pool::Work;
use crate::slot::Reach;
use crate::workers::means;
use crate::{Room, RoomConfig};

/// A worker that is missed.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) member: MemberId,
    /// What it told last.
    pub(crate) metadata: Metadata,
    /// Since when it is missed; a server that was killed counts from its next start.
    pub(crate) since: Time,
    /// When it is lost, or forgotten.
    due: Time,
    /// Missed for so long that its job may be tried elsewhere.
    pub(crate) is_lost: bool,
    /// Known from the store only: it may hold a claim that this room has never heard of.
    is_unknown: bool,
    /// What it may have begun although its claim ended unused.
    doubtful: Option<Box<Doubtful>>,
    /// The store has it as connected: the server went away, not the worker.
    pub(crate) is_by_restart: bool,
}

impl Missing {
    fn new(member: MemberId, metadata: Metadata, since: Time) -> Self {
        Self {
            member,
            metadata,
            since,
            due: since,
            is_lost: false,
            is_unknown: false,
            doubtful: None,
            is_by_restart: false,
        }
    }

    fn status(&self) -> Value {
        Value::from(if self.is_lost { "lost" } else { "silent" })
    }

    /// Silent or lost, by how long it has been missed.
    fn settle(&mut self, config: &RoomConfig, now: Time) {
        self.is_lost = now.since(self.since) >= config.lost_ms;
        self.due = self.since.plus_ms(if self.is_lost { config.lost_ms.max(config.forget_ms) } else { config.lost_ms });
    }
}

/// All workers that are missed.
#[derive(Debug, Default)]
pub(crate) struct Absent {
    workers: BTreeMap<PeerId, Missing>,
    due: BTreeSet<(Time, PeerId)>,
    by_age: BTreeSet<(Time, PeerId)>,
    /// Those who are silent and may hold a claim that nobody here knows.
    unknown: BTreeSet<PeerId>,
}

impl Absent {
    /// Those whom the store knows: all of them, as nobody is here yet.
    pub(crate) fn load(records: Vec<WorkerRecord>, config: &RoomConfig, now: Time) -> Self {
        let mut absent = Self::default();
        for record in records {
            let mut missing =
                Missing::new(record.member, record.metadata, record.silent_since.map_or(now, |at| at.min(now)));
            missing.is_unknown = true;
            missing.is_by_restart = record.silent_since.is_none();
            absent.insert(record.peer_id, missing, config, now);
        }
        absent
    }

    fn insert(&mut self, worker: PeerId, mut missing: Missing, config: &RoomConfig, now: Time) {
        self.remove(&worker);
        missing.settle(config, now);
        self.due.insert((missing.due, worker.clone()));
        self.by_age.insert((missing.since, worker.clone()));
        if missing.is_unknown && !missing.is_lost {
            self.unknown.insert(worker.clone());
        }
        self.workers.insert(worker, missing);
    }

    fn remove(&mut self, worker: &PeerId) -> Option<Missing> {
        let missing = self.workers.remove(worker)?;
        self.due.remove(&(missing.due, worker.clone()));
        self.by_age.remove(&(missing.since, worker.clone()));
        self.unknown.remove(worker);
        Some(missing)
    }

    pub(crate) fn len(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn get(&self, worker: &PeerId) -> Option<&Missing> {
        self.workers.get(worker)
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = (&PeerId, &Missing)> {
        self.workers.iter()
    }

    /// Those who are only silent.
    pub(crate) fn silent(&self) -> impl Iterator<Item = &PeerId> {
        self.workers.iter().filter(|(_, missing)| !missing.is_lost).map(|(worker, _)| worker)
    }

    /// A silent worker of which nobody knows what it holds, if there is one.
    pub(crate) fn may_hold_anything(&self) -> Option<&PeerId> {
        self.unknown.first()
    }

    /// A silent worker that may have begun an earlier try of this job. Asked only when a job is tried again.
    pub(crate) fn may_have_begun(&self, member: &MemberId, job: &JobId, attempt: u32) -> Option<&PeerId> {
        let silent = self.workers.iter().filter(|(_, missing)| !missing.is_lost);
        let mut begun = silent.filter(|(_, missing)| {
            missing.doubtful.as_ref().is_some_and(|doubtful| doubtful.is_before(member, job, attempt))
        });
        begun.next().map(|(worker, _)| worker)
    }

    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    fn due(&self, now: Time) -> Option<PeerId> {
        self.due.first().filter(|(at, _)| *at <= now).map(|(_, worker)| worker.clone())
    }
}

impl Room {
    /// A worker's connection is gone and it has not said that it leaves.
    pub(crate) fn miss(&mut self, worker: &Peer, now: Time) {
        let mut missing = Missing::new(worker.member.clone(), worker.metadata.clone(), now);
        missing.doubtful.clone_from(&worker.doubtful);
        self.absent.insert(worker.id.clone(), missing, &self.config, now);
        self.settle_absent(&worker.id);
        self.expected.write(worker.id.clone());
        self.bound_absent();
    }

    /// Puts a worker that is missed into the sets of those who match.
    pub(crate) fn settle_absent(&mut self, worker: &PeerId) {
        let Some(missing) = self.absent.get(worker) else { return };
        let number = self.pool.set(worker, Work::Absent, None);
        self.line.match_worker(number, |filters| means(filters, &missing.metadata));
    }

    /// A worker is here again, or somebody else has its name.
    pub(crate) fn not_missed(&mut self, worker: &PeerId) -> Option<Missing> {
        if let Some(recovery) = &mut self.recovery {
            recovery.answered(worker);
        }
        self.absent.remove(worker)
    }

    /// A worker goes for good, or is made to: it is not missed, and what it holds ends.
    pub(crate) fn worker_is_gone(&mut self, worker: &PeerId, was_bookable: bool) {
        self.end_claim(worker, EndReason::Lost, Tell::Client);
        self.forget_hold(worker);
        if was_bookable || self.absent.get(worker).is_some() {
            self.forget_worker(worker);
        }
    }

    /// The worker will not come back, as far as this room knows.
    pub(crate) fn forget_worker(&mut self, worker: &PeerId) {
        self.not_missed(worker);
        self.leave_pool(worker);
        self.expected.write(worker.clone());
    }

    /// Those who have been missed for too long are lost, then forgotten.
    pub(crate) fn run_due_absent(&mut self, now: Time) {
        while let Some(worker) = self.absent.due(now) {
            let Some(missing) = self.absent.remove(&worker) else { return };
            if missing.is_lost {
                self.end_claim(&worker, EndReason::Lost, Tell::Client);
                self.forget_worker(&worker);
            } else {
                self.absent.insert(worker.clone(), missing, &self.config, now);
                self.claims.set_reach(&worker, Reach::Lost);
                self.line.changed();
            }
        }
    }

    /// Who has not answered a restarted server is silent for the store too, so that the next restart does not begin to count anew.
    pub(crate) fn write_unanswered(&mut self) {
        for (worker, missing) in &mut self.absent.workers {
            if std::mem::take(&mut missing.is_by_restart) {
                self.expected.write(worker.clone());
            }
        }
    }

    /// Who has been missed longest goes first; who holds a job is kept.
    pub(crate) fn bound_absent(&mut self) {
        while self.absent.len() > self.config.max_peers {
            let mut by_age = self.absent.by_age.iter().map(|(_, worker)| worker);
            let Some(oldest) = by_age.find(|worker| self.claims.slot(worker).is_none()).cloned() else { return };
            self.forget_worker(&oldest);
        }
    }

    /// The missing workers that a filter means, as many as weigh no more than this.
    pub(crate) fn absent_list(&self, filters: &Filters, mut room_left: usize) -> Vec<AbsentPeer> {
        let mut list = Vec::new();
        for (worker, missing) in self.absent.workers() {
            let status = missing.status();
            if !filters.matches_with(WORKER, &missing.metadata, |name| (name == "status").then_some(&status)) {
                continue;
            }
            let weight = 200 + 2 * worker.as_str().len() + missing.metadata.text().len();
            let Some(left) = room_left.checked_sub(weight) else { break };
            room_left = left;
            let mut metadata = missing.metadata.clone();
            metadata.set_property("status", status);
            list.push(AbsentPeer {
                peer_id: worker.clone(),
                metadata,
                seen_at: seconds(missing.since),
                job_id: self.job_on(worker),
            });
        }
        list
    }

    fn job_on(&self, worker: &PeerId) -> Option<JobId> {
        self.claims.slot(worker).map(|slot| slot.grant.job_id.clone())
    }
}
