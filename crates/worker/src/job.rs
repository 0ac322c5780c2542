//! Carries out what the session's worker half wants for one job: links, disk, record, trainer.
//!
//! One task owns the machine; everything that takes time runs beside it and comes back as an input. When the task ends, the
//! trainer's process group ends with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sleap_rtc_link::Link;
use sleap_rtc_peer::chunks::ChunkStore;
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_peer::disk::{Disk, hash_files};
use sleap_rtc_peer::pump::{Pump, PumpEvent};
use sleap_rtc_peer::worker_pool::WorkerHandle;
use sleap_rtc_session::pool_worker::Start;
use sleap_rtc_session::{
    Binding, DiskAnswer, Fact, Grant, JobState, JobWorker, KeyPair, LinkId, WorkerEffect, WorkerInput,
};
use sleap_rtc_wire::job::{FailCode, JobSpec, Terminal};
use sleap_rtc_wire::{JobId, PeerId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::folder::JobFolder;
use crate::record_file::RecordFile;
use crate::run::{self, Run, Wishes};
use crate::sys::host::free_bytes;
use crate::trainer::{Device, Trainer};

/// Inputs that may wait for the machine; whoever makes more waits.
const INPUTS: usize = 64;
/// Free space that a job must leave on the disk, bytes: checkpoints, logs, and the machine's owner.
const RESERVE: u64 = 1 << 30;

/// What every job of a slot is done with.
#[derive(Debug)]
pub(crate) struct Means {
    pub(crate) key: KeyPair,
    pub(crate) trainer: Trainer,
    pub(crate) device: Device,
    /// `gpu0`, `cpu`.
    pub(crate) device_word: String,
    pub(crate) store: ChunkStore,
    /// How long a client may be gone before a job that does not run yet is given up, ms.
    pub(crate) gone_ms: u64,
    pub(crate) clock: Clock,
}

/// What a job's task is told by the slot.
pub(crate) enum Command {
    /// A peer made a link for this job.
    Link { link: Arc<dyn Link>, peer: PeerId },
    /// The link that was expected did not come.
    NoLink,
    /// The room ended the claim.
    Withdrawn,
    /// The worker ends now.
    Abort { cause: String },
}

/// What the slot is told by a job's task.
#[derive(Debug)]
pub(crate) enum News {
    /// The job has the slot.
    Started(JobId),
    /// The job is over.
    Ended(JobId, Terminal),
    /// The client has the results.
    Delivered(JobId),
}

/// A job's task, before it runs.
pub(crate) struct JobTask {
    machine: JobWorker,
    means: Arc<Means>,
    folder: JobFolder,
    pool: WorkerHandle,
    news: mpsc::UnboundedSender<News>,
    commands: mpsc::Receiver<Command>,
    pumps: BTreeMap<LinkId, Pump>,
    peers: BTreeMap<LinkId, PeerId>,
    links: u64,
    /// Who proved itself last: brings the job.
    client: Option<PeerId>,
    disk: Disk,
    record: RecordFile,
    job: Option<JobSpec>,
    wishes: watch::Sender<Wishes>,
    /// Whether the pool gave the slot to this job and has not got it back.
    has_slot: bool,
    /// Whether somebody is on the way here.
    expecting: bool,
    inbox: Inbox,
    /// Accepting, training, listing: ends with the task.
    work: JoinSet<()>,
}

/// Where the inputs come from that others make.
struct Inbox {
    to_inputs: mpsc::Sender<WorkerInput>,
    inputs: mpsc::Receiver<WorkerInput>,
    to_events: mpsc::Sender<(LinkId, PumpEvent)>,
    events: mpsc::Receiver<(LinkId, PumpEvent)>,
    to_answers: mpsc::Sender<DiskAnswer>,
    answers: mpsc::Receiver<DiskAnswer>,
}

impl Inbox {
    fn new() -> Self {
        let (to_inputs, inputs) = mpsc::channel(INPUTS);
        let (to_events, events) = mpsc::channel(INPUTS);
        let (to_answers, answers) = mpsc::channel(INPUTS);
        Self { to_inputs, inputs, to_events, events, to_answers, answers }
    }
}

impl JobTask {
    /// A job that the room has granted a claim for.
    pub(crate) fn new(
        means: Arc<Means>,
        grant: Grant,
        folder: JobFolder,
        pool: WorkerHandle,
        news: mpsc::UnboundedSender<News>,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let machine = JobWorker::new(means.key.clone(), grant, means.gone_ms);
        Self::with(machine, means, folder, 0, pool, news, commands)
    }

    /// A job of an earlier run of the worker, from its record.
    pub(crate) fn restore(
        means: Arc<Means>,
        state: JobState,
        folder: JobFolder,
        pool: WorkerHandle,
        news: mpsc::UnboundedSender<News>,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let (valid_len, job) = (state.valid_len, state.submission.job.clone());
        let machine = JobWorker::restore(means.key.clone(), state, means.gone_ms, means.clock.now());
        let mut task = Self::with(machine, means, folder, valid_len, pool, news, commands);
        task.job = Some(job);
        task
    }

    fn with(
        machine: JobWorker,
        means: Arc<Means>,
        folder: JobFolder,
        valid_len: u64,
        pool: WorkerHandle,
        news: mpsc::UnboundedSender<News>,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let inbox = Inbox::new();
        let assembled = folder.clone();
        let assemble = Box::new(move |manifest: &_, store: &_| assembled.assemble(manifest, store));
        Self {
            disk: Disk::start(means.store.clone(), assemble, inbox.to_answers.clone()),
            record: RecordFile::start(folder.record(), valid_len, inbox.to_inputs.clone()),
            machine,
            means,
            folder,
            pool,
            news,
            commands,
            pumps: BTreeMap::new(),
            peers: BTreeMap::new(),
            links: 0,
            client: None,
            job: None,
            wishes: watch::Sender::new(Wishes::default()),
            has_slot: false,
            expecting: false,
            inbox,
            work: JoinSet::new(),
        }
    }

    /// Waits for the link of a peer that was answered.
    pub(crate) fn expecting(mut self) -> Self {
        self.expecting = true;
        self
    }

    /// Runs until the job is forgotten, or over and nobody is here.
    pub(crate) async fn run(mut self) {
        loop {
            if self.carry_out().await || (self.machine.is_idle() && !self.has_slot && !self.expecting) {
                break;
            }
            let Some(input) = self.next_input().await else { break };
            self.machine.handle(input, self.means.clock.now());
        }
        if self.has_slot {
            self.pool.job_over(self.machine.grant().job_id.clone(), false).await;
        }
    }

    /// `None` once the slot is gone.
    async fn next_input(&mut self) -> Option<WorkerInput> {
        loop {
            let wake = self.means.clock.sleep_until(self.machine.next_timeout());
            // In this order, so that `Results` comes before the chunks of their files.
            tokio::select! {
                biased;
                command = self.commands.recv() => return Some(self.command(command?)),
                Some(input) = self.inbox.inputs.recv() => return Some(input),
                Some((link, event)) = self.inbox.events.recv() => return Some(self.link_event(link, event)),
                Some(answer) = self.inbox.answers.recv() => return Some(WorkerInput::Disk(answer)),
                () = wake => return Some(WorkerInput::Tick),
                Some(done) = self.work.join_next() => {
                    if let Err(error) = done && error.is_panic() {
                        tracing::error!(%error, "a task of the job broke off");
                        let cause = "a fault in the worker; its log says more".to_owned();
                        return Some(WorkerInput::Abort { code: FailCode::Internal, cause });
                    }
                }
            }
        }
    }

    fn command(&mut self, command: Command) -> WorkerInput {
        match command {
            Command::Link { link, peer } => self.link_up(link, peer),
            Command::NoLink => {
                self.expecting = false;
                WorkerInput::Tick
            }
            Command::Withdrawn => WorkerInput::Withdrawn,
            Command::Abort { cause } => WorkerInput::Abort { code: FailCode::WorkerLost, cause },
        }
    }

    fn link_up(&mut self, link: Arc<dyn Link>, peer: PeerId) -> WorkerInput {
        self.expecting = false;
        self.links += 1;
        let id = LinkId(self.links);
        let seen = link.binding();
        self.pumps.insert(id, Pump::start(id, link, self.inbox.to_events.clone()));
        self.peers.insert(id, peer.clone());
        let mut nonce = [0; 32];
        // Without fresh chance a recorded proof could be used again: then the link is of no use.
        if let Err(error) = getrandom::fill(&mut nonce) {
            tracing::error!(%error, "no random numbers: a link is refused");
            self.pumps.remove(&id);
        }
        let binding = Binding { local: seen.local, remote: seen.remote };
        WorkerInput::LinkUp { link: id, peer, binding, nonce }
    }

    fn link_event(&mut self, link: LinkId, event: PumpEvent) -> WorkerInput {
        match event {
            PumpEvent::Control(text) => WorkerInput::Control { link, text },
            PumpEvent::Bulk(data) => WorkerInput::Bulk { link, data },
            PumpEvent::BulkTaken => WorkerInput::BulkTaken { link, count: 1 },
            PumpEvent::Down(reason) => {
                tracing::info!(job = %self.machine.grant().job_id, ?link, %reason, "link down");
                self.pumps.remove(&link);
                if let (Some(peer), false) = (self.peers.remove(&link), self.machine.is_active()) {
                    let pool = self.pool.clone();
                    self.work.spawn(async move { pool.link_closed(peer).await });
                }
                WorkerInput::LinkDown { link }
            }
        }
    }

    /// Carries out what the machine wants; `true` if nothing of the job is left to do.
    async fn carry_out(&mut self) -> bool {
        while let Some(effect) = self.machine.next_effect() {
            match effect {
                WorkerEffect::Send { link, text } => {
                    if let Some(pump) = self.pumps.get(&link) {
                        pump.send(text);
                    }
                }
                WorkerEffect::SendBulk { link, data } => {
                    if let Some(pump) = self.pumps.get(&link) {
                        pump.send_bulk(data);
                    }
                }
                WorkerEffect::Close { link } => {
                    if let Some(pump) = self.pumps.remove(&link) {
                        pump.close();
                    }
                }
                WorkerEffect::Disk(request) => self.disk.request(request),
                WorkerEffect::Accept { job, bytes, .. } => self.accept(*job, bytes),
                WorkerEffect::Record { ticket, record } => self.record.append(ticket, *record),
                WorkerEffect::Taken => self.tell(News::Started(self.machine.grant().job_id.clone())),
                WorkerEffect::Run { job } => self.start(*job),
                WorkerEffect::Stop => self.wishes.send_modify(|wishes| wishes.stops += 1),
                WorkerEffect::Cancel => self.wishes.send_modify(|wishes| wishes.cancelled = true),
                WorkerEffect::Over { terminal } => self.over(terminal).await,
                WorkerEffect::ListResults => self.list_results(),
                WorkerEffect::Delivered { .. } => self.tell(News::Delivered(self.machine.grant().job_id.clone())),
                WorkerEffect::Forget => {
                    self.forget().await;
                    return true;
                }
                WorkerEffect::Report(fact) => self.report(&fact),
            }
        }
        false
    }

    fn report(&mut self, fact: &Fact) {
        if let Fact::Proven { peer, .. } = fact {
            self.client = Some(peer.clone());
        }
        tracing::info!(job = %self.machine.grant().job_id, ?fact);
    }

    fn tell(&self, news: News) {
        // The slot ends its jobs before it ends itself; then nobody is left to be told.
        self.news.send(news).ok();
    }

    /// Looks whether the job can be done here, and takes the slot for it.
    fn accept(&mut self, job: JobSpec, bytes: u64) {
        let (folder, means, pool) = (self.folder.clone(), self.means.clone(), self.pool.clone());
        let grant = self.machine.grant();
        let start = self.client.clone().map(|client| Start {
            client,
            job: grant.job_id.clone(),
            claim: Some(grant.claim_id.clone()),
        });
        self.job = Some(job.clone());
        self.has_slot = true;
        let tell = self.inbox.to_inputs.clone();
        self.work.spawn(async move {
            let input = match acceptable(&means, &folder, &job, bytes) {
                Err((code, cause)) => WorkerInput::Rejected { code, cause },
                Ok(()) => take_slot(&pool, start).await,
            };
            tell.send(input).await.ok();
        });
    }

    fn start(&mut self, job: JobSpec) {
        let run = Run {
            dir: self.folder.work(),
            job,
            trainer: self.means.trainer.clone(),
            device: self.means.device.clone(),
            wishes: self.wishes.subscribe(),
            tell: self.inbox.to_inputs.clone(),
            clock: self.means.clock,
        };
        self.work.spawn(run.run());
    }

    async fn over(&mut self, terminal: Terminal) {
        let job = self.machine.grant().job_id.clone();
        self.has_slot = false;
        self.pool.job_over(job.clone(), true).await;
        self.tell(News::Ended(job, terminal));
    }

    async fn forget(&mut self) {
        let job = self.machine.grant().job_id.clone();
        if std::mem::take(&mut self.has_slot) {
            self.pool.job_over(job.clone(), false).await;
        }
        self.pool.forget(job).await;
        let folder = self.folder.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || folder.remove()).await {
            tracing::warn!(%error, "a job's folder could not be removed");
        }
    }

    fn list_results(&mut self) {
        let Some(job) = self.job.clone() else { return };
        let (folder, tell, answers) =
            (self.folder.clone(), self.inbox.to_inputs.clone(), self.inbox.to_answers.clone());
        let (files, listed) = tokio::sync::oneshot::channel();
        self.work.spawn_blocking(move || {
            // Nobody waits any more if the task has ended.
            files.send(folder.results(&job)).ok();
        });
        let disk = self.disk.clone();
        self.work.spawn(async move {
            let input = match listed.await {
                Ok(Ok((files, sources))) => {
                    let sources = Arc::new(sources);
                    disk.set_sources(sources.clone());
                    tell.send(WorkerInput::Results(files.clone())).await.ok();
                    return hash_files(files, sources, answers);
                }
                Ok(Err(error)) => WorkerInput::ResultsFailed { cause: error.to_string() },
                Err(_) => WorkerInput::ResultsFailed { cause: "the results could not be listed".to_owned() },
            };
            tell.send(input).await.ok();
        });
    }
}

