//! One try of a job at work at a time.
//!
//! A job's next try is granted only when the worker of the one before is lost, or done. What was granted is remembered for
//! jobs that were tried again, so that a worker that comes back with an older try learns of the newer one.

use std::collections::{BTreeMap, VecDeque};

use sleap_rtc_wire::claim::Claim;
use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::{JobId, MemberId, PeerId};

use crate::Room;
use crate::peers::Joined;
use crate::slot::Slot;

/// How many jobs that were tried again a room remembers: the newest. Of an older one that comes back, the client alone knows
/// which try is the last.
const REMEMBERED: usize = 10_000;

/// A job; ids are the client's own, so two members may use the same.
type Job = (MemberId, JobId);

/// How many doubtful tries of a worker are remembered: the newest.
const DOUBTED: usize = 8;

/// A try whose claim ended unused, as far as the room knows: its worker may have begun it in that very moment, and the word of that
/// be lost with the connection, which a server calls dead only after a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doubtful {
    member: MemberId,
    job: JobId,
    attempt: u32,
    before: Option<Box<Self>>,
}

impl Doubtful {
    /// What is to be doubted of a worker once this claim on it has ended, or its connection has, beside what was to be before.
    pub(crate) fn and(slot: &Slot, before: Option<Box<Self>>) -> Option<Box<Self>> {
        let Some(member) = slot.client_member.clone().filter(|_| !slot.is_used()) else { return before };
        let (job, attempt) = (slot.grant.job_id.clone(), slot.grant.attempt);
        let mut doubtful = Box::new(Self { member, job, attempt, before });
        doubtful.keep(DOUBTED);
        Some(doubtful)
    }

    /// Forgets all but so many.
    fn keep(&mut self, most: usize) {
        match &mut self.before {
            Some(before) if most > 1 => before.keep(most - 1),
            before => *before = None,
        }
    }

    /// Whether it may be an earlier try than this one.
    pub(crate) fn is_before(&self, member: &MemberId, job: &JobId, attempt: u32) -> bool {
        let one = |doubtful: &Self| doubtful.member == *member && doubtful.job == *job && doubtful.attempt < attempt;
        std::iter::successors(Some(self), |doubtful| doubtful.before.as_deref()).any(one)
    }
}

/// The latest try of the jobs that were tried again.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    latest: BTreeMap<Job, u32>,
    /// In the order in which they were tried again.
    order: VecDeque<Job>,
}

impl Attempts {
    fn remember(&mut self, job: Job, attempt: u32) {
        if self.latest.insert(job.clone(), attempt).is_none() {
            self.order.push_back(job);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.latest.remove(&oldest);
        }
    }

    fn latest(&self, member: &MemberId, job: &JobId) -> Option<u32> {
        // A map of pairs cannot be asked by a pair of references; this is asked only when a job is tried or comes back.
        self.latest.get(&(member.clone(), job.clone())).copied()
    }
}

impl Room {
    pub(crate) fn remember_attempt(&mut self, member: &MemberId, slot: &Slot) {
        if slot.grant.attempt > 1 {
            self.attempts.remember((member.clone(), slot.grant.job_id.clone()), slot.grant.attempt);
        }
    }

    /// Why this try of the job may not have a worker now.
    pub(crate) fn attempt_conflict(&self, joined: Joined, claim: &Claim) -> Option<String> {
        let (member, job, wanted) = (&self.presence.get(joined)?.member, &claim.job_id, claim.attempt);
        if let Some(latest) = self.attempts.latest(member, job).filter(|latest| *latest > wanted) {
            return Some(format!("attempt {latest} of this job has been granted, {wanted} is asked for"));
        }
        for (worker, slot) in self.claims_on_job(member, job) {
            let earlier = slot.grant.attempt;
            let is_out_of_reach = slot.is_lost() || mutation::on(Mutation::AttemptsOverlap) && slot.is_away();
            if !is_out_of_reach {
                return Some(format!("attempt {earlier} of this job has worker {worker}"));
            }
            if earlier >= wanted {
                return Some(format!(
                    "attempt {earlier} of this job is on {worker}, which is lost: ask for a later one"
                ));
            }
        }
        if wanted == 1 || mutation::on(Mutation::AttemptsOverlap) {
            return None;
        }
        let doubtful = || self.absent.may_have_begun(member, job, wanted);
        self.absent
            .may_hold_anything()
            .or_else(doubtful)
            .map(|worker| format!("worker {worker} is silent and may run an earlier attempt"))
    }

    /// The claims of a member for one job, with their workers.
    pub(crate) fn claims_on_job<'a>(
        &'a self,
        member: &'a MemberId,
        job: &'a JobId,
    ) -> impl Iterator<Item = (&'a PeerId, &'a Slot)> {
        self.claims.of_member(member).filter(move |(_, slot)| slot.grant.job_id == *job)
    }

    /// Whether this room has granted a later try of the job than this. What workers say of later ones is not believed: it would
    /// end the job of another.
    pub(crate) fn is_superseded(&self, member: &MemberId, job: &JobId, attempt: u32) -> bool {
        self.attempts.latest(member, job).is_some_and(|latest| latest > attempt)
            || self.claims_on_job(member, job).any(|(_, slot)| slot.granted_here && slot.grant.attempt > attempt)
    }
}
