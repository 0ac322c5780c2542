//! The jobs of our worker: each a real half of a job, with what its shell does for it.

use sleap_rtc_session::pool_worker::Input;
use sleap_rtc_session::{Grant, JobRecord, JobWorker, WorkerEffect, WorkerInput, replay};
use sleap_rtc_wire::JobId;
use sleap_rtc_wire::claim::ClaimGranted;
use sleap_rtc_wire::job::{EndState, FailCode, Terminal, What};

use crate::event::{DiskDone, Event};
use crate::seen::Note;
use crate::worker::{GONE_MS, Process, Task};
use crate::world::{World, member};

impl World {
    /// A task for the claim's job: a new one, or the one that a first offer of this claim has made.
    pub(crate) fn expect(&mut self, who: usize, process: &mut Process, granted: &ClaimGranted) -> bool {
        let me = self.peer_id(who);
        let Some(grant) = Grant::new(process.room.clone(), me, granted) else { return false };
        if process.jobs.get(&grant.job_id).is_some_and(|task| task.claim == grant.claim_id) {
            return true;
        }
        let earlier = self.nodes[who].disk.records.get(&grant.job_id).and_then(|bytes| replay(bytes).ok());
        if earlier.is_some_and(|earlier| {
            earlier.grant.client_key != grant.client_key || earlier.grant.attempt >= grant.attempt
        }) {
            return false;
        }
        let (job, claim) = (grant.job_id.clone(), grant.claim_id.clone());
        let key = member(self.nodes[who].member).key.clone();
        if let Some(earlier) = process.jobs.insert(job, Task::new(JobWorker::new(key, grant, GONE_MS), claim)) {
            for (link, _) in earlier.links.into_values() {
                self.cut_link(link, [1, 1]);
            }
        }
        true
    }

    pub(crate) fn restore(
        &mut self,
        who: usize,
        process: &mut Process,
        job: &JobId,
        now: sleap_rtc_wire::Time,
    ) -> bool {
        if process.jobs.contains_key(job) {
            return true;
        }
        let Some(state) = self.nodes[who].disk.records.get(job).and_then(|bytes| replay(bytes).ok()) else {
            return false;
        };
        let key = member(self.nodes[who].member).key.clone();
        let claim = state.grant.claim_id.clone();
        process.jobs.insert(job.clone(), Task::new(JobWorker::restore(key, state, GONE_MS, now), claim));
        true
    }

    pub(crate) fn job_effect(&mut self, who: usize, process: &mut Process, job: &JobId, effect: WorkerEffect) {
        let now = self.nodes[who].clock.at(self.now);
        let Some(task) = process.jobs.get_mut(job) else { return };
        match effect {
            WorkerEffect::Send { link, text } => {
                if let Some((link, _)) = task.links.get(&link) {
                    self.say(*link, false, text);
                }
            }
            WorkerEffect::SendBulk { .. } | WorkerEffect::Delivered { .. } | WorkerEffect::Taken => {}
            WorkerEffect::Close { link } => {
                if let Some((link, _)) = task.links.get(&link) {
                    self.close_link(*link, true);
                }
            }
            WorkerEffect::Disk(request) => {
                let (job, at) = (job.clone(), self.now + self.delay(4));
                self.later(who, at, DiskDone::Transfer { job, request });
            }
            WorkerEffect::Accept { .. } => {
                task.has_slot = true;
                let at = self.now + self.delay(300);
                self.later(who, at, DiskDone::Accepted { job: job.clone() });
            }
            WorkerEffect::Record { ticket, record } => {
                let good = self.nodes[who].disk_fails_until <= self.now;
                let at = self.now + 1 + self.delay(8);
                if let Some(ms) = self.nodes[who].dies_writing.take() {
                    let (at, life) = (self.now + self.random.below(at - self.now), self.nodes[who].life);
                    self.queue.push(at, Event::Die { who, life, ms });
                }
                if matches!(*record, JobRecord::Ended { .. }) && std::mem::take(&mut self.nodes[who].ends_at_end) {
                    let life = self.nodes[who].life;
                    self.queue.push(self.now + self.random.below(40), Event::EndNow { who, life });
                }
                self.later(who, at, DiskDone::Record { job: job.clone(), ticket, line: record.line(), good });
            }
            WorkerEffect::Run { .. } => {
                process.runs += 1;
                task.run = Some(process.runs);
                let grant = task.machine.grant().clone();
                self.trainer_starts(who, &grant, process.runs);
            }
            WorkerEffect::Stop | WorkerEffect::Cancel => {
                if let Some(run) = task.run {
                    let (at, life) = (self.now + self.random.between(100, 3_000), self.nodes[who].life);
                    self.queue.push(at, Event::Trainer { who, life, job: job.clone(), run, ends: true });
                }
            }
            WorkerEffect::Over { terminal } => {
                task.has_slot = false;
                let grant = task.machine.grant().clone();
                if task.links.is_empty() {
                    self.seen.note(Note::EndWithoutClient);
                }
                self.ended(who, &grant, &terminal);
                process.pool.handle(Input::JobOver { job: job.clone(), kept: true }, now, 0);
            }
            WorkerEffect::ListResults => {
                let at = self.now + self.delay(20);
                self.later(who, at, DiskDone::Listed { job: job.clone() });
            }
            WorkerEffect::Forget => {
                let had_slot = std::mem::take(&mut task.has_slot);
                process.jobs.remove(job);
                if had_slot {
                    process.pool.handle(Input::JobOver { job: job.clone(), kept: false }, now, 0);
                }
                process.pool.handle(Input::Forget(job.clone()), now, 0);
            }
            WorkerEffect::Report(fact) => {
                if let sleap_rtc_session::Fact::Proven { peer, .. } = fact {
                    task.client = Some(peer);
                }
            }
        }
    }

