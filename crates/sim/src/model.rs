//! What must be true of the world, kept beside it: what was promised to whom, in plain tables.

use std::collections::{BTreeMap, BTreeSet};

use sleap_rtc_room::{Effect, Input, Room};
use sleap_rtc_session::{Grant, replay};
use sleap_rtc_wire::claim::ClaimGranted;
use sleap_rtc_wire::job::Terminal;
use sleap_rtc_wire::record::{RoomRecord, WorkerRecord};
use sleap_rtc_wire::{Fence, JobId, MemberId, RoomId, Time, ToPeer};

use crate::hall::Hall;
use crate::plan::Knobs;
pub(crate) use crate::rule::{Rule, Violation};
use crate::seen::{Note, Seen};

/// The whole model.
#[derive(Debug, Default)]
pub(crate) struct Model {
    halls: Vec<Option<Box<Hall>>>,
    /// Rooms that were loaded before.
    loaded: BTreeSet<RoomId>,
    /// The last fence that was given out in each room.
    given: BTreeMap<RoomId, Fence>,
    /// Two servers have been up at once: what one of them does not hear of, it cannot keep.
    pub(crate) two_servers: bool,
    /// The fence that a worker kept last, by room.
    kept: BTreeMap<(usize, RoomId), Fence>,
    /// The latest attempt of each job that was granted.
    tried: BTreeMap<JobId, u32>,
    /// What runs on each machine.
    running: BTreeMap<usize, Grant>,
    ends: BTreeMap<(JobId, u32, usize), Terminal>,
    /// Who is connected, by identity: on how many connections, and since when on none.
    pub(crate) visits: BTreeMap<MemberId, Visit>,
}

/// The connections of an anonymous identity, as servers have them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Visit {
    pub(crate) open: u32,
    /// When the last one went, by the world's time.
    pub(crate) gone_at: Option<u64>,
    pub(crate) server: usize,
}

impl Model {
    pub(crate) fn load(&mut self, record: &RoomRecord, workers: &[WorkerRecord], knobs: &Knobs, now: Time) {
        let again = !self.loaded.insert(record.room_id.clone());
        self.halls.push(Some(Box::new(Hall::new(record, workers, knobs, again, now))));
    }

    pub(crate) fn unload(&mut self, hall: usize) {
        self.halls[hall] = None;
    }

    pub(crate) fn hall(&self, hall: usize) -> Option<&Hall> {
        self.halls.get(hall)?.as_deref()
    }

    pub(crate) fn input(&mut self, hall: usize, input: &Input, now: Time, seen: &mut Seen) {
        if let Some(hall) = self.halls[hall].as_deref_mut() {
            hall.input(input, now, seen);
        }
    }

    pub(crate) fn effect(
        &mut self,
        index: usize,
        effect: &Effect,
        now: Time,
        seen: &mut Seen,
    ) -> Result<(), Violation> {
        let Some(hall) = self.halls[index].as_deref_mut() else { return Ok(()) };
        hall.effect(effect, now, seen)?;
        if let Effect::Send { frame: ToPeer::ClaimGranted(grant), .. } = effect {
            let last = self.given.entry(hall.room.clone()).or_default();
            let earlier = std::mem::replace(last, grant.fence.max(*last));
            if grant.fence <= earlier && !self.two_servers {
                let text = format!("{:?} in {} after {earlier:?}", grant.fence, hall.room);
                return Err(Violation::new(Rule::FencesNeverGoBack, text));
            }
            // Once a later attempt was rightly granted, the earlier one is told to end as soon as it is heard of.
            let tried = self.tried.entry(grant.job_id.clone()).or_default();
            if std::mem::replace(tried, grant.attempt.max(*tried)) < grant.attempt && !self.two_servers {
                self.nobody_else_runs_it(index, grant, now)?;
            }
        }
        Ok(())
    }

    /// Whatever the room was told: no machine is at another attempt of this job, unless its worker is lost to the room.
    fn nobody_else_runs_it(&self, index: usize, grant: &ClaimGranted, now: Time) -> Result<(), Violation> {
        let Some(hall) = self.hall(index) else { return Ok(()) };
        let other = self.running.values().find(|one| {
            one.room == hall.room
                && one.job_id == grant.job_id
                && Some(one.client_key) == grant.client_key
                && one.attempt != grant.attempt
                && hall.within_reach(&one.worker, now)
        });
        match other {
            Some(other) => {
                let text = format!(
                    "{} runs as {} on {} and is granted as {}",
                    other.job_id, other.attempt, other.worker, grant.attempt
                );
                Err(Violation::new(Rule::OneAttemptAtWork, text))
            }
            None => Ok(()),
        }
    }

