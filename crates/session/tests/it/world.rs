//! Both halves of one job against each other, with a pretended disk, trainer and link: no network, no clock, no chance.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use sleap_rtc_session::{
    Binding, ClientEffect, ClientInput, ClientTimes, DiskAnswer, DiskRequest, Fact, Grant, JobClient, JobRecord,
    JobWorker, KeyPair, LinkId, Outcome, Plan, Show, Target, WorkerEffect, WorkerInput, replay,
};
use sleap_rtc_wire::job::{
    EndState, FailCode, JobEvent, JobSpec, Phase, StageSpec, Stream, Terminal, TrainOptions, What,
};
use sleap_rtc_wire::manifest::{Chunk, FileEntry, Hash, cut};
use sleap_rtc_wire::peer::PeerFrame;
use sleap_rtc_wire::{ClaimId, Fence, JobId, PeerId, RoomId, Time};

pub(crate) const CLIENT_PRINT: [u8; 32] = [1; 32];
pub(crate) const WORKER_PRINT: [u8; 32] = [2; 32];
pub(crate) const GONE_MS: u64 = 60_000;
pub(crate) const START: Time = Time(1_800_000_000_000);

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn client_key() -> KeyPair {
    KeyPair::from_seed(&[11; 32])
}

pub(crate) fn worker_key() -> KeyPair {
    KeyPair::from_seed(&[22; 32])
}

pub(crate) fn grant() -> Grant {
    Grant {
        room: RoomId::new("a7f3d2e1").unwrap(),
        worker: PeerId::new("gpu-box").unwrap(),
        claim_id: ClaimId::new("claim-1").unwrap(),
        fence: Fence { epoch: 3, counter: 14 },
        job_id: JobId::new("job-1").unwrap(),
        attempt: 1,
        client_key: client_key().public(),
    }
}

pub(crate) fn target() -> Target {
    let grant = grant();
    Target {
        room: grant.room,
        me: PeerId::new("laptop").unwrap(),
        worker: grant.worker,
        worker_key: worker_key().public(),
        job_id: grant.job_id,
        attempt: grant.attempt,
        claim_id: grant.claim_id,
        fence: grant.fence,
    }
}

pub(crate) fn job(stages: usize) -> JobSpec {
    let stage = |n| StageSpec { name: format!("stage-{n}"), config: format!("trainer_config:\n  max_epochs: {n}\n") };
    JobSpec {
        job_id: grant().job_id,
        attempt: 1,
        trainer: "sleap-nn".to_owned(),
        run_name: "run".to_owned(),
        labels: "labels.slp".to_owned(),
        val_labels: None,
        videos: Vec::new(),
        stages: (0..stages).map(stage).collect(),
        options: TrainOptions::default(),
    }
}

/// Bytes that differ at every place and between seeds.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// Three files: one of several pieces, an empty one, one that repeats a part of the first.
pub(crate) fn some_files() -> Files {
    let labels = noise(1, 150_000);
    let copy = labels.clone();
    [("labels.slp", labels), ("empty.txt", Vec::new()), ("videos/a.mp4", noise(2, 90_000)), ("copy.slp", copy)]
        .into_iter()
        .map(|(path, bytes)| (path.to_owned(), bytes))
        .collect()
}

pub(crate) fn some_results() -> Files {
    [("best.ckpt", noise(7, 120_000)), ("training_config.yaml", b"a: 1\n".to_vec())]
        .into_iter()
        .map(|(path, bytes)| (path.to_owned(), bytes))
        .collect()
}

pub(crate) fn entries(files: &Files) -> Vec<FileEntry> {
    files.iter().map(|(path, bytes)| FileEntry { path: path.clone(), size: bytes.len() as u64 }).collect()
}

pub(crate) fn chunks(files: &Files) -> Vec<Chunk> {
    let of = |bytes: &Vec<u8>| -> Vec<Chunk> {
        cut(bytes.len() as u64)
            .map(|(at, len)| Chunk { hash: Hash::of(&bytes[at as usize..][..len as usize]), len })
            .collect()
    };
    files.values().flat_map(of).collect()
}

/// One end's disk.
#[derive(Default)]
pub(crate) struct Disk {
    /// What it sends.
    pub(crate) source: Files,
    /// Chunks kept.
    pub(crate) store: HashMap<Hash, Bytes>,
    /// Files made.
    pub(crate) made: Files,
    /// Bytes that still fit.
    pub(crate) room: Option<usize>,
    /// Every chunk that was written, in order.
    pub(crate) written: Vec<Hash>,
    pub(crate) assembled: u32,
}