    /// The job may have the slot, if the pool says so.
    pub(crate) fn take_slot(&mut self, who: usize, job: &JobId) {
        let now = self.nodes[who].clock.at(self.now);
        let Some(process) = self.nodes[who].worker.as_deref_mut() else { return };
        let Some(task) = process.jobs.get_mut(job) else { return };
        let claim = Some(task.machine.grant().claim_id.clone());
        let outcome = task.client.clone().map(|client| {
            let start = sleap_rtc_session::pool_worker::Start { client, job: job.clone(), claim };
            process.pool.start(&start, now)
        });
        let input = match outcome {
            Some(Ok(())) => WorkerInput::Accepted,
            Some(Err(refused)) => WorkerInput::Rejected { code: FailCode::Internal, cause: refused.to_string() },
            None => WorkerInput::Rejected { code: FailCode::Internal, cause: "nobody brought it".to_owned() },
        };
        task.machine.handle(input, now);
        self.tend_worker(who);
    }

    /// Tells a job's half something.
    pub(crate) fn job_input(&mut self, who: usize, job: &JobId, input: WorkerInput) {
        let now = self.nodes[who].clock.at(self.now);
        if let Some(task) = self.nodes[who].worker.as_deref_mut().and_then(|process| process.jobs.get_mut(job)) {
            task.machine.handle(input, now);
            self.tend_worker(who);
        }
    }

    /// The trainer gets on, or its whole group is gone.
    pub(crate) fn trainer(&mut self, who: usize, life: u32, job: &JobId, run: u32, ends: bool) {
        let now = self.nodes[who].clock.at(self.now);
        if self.nodes[who].life != life {
            return;
        }
        let Some(process) = self.nodes[who].worker.as_deref_mut() else { return };
        let Some(task) = process.jobs.get_mut(job).filter(|task| task.run == Some(run)) else { return };
        if ends {
            task.run = None;
            let state = if self.random.one_in(6) { EndState::Failed } else { EndState::Completed };
            let code = (state == EndState::Failed).then_some(FailCode::TrainerFailed);
            let terminal = Terminal { state, stopped_early: false, code, cause: None, exit: Some(0), ended_at: now };
            task.machine.handle(WorkerInput::Ended(terminal), now);
            self.model.trainer_ends(who);
        } else {
            let what = What::Batch { epoch: 0, batch: run, loss: Some(0.5) };
            task.machine.handle(WorkerInput::Happened(what), now);
            let at = now.plus_ms(60_000);
            process.pool.handle(Input::FreeAt { job: job.clone(), at }, now, 0);
        }
        self.tend_worker(who);
    }
}
