//! Both halves of one job against each other, with a pretended disk, trainer and link: no network, no clock, no chance.

use std::collections::VecDeque;

use bytes::Bytes;
use sleap_rtc_session::{
    Binding, ClientEffect, ClientInput, DiskAnswer, Fact, JobClient, JobRecord, JobWorker, LinkId, Outcome, Plan, Show,
    WorkerEffect, WorkerInput, replay,
};
use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::{EndState, Terminal};

use crate::disk::Disk;
use crate::fixtures::{
    CLIENT_PRINT, Files, GONE_MS, START, WORKER_PRINT, chunks, ended, entries, grant, job, new_client, script,
    some_files, some_results, target, worker_key,
};

pub(crate) enum Message {
    Control(String),
    Bulk(Bytes),
}

#[derive(Default)]
pub(crate) struct Flow {
    pub(crate) to_worker: VecDeque<Message>,
    pub(crate) to_client: VecDeque<Message>,
}

/// What somebody in the middle does to a message.
pub(crate) type Tamper = Box<dyn FnMut(bool, &mut Message)>;

pub(crate) enum Answer {
    Client(ClientInput),
    Worker(WorkerInput),
}

/// Answers that come later, in any order; records in theirs.
pub(crate) struct Late {
    pub(crate) answers: Vec<Answer>,
    pub(crate) writes: VecDeque<(u64, JobRecord)>,
    chance: u64,
}

impl Late {
    pub(crate) fn new(seed: u64) -> Self {
        Self { answers: Vec::new(), writes: VecDeque::new(), chance: seed }
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) as usize % n.max(1)
    }
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) client: JobClient,
    pub(crate) worker: JobWorker,
    pub(crate) client_disk: Disk,
    pub(crate) worker_disk: Disk,
    pub(crate) link: Option<(LinkId, Flow)>,
    links: u64,
    /// Messages delivered so far, over all links.
    pub(crate) delivered: u64,
    /// Cut the link after so many messages, once each.
    pub(crate) cuts: VecDeque<u64>,
    pub(crate) tamper: Option<Tamper>,
    /// What the trainer will say; one word a step.
    pub(crate) script: VecDeque<WorkerInput>,
    pub(crate) trainer: VecDeque<WorkerInput>,
    /// Disks and shells that take their time.
    pub(crate) late: Option<Late>,
    pub(crate) answer: WorkerInput,
    pub(crate) shows: Vec<Show>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) records: Vec<JobRecord>,
    pub(crate) records_fail: bool,
    pub(crate) runs: u32,
    pub(crate) taken: u32,
    pub(crate) stops: u32,
    pub(crate) cancels: u32,
    pub(crate) delivered_results: u32,
    pub(crate) ends: Vec<Terminal>,
    pub(crate) forgotten: bool,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) connects: u32,
    /// Whether links can be made.
    pub(crate) reachable: bool,
    /// Control texts seen, with their direction (`true`: to the worker).
    pub(crate) said: Vec<(bool, String)>,
    pub(crate) client_binding: Binding,
    pub(crate) worker_binding: Binding,
}

impl World {
    /// A new job with these files.
    pub(crate) fn new(files: Files, stages: usize) -> Self {
        let plan = Plan::Submit { job: Box::new(job(stages)), files: entries(&files) };
        let hashed = chunks(&files);
        let mut world = Self::with_plan(plan);
        world.client_disk = Disk::with(files);
        world.script = script(stages as u32);
        world.client_input(ClientInput::Disk(DiskAnswer::Hashed(hashed)));
        world
    }

    pub(crate) fn with_plan(plan: Plan) -> Self {
        let client = new_client(plan, START);
        let worker = JobWorker::new(worker_key(), grant(), GONE_MS);
        Self {
            now: START,
            client,
            worker,
            client_disk: Disk::default(),
            worker_disk: Disk::with(some_results()),
            link: None,
            links: 0,
            delivered: 0,
            cuts: VecDeque::new(),
            tamper: None,
            script: script(1),
            trainer: VecDeque::new(),
            late: None,
            answer: WorkerInput::Accepted,
            shows: Vec::new(),
            facts: Vec::new(),
            records: Vec::new(),
            records_fail: false,
            runs: 0,
            taken: 0,
            stops: 0,
            cancels: 0,
            delivered_results: 0,
            ends: Vec::new(),
            forgotten: false,
            outcome: None,
            connects: 0,
            reachable: true,
            said: Vec::new(),
            client_binding: Binding { local: CLIENT_PRINT, remote: WORKER_PRINT },
            worker_binding: Binding { local: WORKER_PRINT, remote: CLIENT_PRINT },
        }
    }