impl Disk {
    pub(crate) fn with(source: Files) -> Self {
        Self { source, ..Self::default() }
    }

    fn full(&self, bytes: usize) -> bool {
        self.room.is_some_and(|room| room < bytes)
    }

    pub(crate) fn answer(&mut self, request: DiskRequest) -> DiskAnswer {
        match request {
            DiskRequest::Read { chunk, path, offset, len } => match self.source.get(&path) {
                Some(bytes) => {
                    let piece = bytes.get(offset as usize..offset as usize + len as usize).unwrap_or_default();
                    DiskAnswer::Read { chunk, bytes: Bytes::copy_from_slice(piece) }
                }
                None => DiskAnswer::SourceFailed { cause: format!("{path}: no such file") },
            },
            DiskRequest::Query { query, hashes } => {
                DiskAnswer::Have { query, have: hashes.iter().map(|hash| self.store.contains_key(hash)).collect() }
            }
            DiskRequest::Store { bytes, .. } if self.full(bytes.len()) => {
                DiskAnswer::StoreFailed { full: true, cause: "no space left on device".to_owned() }
            }
            DiskRequest::Store { hash, bytes } => {
                assert_eq!(Hash::of(&bytes), hash, "only checked chunks are stored");
                self.room = self.room.map(|room| room - bytes.len());
                self.written.push(hash);
                self.store.insert(hash, bytes);
                DiskAnswer::Stored { hash }
            }
            DiskRequest::Assemble { manifest } => {
                manifest.check().unwrap();
                self.assembled += 1;
                self.made = manifest.files.iter().map(|file| (file.path.clone(), Vec::new())).collect();
                for (span, chunk) in manifest.spans() {
                    let path = &manifest.files[span.file].path;
                    self.made.get_mut(path).unwrap().extend_from_slice(&self.store[&chunk.hash]);
                }
                DiskAnswer::Assembled
            }
        }
    }
}

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
    trainer: VecDeque<WorkerInput>,
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

pub(crate) fn ended(state: EndState) -> Terminal {
    let code = (state == EndState::Failed).then_some(FailCode::TrainerFailed);
    Terminal { state, stopped_early: false, code, cause: None, exit: Some(0), ended_at: START }
}