fn acceptable(means: &Means, folder: &JobFolder, job: &JobSpec, bytes: u64) -> Result<(), (FailCode, String)> {
    if job.trainer != "sleap-nn" {
        return Err((FailCode::NoTrainer, format!("this worker has no trainer called {:?}", job.trainer)));
    }
    run::check(job)?;
    folder.make().map_err(|error| (FailCode::Internal, format!("cannot make the job's folder: {error}")))?;
    // Each byte is there twice for a while: as a chunk and in its file.
    let needed = bytes.saturating_mul(2).saturating_add(RESERVE);
    match free_bytes(folder.root()) {
        Some(free) if free < needed => {
            let (free, needed) = (free >> 20, needed >> 20);
            Err((FailCode::DiskFull, format!("{} has {free} MB free, this job needs {needed} MB", means.device_word)))
        }
        _ => Ok(()),
    }
}

async fn take_slot(pool: &WorkerHandle, start: Option<Start>) -> WorkerInput {
    let refused = |cause: String| WorkerInput::Rejected { code: FailCode::Internal, cause };
    let Some(start) = start else { return refused("nobody proved itself".to_owned()) };
    match pool.start(start).await {
        Ok(()) => WorkerInput::Accepted,
        Err(error) => refused(error.to_string()),
    }
}