    /// The usual job.
    pub(crate) fn usual() -> Self {
        Self::new(some_files(), 1)
    }

    /// Another program of the same user comes.
    pub(crate) fn replace_client(&mut self, plan: Plan) {
        self.cut();
        self.client = new_client(plan, self.now);
        self.outcome = None;
        self.shows.clear();
        self.drain();
    }

    /// The worker's program dies and is started again.
    pub(crate) fn restart_worker(&mut self) {
        self.cut();
        self.trainer.clear();
        let lines: String = self.records.iter().map(JobRecord::line).collect();
        let state = replay(lines.as_bytes()).unwrap();
        self.worker = JobWorker::restore(worker_key(), state, GONE_MS, self.now);
        self.drain();
    }

    pub(crate) fn client_input(&mut self, input: ClientInput) {
        self.client.handle(input, self.now);
        self.drain();
    }

    pub(crate) fn worker_input(&mut self, input: WorkerInput) {
        self.worker.handle(input, self.now);
        self.drain();
    }

    /// Both ends lose the link.
    pub(crate) fn cut(&mut self) {
        if let Some((link, _)) = self.link.take() {
            self.worker.handle(WorkerInput::LinkDown { link }, self.now);
            let cause = "cut".to_owned();
            self.client.handle(ClientInput::LinkDown { link, cause, chance: self.links as u32 * 37 }, self.now);
            self.drain();
        }
    }

    fn connect(&mut self) {
        self.connects += 1;
        if !self.reachable {
            let cause = "no route".to_owned();
            return self.client.handle(ClientInput::ConnectFailed { cause, chance: 5 }, self.now);
        }
        self.links += 1;
        let link = LinkId(self.links);
        self.link = Some((link, Flow::default()));
        let (binding, peer) = (self.worker_binding, target().me);
        let nonce = [self.links as u8 + 100; 32];
        self.worker.handle(WorkerInput::LinkUp { link, peer, binding, nonce }, self.now);
        let binding = self.client_binding;
        self.client.handle(ClientInput::LinkUp { link, binding, nonce: [self.links as u8; 32] }, self.now);
    }

    /// Carries out every effect of both ends.
    pub(crate) fn drain(&mut self) {
        loop {
            let client = self.client.next_effect();
            let worker = self.worker.next_effect();
            if client.is_none() && worker.is_none() {
                return;
            }
            if let Some(effect) = client {
                self.client_effect(effect);
            }
            if let Some(effect) = worker {
                self.worker_effect(effect);
            }
        }
    }

    fn flow(&mut self, link: LinkId) -> Option<&mut Flow> {
        self.link.as_mut().filter(|(id, _)| *id == link).map(|(_, flow)| flow)
    }

    fn client_effect(&mut self, effect: ClientEffect) {
        match effect {
            ClientEffect::Connect => self.connect(),
            ClientEffect::Send { link, text } => {
                self.said.push((true, text.clone()));
                self.flow(link).into_iter().for_each(|flow| flow.to_worker.push_back(Message::Control(text.clone())));
            }
            ClientEffect::SendBulk { link, data } => {
                self.flow(link).into_iter().for_each(|flow| flow.to_worker.push_back(Message::Bulk(data.clone())));
            }
            ClientEffect::Close { link } => self.close(link),
            ClientEffect::Disk(request) => {
                let answer = ClientInput::Disk(self.client_disk.answer(request));
                match &mut self.late {
                    Some(late) => late.answers.push(Answer::Client(answer)),
                    None => self.client.handle(answer, self.now),
                }
            }
            ClientEffect::Show(show) => self.shows.push(show),
            ClientEffect::Finished(outcome) => {
                assert!(self.outcome.is_none(), "the client finishes once");
                self.outcome = Some(outcome);
            }
        }
    }