/// What a trainer of `stages` stages says.
pub(crate) fn script(stages: u32) -> VecDeque<WorkerInput> {
    let mut words = VecDeque::from([WorkerInput::Started { pid: 4711, start_time: 99 }]);
    words.push_back(WorkerInput::Happened(What::Phase { phase: Phase::Importing }));
    for index in 0..stages {
        let happened = [
            What::Stage { index, count: stages, name: format!("stage-{index}") },
            What::Phase { phase: Phase::Training },
            What::Log { stream: Stream::Out, line: format!("line of stage {index}") },
            What::Epoch { epoch: 0, train_loss: Some(0.5), val_loss: Some(0.6) },
            What::Epoch { epoch: 1, train_loss: Some(0.4), val_loss: Some(0.5) },
        ];
        words.extend(happened.into_iter().map(WorkerInput::Happened));
    }
    words.push_back(WorkerInput::Ended(ended(EndState::Completed)));
    words
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
            client.into_iter().for_each(|effect| self.client_effect(effect));
            worker.into_iter().for_each(|effect| self.worker_effect(effect));
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
                let answer = self.client_disk.answer(request);
                self.client.handle(ClientInput::Disk(answer), self.now);
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
                self.worker.handle(WorkerInput::Disk(answer), self.now);
            }
            WorkerEffect::Accept { .. } => self.worker.handle(self.answer.clone(), self.now),
            WorkerEffect::Record { ticket, record } => self.write(ticket, *record),
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

    fn write(&mut self, ticket: u64, record: JobRecord) {
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
            (true, false) => (false, &mut flow.to_client),
            (false, false) if self.delivered % 2 == 0 => (true, &mut flow.to_worker),
            (false, false) => (false, &mut flow.to_client),
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

    /// One thing happens: a message arrives, the trainer says a word, or time passes to the next alarm.
    pub(crate) fn step(&mut self) -> bool {
        self.drain();
        if let Some(word) = self.trainer.pop_front() {
            self.worker_input(word);
            self.deliver();
            return true;
        }
        if self.deliver() {
            return true;
        }
        let Some(next) = self.client.next_timeout().into_iter().chain(self.worker.next_timeout()).min() else {
            return false;
        };
        self.now = next.max(self.now);
        self.client.handle(ClientInput::Tick, self.now);
        self.worker.handle(WorkerInput::Tick, self.now);
        self.drain();
        true
    }

    /// Steps until `done`, or fails the test.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..20_000 {
            if done(self) {
                return;
            }
            if !self.step() {
                break;
            }
        }
        if !done(self) {
            let tail: Vec<String> = self
                .said
                .iter()
                .filter(|(_, text)| !text.contains("\"p"))
                .take(40)
                .map(|(way, text)| format!("{} {:.200}", if *way { '>' } else { '<' }, text))
                .collect();
            eprintln!(
                "{}\nnow {:?} client {:?} worker {:?}",
                tail.join("\n"),
                self.now,
                self.client.next_timeout(),
                self.worker.next_timeout()
            );
        }
        assert!(done(self), "never: {what}; outcome {:?}, ends {:?}, facts {:?}", self.outcome, self.ends, self.facts);
    }

    pub(crate) fn finish(&mut self) -> Outcome {
        self.until("the client finishes", |world| world.outcome.is_some());
        self.outcome.clone().unwrap()
    }

    /// The events that the client was shown.
    pub(crate) fn events(&self) -> Vec<JobEvent> {
        let event = |show: &Show| if let Show::Event(event) = show { Some(event.clone()) } else { None };
        self.shows.iter().filter_map(event).collect()
    }

    pub(crate) fn shown_ends(&self) -> usize {
        self.events().iter().filter(|event| matches!(event.what, What::End { .. })).count()
    }

    pub(crate) fn recorded_ends(&self) -> usize {
        self.records.iter().filter(|record| matches!(record, JobRecord::Ended { .. })).count()
    }

    pub(crate) fn frames(&self, to_worker: bool) -> Vec<PeerFrame> {
        let text = |(way, text): &(bool, String)| (*way == to_worker).then(|| PeerFrame::decode(text).unwrap());
        self.said.iter().filter_map(text).collect()
    }

    /// Everything that must hold after a job that went well, however often it was cut.
    pub(crate) fn assert_completed(&mut self) {
        let outcome = self.finish();
        let Outcome::Ended { terminal, results: Some(Ok(_)) } = outcome else { panic!("{outcome:?}") };
        assert_eq!(terminal.state, EndState::Completed);
        assert_eq!(self.worker_disk.made, self.client_disk.source, "the worker has the client's files");
        assert_eq!(self.client_disk.made, self.worker_disk.source, "the client has the results");
        assert_eq!((self.runs, self.taken, self.ends.len()), (1, 1, 1), "one run, one end");
        assert_eq!(self.recorded_ends(), 1);
        assert_eq!(self.shown_ends(), 1);
        let numbers: Vec<u64> = self.events().iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "each event once, in order");
    }
}

pub(crate) fn new_client(plan: Plan, now: Time) -> JobClient {
    JobClient::new(client_key(), target(), plan, ClientTimes::default(), 1 << 30, now).unwrap()
}

impl World {
    pub(crate) fn shown_phase(&self, phase: Phase) -> bool {
        self.events().iter().any(|event| event.what == What::Phase { phase })
    }

    /// A second program of the owner makes a link while the first one's is up, and says all it has to say. It is the client
    /// from now on.
    pub(crate) fn second_link(&mut self, plan: Plan) {
        let first = self.link.take();
        let earlier = std::mem::replace(&mut self.client, new_client(plan, self.now));
        let shows = std::mem::take(&mut self.shows);
        self.drain();
        while self.deliver() {}
        if let (Some((link, _)), false) = (&first, self.outcome.is_some()) {
            self.worker.handle(WorkerInput::LinkDown { link: *link }, self.now);
        } else {
            self.link = first;
            self.client = earlier;
            self.shows = shows;
        }
        self.drain();
    }
}

impl Flow {
    pub(crate) fn is_empty(&self) -> bool {
        self.to_worker.is_empty() && self.to_client.is_empty()
    }
}

impl World {
    /// Steps while no bulk message arrives.
    pub(crate) fn hold_bulk(&mut self, mut done: impl FnMut(&Self) -> bool) {
        let mut held = Vec::new();
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            if let Some((_, flow)) = &mut self.link {
                let (bulk, control) = std::mem::take(&mut flow.to_worker)
                    .into_iter()
                    .partition(|message| matches!(message, Message::Bulk(_)));
                flow.to_worker = control;
                let bulk: VecDeque<Message> = bulk;
                held.extend(bulk);
            }
            self.step();
        }
        panic!("never");
    }

    /// Steps while nothing arrives at all.
    pub(crate) fn go_silent(&mut self, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            if let Some((_, flow)) = &mut self.link {
                flow.to_worker.clear();
                flow.to_client.clear();
            }
            self.step();
        }
        panic!("never");
    }
}
