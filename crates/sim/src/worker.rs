//! Our worker: a real half of the signaling, real halves of jobs, a disk that outlives its process, and a trainer that takes time.

use std::collections::BTreeMap;

use sleap_rtc_session::pool_line::FirstTry;
use sleap_rtc_session::pool_worker::{Admission, Effect, Input, PoolWorker, Seen, Setup};
use sleap_rtc_session::{Grant, JobWorker, LinkId, WorkerEffect, WorkerInput, replay};
use sleap_rtc_wire::claim::ClaimGranted;
use sleap_rtc_wire::job::{EndState, FailCode, Terminal, What};
use sleap_rtc_wire::{ClaimId, FromPeer, JobId, Metadata, PeerId, RoomId, ToPeer};

use crate::event::{DiskDone, Event};
use crate::model::{Rule, Violation};
use crate::seen::Note;
use crate::world::{World, member};

/// How long a client may be gone before a job that does not run yet is given up, ms.
const GONE_MS: u64 = 120_000;

/// What a worker's process leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// By room: the highest fence and the latest attempts.
    pub(crate) seen: BTreeMap<RoomId, Seen>,
    /// Each job's record, lines of JSON.
    pub(crate) records: BTreeMap<JobId, Vec<u8>>,
}

/// A run of the worker's program.
pub(crate) struct Process {
    pub(crate) pool: PoolWorker,
    pub(crate) room: RoomId,
    pub(crate) jobs: BTreeMap<JobId, Task>,
    /// Links that are on the way, by who offered them.
    pending: BTreeMap<PeerId, usize>,
    runs: u32,
}

/// A job that is here.
pub(crate) struct Task {
    pub(crate) machine: JobWorker,
    claim: ClaimId,
    pub(crate) links: BTreeMap<LinkId, (usize, PeerId)>,
    client: Option<PeerId>,
    has_slot: bool,
    /// The trainer's run.
    pub(crate) run: Option<u32>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("room", &self.room).finish_non_exhaustive()
    }
}

impl Task {
    fn new(machine: JobWorker, claim: ClaimId) -> Self {
        Self { machine, claim, links: BTreeMap::new(), client: None, has_slot: false, run: None }
    }
}

impl World {
    pub(crate) fn start_worker(&mut self, who: usize) {
        let now = self.nodes[who].clock.at(self.now);
        let (room_id, token) =
            (self.places[self.nodes[who].room].id.clone(), self.places[self.nodes[who].room].token.clone());
        let key = member(self.nodes[who].member).key.clone();
        let disk = &self.nodes[who].disk;
        let seen = disk.seen.get(&room_id).cloned().unwrap_or_default();
        let states = disk.records.iter().filter_map(|(job, bytes)| Some((job.clone(), replay(bytes).ok()?)));
        let states: Vec<_> = states.filter(|(_, state)| state.grant.room == room_id).collect();
        let kept = states.iter().filter(|(_, state)| state.end.is_some()).map(|(job, _)| job.clone()).collect();
        let metadata = self.worker_metadata(who);
        let setup = Setup {
            peer_id: self.peer_id(who),
            room_id: room_id.clone(),
            token,
            metadata,
            seen,
            kept,
            first: FirstTry::KeepTrying,
        };
        let pool = PoolWorker::new(setup, now);
        let mut process = Process { pool, room: room_id, jobs: BTreeMap::new(), pending: BTreeMap::new(), runs: 0 };
        for (job, state) in states {
            if state.end.is_none() {
                let valid = state.valid_len as usize;
                if let Some(bytes) = self.nodes[who].disk.records.get_mut(&job) {
                    bytes.truncate(valid);
                }
                let claim = state.grant.claim_id.clone();
                process.jobs.insert(job, Task::new(JobWorker::restore(key.clone(), state, GONE_MS, now), claim));
            }
        }
        self.nodes[who].worker = Some(Box::new(process));
        self.tend_worker(who);
    }

    fn worker_metadata(&self, who: usize) -> Metadata {
        let memory = [8_192, 16_384, 24_576][who % 3];
        let tags = if who.is_multiple_of(2) { vec!["a100"] } else { vec!["lab"] };
        serde_json::json!({"tags": tags, "properties": {"gpu_memory_mb": memory}}).into()
    }

    pub(crate) fn worker_input(&mut self, who: usize, input: Input) {
        let (now, chance) = (self.nodes[who].clock.at(self.now), self.random.next());
        if let Some(process) = self.nodes[who].worker.as_deref_mut() {
            process.pool.handle(input, now, chance);
            self.tend_worker(who);
        }
    }

    pub(crate) fn worker_hears(&mut self, who: usize, frame: ToPeer) {
        if let ToPeer::ClaimGranted(grant) = &frame {
            let room = &self.places[self.nodes[who].room].id;
            self.model.grant_arrives(who, room, grant, &mut self.seen);
        }
        self.worker_input(who, Input::Frame(frame));
    }

    /// Ticks what is due.
    pub(crate) fn wake_worker(&mut self, who: usize) -> bool {
        let (now, chance) = (self.nodes[who].clock.at(self.now), self.random.next());
        let Some(process) = self.nodes[who].worker.as_deref_mut() else { return false };
        let mut any = false;
        if process.pool.next_timeout().is_some_and(|at| at <= now) {
            process.pool.handle(Input::Tick, now, chance);
            any = true;
        }
        for task in process.jobs.values_mut() {
            if task.machine.next_timeout().is_some_and(|at| at <= now) {
                task.machine.handle(WorkerInput::Tick, now);
                any = true;
            }
        }
        self.tend_worker(who);
        any
    }