    fn worker_effect(&mut self, effect: WorkerEffect) {
        match effect {
            WorkerEffect::Send { link, text } => {
                self.said.push((false, text.clone()));
                self.flow(link).into_iter().for_each(|flow| flow.to_client.push_back(Message::Control(text.clone())));
            }
            WorkerEffect::SendBulk { link, data } => {
                self.flow(link).into_iter().for_each(|flow| flow.to_client.push_back(Message::Bulk(data.clone())));
            }
            WorkerEffect::Close { link } => self.close(link),
            WorkerEffect::Disk(request) => {
                let answer = self.worker_disk.answer(request);
                self.answer_worker(WorkerInput::Disk(answer));
            }
            WorkerEffect::Accept { .. } => self.answer_worker(self.answer.clone()),
            WorkerEffect::Record { ticket, record } => match &mut self.late {
                Some(late) => late.writes.push_back((ticket, *record)),
                None => self.write(ticket, *record),
            },
            WorkerEffect::Taken => self.taken += 1,
            WorkerEffect::Run { .. } => {
                self.runs += 1;
                self.trainer = self.script.clone();
            }
            WorkerEffect::Stop => self.stops += 1,
            WorkerEffect::Cancel => {
                self.cancels += 1;
                self.trainer = [WorkerInput::Ended(ended(EndState::Failed))].into();
            }
            WorkerEffect::Over { terminal } => self.ends.push(terminal),
            WorkerEffect::ListResults => {
                let source = self.worker_disk.source.clone();
                self.worker.handle(WorkerInput::Results(entries(&source)), self.now);
                self.worker.handle(WorkerInput::Disk(DiskAnswer::Hashed(chunks(&source))), self.now);
            }
            WorkerEffect::Delivered { .. } => self.delivered_results += 1,
            WorkerEffect::Forget => self.forgotten = true,
            WorkerEffect::Report(fact) => self.facts.push(fact),
        }
    }

    fn answer_worker(&mut self, answer: WorkerInput) {
        match &mut self.late {
            Some(late) => late.answers.push(Answer::Worker(answer)),
            None => self.worker.handle(answer, self.now),
        }
    }

    pub(crate) fn write(&mut self, ticket: u64, record: JobRecord) {
        if self.records_fail {
            let cause = "no space left on device".to_owned();
            return self.worker.handle(WorkerInput::RecordFailed { ticket, cause }, self.now);
        }
        self.records.push(record);
        self.worker.handle(WorkerInput::Recorded { ticket }, self.now);
    }

    /// What was queued is delivered first, then both ends hear that the link is gone.
    fn close(&mut self, link: LinkId) {
        if self.flow(link).is_none() {
            return;
        }
        while self.deliver() {}
        self.cut();
    }

    /// Delivers one message, control before bulk, as the link does.
    pub(crate) fn deliver(&mut self) -> bool {
        let Some((link, flow)) = &mut self.link else { return false };
        let link = *link;
        let (to_worker, queue) = match (flow.to_worker.is_empty(), flow.to_client.is_empty()) {
            (true, true) => return false,
            (false, true) => (true, &mut flow.to_worker),
            (false, false) if self.delivered.is_multiple_of(2) => (true, &mut flow.to_worker),
            (_, false) => (false, &mut flow.to_client),
        };
        let control = queue.iter().position(|message| matches!(message, Message::Control(_)));
        let mut message = queue.remove(control.unwrap_or(0)).unwrap();
        if let Some(tamper) = &mut self.tamper {
            tamper(to_worker, &mut message);
        }
        self.delivered += 1;
        self.arrive(link, to_worker, message);
        if self.cuts.front().is_some_and(|at| *at <= self.delivered) {
            self.cuts.pop_front();
            self.cut();
        }
        true
    }

    fn arrive(&mut self, link: LinkId, to_worker: bool, message: Message) {
        let now = self.now;
        match (to_worker, message) {
            (true, Message::Control(text)) => self.worker.handle(WorkerInput::Control { link, text }, now),
            (true, Message::Bulk(data)) => {
                self.worker.handle(WorkerInput::Bulk { link, data }, now);
                self.client.handle(ClientInput::BulkTaken { link, count: 1 }, now);
            }
            (false, Message::Control(text)) => self.client.handle(ClientInput::Control { link, text }, now),
            (false, Message::Bulk(data)) => {
                self.client.handle(ClientInput::Bulk { link, data }, now);
                self.worker.handle(WorkerInput::BulkTaken { link, count: 1 }, now);
            }
        }
        self.drain();
    }
}
