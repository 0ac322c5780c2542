//! Our worker: a real half of the signaling, real halves of jobs, a disk that outlives its process, and a trainer that takes time.

use std::collections::BTreeMap;

use sleap_rtc_session::pool_line::FirstTry;
use sleap_rtc_session::pool_worker::{Admission, Effect, Input, PoolWorker, Seen, Setup};
use sleap_rtc_session::{JobWorker, LinkId, WorkerInput, replay};
use sleap_rtc_wire::{ClaimId, FromPeer, JobId, Metadata, PeerId, RoomId, ToPeer};

use crate::event::{DiskDone, Event};
use crate::model::{Rule, Violation};
use crate::seen::Note;
use crate::world::{World, member};

/// How long a client may be gone before a job that does not run yet is given up, ms.
pub(crate) const GONE_MS: u64 = 120_000;

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
    pub(crate) runs: u32,
}

/// A job that is here.
pub(crate) struct Task {
    pub(crate) machine: JobWorker,
    pub(crate) claim: ClaimId,
    pub(crate) links: BTreeMap<LinkId, (usize, PeerId)>,
    pub(crate) client: Option<PeerId>,
    pub(crate) has_slot: bool,
    /// The trainer's run.
    pub(crate) run: Option<u32>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("room", &self.room).finish_non_exhaustive()
    }
}

impl Task {
    pub(crate) fn new(machine: JobWorker, claim: ClaimId) -> Self {
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
        let metadata = worker_metadata(who);
        let setup = Setup {
            peer_id: self.peer_id(who),
            room_id: room_id.clone(),
            token: Some(token),
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
            // Out of the room, it hands its results to whoever is there for a moment longer.
            self.disconnect(who);
            self.alarm(who, next);
            let life = self.nodes[who].life;
            let at = self.now + self.random.between(100, 5_000);
            self.queue.push(at, Event::SeenOff { who, life });
        }
    }

    pub(crate) fn seen_off(&mut self, who: usize, life: u32) {
        if self.nodes[who].life == life {
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
                // On the disk long before it is told: a crash in between leaves it there.
                let early = good && self.nodes[who].disk_at < self.now && self.random.one_in(2);
                if early {
                    self.keep(who, process.room.clone(), seen.clone());
                }
                self.later(who, at, DiskDone::Fence { room: process.room.clone(), seen, good, early });
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

    /// A fence is on the disk: from now on the worker may honour its grant.
    pub(crate) fn keep(&mut self, who: usize, room: RoomId, seen: Seen) {
        if let Err(violation) = self.model.fence_kept(who, &room, seen.fence) {
            self.violate(violation);
        }
        self.nodes[who].disk.seen.insert(room, seen);
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

    pub(crate) fn forget_pending(&mut self, who: usize, link: usize) {
        if let Some(process) = self.nodes[who].worker.as_deref_mut() {
            process.pending.retain(|_, pending| *pending != link);
        }
    }
}

fn worker_metadata(who: usize) -> Metadata {
    let memory = [8_192, 16_384, 24_576][who % 3];
    let tags = if who.is_multiple_of(2) { vec!["a100"] } else { vec!["lab"] };
    serde_json::json!({"tags": tags, "properties": {"gpu_memory_mb": memory}}).into()
}