    /// Carries out everything that the process wants, and sets its alarm.
    pub(crate) fn tend_worker(&mut self, who: usize) {
        let Some(mut process) = self.nodes[who].worker.take() else { return };
        let mut goes_on = true;
        loop {
            if let Some(effect) = process.pool.next_effect() {
                goes_on &= self.worker_effect(who, &mut process, effect);
                continue;
            }
            let next = process.jobs.iter_mut().find_map(|(job, task)| Some((job.clone(), task.machine.next_effect()?)));
            let Some((job, effect)) = next else { break };
            self.job_effect(who, &mut process, &job, effect);
        }
        process.jobs.retain(|_, task| !task.machine.is_idle() || task.has_slot || !task.links.is_empty());
        let next = process.jobs.values().filter_map(|task| task.machine.next_timeout());
        let next = next.chain(process.pool.next_timeout()).min();
        self.nodes[who].worker = Some(process);
        if goes_on {
            self.alarm(who, next);
        } else {
            self.end_process(who);
            let at = self.now + self.random.between(1_000, 90_000);
            self.queue.push(at, Event::Start { who });
        }
    }

    /// `false`: the process ends.
    fn worker_effect(&mut self, who: usize, process: &mut Process, effect: Effect) -> bool {
        match effect {
            Effect::Connect { fresh } => self.connect(who, fresh),
            Effect::Disconnect => self.disconnect(who),
            Effect::Send(frame) => {
                if let FromPeer::Register(register) = &frame
                    && let Some(run) = self.model.run_of(who).filter(|_| register.claims.is_empty())
                {
                    let text = format!("worker {who} comes back and does not say that {run:?} runs on it");
                    self.violate(Violation::new(Rule::ClaimsAreKnown, text));
                }
                self.send(who, frame);
            }
            Effect::Persist(seen) => {
                let at = self.now + self.delay(10);
                let good = self.nodes[who].disk_fails_until <= self.now;
                if let Err(violation) = self.model.fence_kept(who, &process.room, seen.fence) {
                    self.violate(violation);
                }
                if !good {
                    self.seen.note(Note::DiskFails);
                } else if self.random.one_in(2) {
                    // On the disk before it is told: a crash in between leaves it there.
                    self.nodes[who].disk.seen.insert(process.room.clone(), seen.clone());
                }
                self.later(who, at, DiskDone::Fence { room: process.room.clone(), seen, good });
            }
            Effect::Answer { from, sdp, admission } => self.answer(who, process, from, &sdp, admission),
            Effect::Withdraw { from, job } => {
                if let Some(link) = process.pending.remove(&from) {
                    self.cut_link(link, [1, 1]);
                }
                if let Some(task) = job.and_then(|job| process.jobs.get_mut(&job)) {
                    let now = self.nodes[who].clock.at(self.now);
                    task.machine.handle(WorkerInput::Withdrawn, now);
                }
            }
            Effect::Superseded { job } => {
                self.seen.note(Note::SupersededRun);
                if let Some(task) = process.jobs.get_mut(&job) {
                    let now = self.nodes[who].clock.at(self.now);
                    task.machine.handle(WorkerInput::Superseded, now);
                }
            }
            Effect::Report(_) => {}
            Effect::GiveUp(_) | Effect::Leave => return false,
        }
        true
    }

    /// Makes a link out of an offer: the answer comes a moment later.
    fn answer(&mut self, who: usize, process: &mut Process, from: PeerId, sdp: &str, admission: Admission) {
        let now = self.nodes[who].clock.at(self.now);
        let Some(client) = sdp.strip_prefix("offer-").and_then(|text| text.parse().ok()) else { return };
        let (job, outcome) = match admission {
            Admission::Claim(granted) => (Some(granted.job_id.clone()), self.expect(who, process, &granted)),
            Admission::Reattach(job) => (Some(job.clone()), self.restore(who, process, &job, now)),
            Admission::Plain { .. } => {
                self.seen.note(Note::PlainTook);
                (None, true)
            }
        };
        if !outcome {
            let cause = "not here".to_owned();
            return process.pool.handle(Input::AnswerFailed { to: from, cause }, now, 0);
        }
        let link = self.new_link(client, who, job);
        if let Some(before) = process.pending.insert(from.clone(), link) {
            self.cut_link(before, [1, 1]);
        }
        let (at, life) = (self.now + self.delay(120), self.nodes[who].life);
        self.queue.push(at, Event::Answered { who, life, to: from, sdp: format!("answer-{link}") });
    }

    /// A task for the claim's job: a new one, or the one that a first offer of this claim has made.
    fn expect(&mut self, who: usize, process: &mut Process, granted: &ClaimGranted) -> bool {
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

    fn restore(&mut self, who: usize, process: &mut Process, job: &JobId, now: sleap_rtc_wire::Time) -> bool {
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

    fn job_effect(&mut self, who: usize, process: &mut Process, job: &JobId, effect: WorkerEffect) {
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

    pub(crate) fn forget_pending(&mut self, who: usize, link: usize) {
        if let Some(process) = self.nodes[who].worker.as_deref_mut() {
            process.pending.retain(|_, pending| *pending != link);
        }
    }
}