    /// After an input and its effects.
    pub(crate) fn settled(&mut self, index: usize, room: &Room, now: Time, seen: &mut Seen) -> Result<(), Violation> {
        let Some(hall) = self.halls[index].as_deref_mut() else { return Ok(()) };
        hall.settled(room, now, seen)
    }

    /// A worker keeps a fence: it will honour the grant.
    pub(crate) fn fence_kept(&mut self, who: usize, room: &RoomId, fence: Fence) -> Result<(), Violation> {
        let kept = self.kept.entry((who, room.clone())).or_default();
        if fence <= *kept {
            let text = format!("worker {who} honours {fence:?} in {room} after {kept:?}");
            return Err(Violation::new(Rule::FencesNeverGoBack, text));
        }
        *kept = fence;
        Ok(())
    }

    /// A grant comes to a worker.
    pub(crate) fn grant_arrives(&self, who: usize, room: &RoomId, grant: &ClaimGranted, seen: &mut Seen) {
        if self.kept.get(&(who, room.clone())).is_some_and(|kept| grant.fence < *kept) {
            seen.note(Note::OldFence);
        }
    }

    /// The trainer of a job begins on a machine.
    pub(crate) fn trainer_starts(&mut self, who: usize, grant: &Grant, seen: &mut Seen) -> Result<(), Violation> {
        if grant.attempt > 1 {
            seen.note(Note::SecondAttempt);
        }
        if let Some(other) = self.running.insert(who, grant.clone()) {
            let text = format!("worker {who} runs {} and begins {}", other.job_id, grant.job_id);
            return Err(Violation::new(Rule::OneJobPerSlot, text));
        }
        Ok(())
    }

    pub(crate) fn trainer_ends(&mut self, who: usize) {
        self.running.remove(&who);
    }

    /// Whether a job runs on this machine.
    pub(crate) fn runs(&self, who: usize) -> bool {
        self.running.contains_key(&who)
    }

    pub(crate) fn run_of(&self, who: usize) -> Option<&JobId> {
        self.running.get(&who).map(|grant| &grant.job_id)
    }

    /// An end comes to the disk of a worker.
    pub(crate) fn recorded_end(who: usize, job: &JobId, before: &[u8], end: &Terminal) -> Result<(), Violation> {
        let earlier = replay(before).ok().and_then(|state| state.end);
        match earlier {
            Some((earlier, _)) => {
                let text = format!("worker {who} records {end:?} for {job} after {earlier:?}");
                Err(Violation::new(Rule::OneTerminalState, text))
            }
            None => Ok(()),
        }
    }

    /// A worker says that a job is over.
    pub(crate) fn ended(&mut self, who: usize, grant: &Grant, end: &Terminal) -> Result<(), Violation> {
        let key = (grant.job_id.clone(), grant.attempt, who);
        match self.ends.insert(key, end.clone()) {
            Some(earlier) if earlier != *end => {
                let text = format!("{} ends as {end:?} after {earlier:?} on worker {who}", grant.job_id);
                Err(Violation::new(Rule::OneTerminalState, text))
            }
            _ => Ok(()),
        }
    }

    /// A client is told how its job ended.
    pub(crate) fn heard_end(
        &self,
        job: &JobId,
        attempt: u32,
        end: &Terminal,
        seen: &mut Seen,
    ) -> Result<(), Violation> {
        seen.note(Note::JobEndedTold);
        let of_this = (job.clone(), attempt, 0)..=(job.clone(), attempt, usize::MAX);
        let mut ends = self.ends.range(of_this).map(|(_, end)| end);
        if ends.any(|one| one == end) {
            return Ok(());
        }
        let text = format!("the client of {job} is told {end:?}, which is not how it ended");
        Err(Violation::new(Rule::OneTerminalState, text))
    }

    /// The jobs that have ended, for those who came to their end unseen.
    pub(crate) fn visits(&mut self, member: &MemberId, came: bool, now: u64, server: usize) {
        let visit = self.visits.entry(member.clone()).or_default();
        visit.server = server;
        if came {
            visit.open += 1;
            visit.gone_at = None;
        } else {
            visit.open = visit.open.saturating_sub(1);
            if visit.open == 0 {
                visit.gone_at = Some(now);
            }
        }
    }

    /// A server is gone, and with it what it knew of who was connected.
    pub(crate) fn server_gone(&mut self, server: usize, now: u64) {
        for visit in self.visits.values_mut().filter(|visit| visit.server == server && visit.open > 0) {
            visit.open = 0;
            visit.gone_at = Some(now);
        }
    }

    /// Machines on which something runs.
    pub(crate) fn machines(&self) -> BTreeSet<usize> {
        self.running.keys().copied().collect()
    }
}
