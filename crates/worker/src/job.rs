//! Carries out what the session's worker half wants for one job: links, disk, record, trainer.
//!
//! One task owns the machine; everything that takes time runs beside it and comes back as an input. When the task ends, what
//! it runs ends with it, the trainer's process group included.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use sleap_rtc_peer::chunks::ChunkStore;
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_peer::disk::{Disk, hash_files};
use sleap_rtc_peer::pump::Pump;
use sleap_rtc_peer::worker_pool::WorkerHandle;
use sleap_rtc_session::pool_worker::Start;
use sleap_rtc_session::{Fact, Grant, JobState, JobWorker, KeyPair, LinkId, WorkerEffect, WorkerInput};
use sleap_rtc_wire::job::{FailCode, JobSpec, Terminal};
use sleap_rtc_wire::{JobId, PeerId};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use crate::accept::{Brought, accept};
use crate::estimate::Estimate;
use crate::folder::{JobFolder, Listed};
use crate::inbox::Inbox;
use crate::offers::{Maker, Offer, Offers};
use crate::record_file::RecordFile;
use crate::run::{self, Run, Wishes};
use crate::trainer::{Device, Trainer};

mod links;

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
#[derive(Debug)]
pub(crate) enum Command {
    /// A peer offers a link for this job.
    Offer(Offer),
    /// The claim by which this peer was to bring the job is over.
    Withdrawn { from: PeerId },
    /// A later attempt of the job was granted elsewhere.
    Superseded,
    /// The worker ends now.
    Abort { cause: String },
    /// The worker has left the room: nobody can come back to the job.
    Left,
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

/// A job's ways to its slot.
pub(crate) struct Ways {
    /// To book and to free the slot.
    pub(crate) pool: WorkerHandle,
    /// Makes links.
    pub(crate) maker: Maker,
    /// For the screen.
    pub(crate) news: mpsc::UnboundedSender<News>,
    /// Of the slot. The task ends when the sender is gone.
    pub(crate) commands: mpsc::Receiver<Command>,
}

/// A job's task, before it runs.
pub(crate) struct JobTask {
    machine: JobWorker,
    means: Arc<Means>,
    folder: JobFolder,
    pool: WorkerHandle,
    news: mpsc::UnboundedSender<News>,
    commands: mpsc::Receiver<Command>,
    offers: Offers,
    pumps: BTreeMap<LinkId, Pump>,
    peers: BTreeMap<LinkId, PeerId>,
    links: u64,
    /// Who proved itself last: brings the job.
    client: Option<PeerId>,
    disk: Disk,
    record: RecordFile,
    job: Option<JobSpec>,
    estimate: Estimate,
    wishes: watch::Sender<Wishes>,
    /// Whether the pool gave the slot to this job and has not got it back.
    has_slot: bool,
    /// Whether the worker has left the room.
    left: bool,
    inbox: Inbox,
    /// What takes a moment and answers by itself.
    work: JoinSet<()>,
    training: JoinSet<()>,
    listing: JoinSet<io::Result<Listed>>,
}

impl JobTask {
    /// A job that the room has granted a claim for.
    pub(crate) fn new(means: Arc<Means>, grant: Grant, folder: JobFolder, ways: Ways) -> Self {
        let machine = JobWorker::new(means.key.clone(), grant, means.gone_ms);
        Self::with(machine, means, folder, 0, ways)
    }

    /// A job of an earlier run of the worker, from its record.
    pub(crate) fn restore(means: Arc<Means>, state: JobState, folder: JobFolder, ways: Ways) -> Self {
        let (valid_len, job) = (state.valid_len, state.submission.job.clone());
        let machine = JobWorker::restore(means.key.clone(), state, means.gone_ms, means.clock.now());
        let mut task = Self::with(machine, means, folder, valid_len, ways);
        task.job = Some(job);
        task
    }

    fn with(machine: JobWorker, means: Arc<Means>, folder: JobFolder, valid_len: u64, ways: Ways) -> Self {
        let inbox = Inbox::new();
        let assembled = folder.clone();
        let assemble = Box::new(move |manifest: &_, store: &_| assembled.assemble(manifest, store));
        let Ways { pool, maker, news, commands } = ways;
        Self {
            disk: Disk::start(means.store.clone(), assemble, inbox.to_answers.clone()),
            record: RecordFile::start(folder.record(), valid_len, inbox.to_inputs.clone()),
            machine,
            means,
            folder,
            pool,
            news,
            commands,
            offers: Offers::new(maker),
            pumps: BTreeMap::new(),
            peers: BTreeMap::new(),
            links: 0,
            client: None,
            job: None,
            estimate: Estimate::default(),
            wishes: watch::Sender::new(Wishes::default()),
            has_slot: false,
            left: false,
            inbox,
            work: JoinSet::new(),
            training: JoinSet::new(),
            listing: JoinSet::new(),
        }
    }

    /// With somebody who is on the way here.
    pub(crate) fn for_offer(mut self, offer: Offer) -> Self {
        self.offers.take(offer);
        self
    }

    /// Runs until the job is forgotten, or over and nobody is here or on the way. Answers the offers that came too late.
    pub(crate) async fn run(mut self) -> Vec<Offer> {
        loop {
            if self.carry_out().await || self.is_done() {
                break;
            }
            let Some(input) = self.next_input().await else { break };
            if let WorkerInput::Happened(what) = &input
                && let Some(end) = self.estimate.happened(what, self.means.clock.now())
            {
                self.pool.free_at(self.machine.grant().job_id.clone(), end).await;
            }
            self.machine.handle(input, self.means.clock.now());
        }
        if self.has_slot {
            self.pool.job_over(self.machine.grant().job_id.clone(), false).await;
        }
        self.commands.close();
        let mut late = Vec::new();
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Offer(offer) = command {
                late.push(offer);
            }
        }
        late
    }

    /// Whether nothing is to be done any more for anybody who is here or may come. A job that was turned down is nowhere on
    /// record: its task waits for a client that has not heard of it, but only while there is a way here.
    fn is_done(&self) -> bool {
        let over = self.machine.is_idle() || (self.left && self.machine.terminal().is_some() && self.pumps.is_empty());
        over && !self.has_slot && self.offers.is_empty()
    }

    /// `None` once the slot is gone.
    async fn next_input(&mut self) -> Option<WorkerInput> {
        loop {
            let wake = self.means.clock.sleep_until(self.machine.next_timeout());
            tokio::select! {
                command = self.commands.recv() => return Some(self.command(command?)),
                Some(input) = self.inbox.inputs.recv() => return Some(input),
                Some((link, event)) = self.inbox.events.recv() => return Some(self.link_event(link, event)),
                Some(answer) = self.inbox.answers.recv() => return Some(WorkerInput::Disk(answer)),
                Some(made) = self.offers.next() => return Some(match made {
                    Some((peer, link)) => self.link_up(link, peer),
                    None => WorkerInput::Tick,
                }),
                Some(listed) = self.listing.join_next() => return Some(self.listed(listed)),
                () = wake => return Some(WorkerInput::Tick),
                Some(done) = self.training.join_next() => if let Err(error) = done {
                    return Some(WorkerInput::Ended(self.broken_off(&error)));
                },
                Some(done) = self.work.join_next() => if let Err(error) = done {
                    let cause = self.broken_off(&error).cause.unwrap_or_default();
                    return Some(WorkerInput::Abort { code: FailCode::Internal, cause });
                },
            }
        }
    }

    /// A fault of ours: the job does not wait for what will never come.
    fn broken_off(&self, error: &JoinError) -> Terminal {
        tracing::error!(job = %self.machine.grant().job_id, %error, "a task of the job broke off");
        run::faulty("a fault in the worker; its log says more", self.means.clock.now())
    }

    fn command(&mut self, command: Command) -> WorkerInput {
        match command {
            Command::Offer(offer) => {
                self.offers.take(offer);
                WorkerInput::Tick
            }
            Command::Withdrawn { from } => {
                self.offers.withdraw(&from);
                WorkerInput::Withdrawn
            }
            Command::Superseded => WorkerInput::Superseded,
            Command::Abort { cause } => WorkerInput::Abort { code: FailCode::WorkerLost, cause },
            Command::Left => {
                self.left = true;
                WorkerInput::Tick
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
        let grant = self.machine.grant();
        let (id, claim) = (grant.job_id.clone(), grant.claim_id.clone());
        let start = self.client.clone().map(|client| Start { client, job: id, claim: Some(claim) });
        self.job = Some(job.clone());
        self.has_slot = true;
        let brought = Brought { job, bytes, folder: self.folder.clone(), start };
        let looking = accept(brought, self.means.clone(), self.pool.clone());
        let tell = self.inbox.to_inputs.clone();
        self.work.spawn(async move {
            tell.send(looking.await).await.ok();
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
        self.training.spawn(run.run());
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
        // If nobody has brought it here, what lies there is of an earlier attempt.
        if self.job.is_none() {
            return;
        }
        let folder = self.folder.clone();
        let removed = tokio::task::spawn_blocking(move || folder.remove_unrecorded()).await;
        if let Err(error) = removed.map_err(io::Error::other).flatten() {
            tracing::warn!(job = %self.machine.grant().job_id, %error, "a job's folder could not be removed");
        }
    }

    fn list_results(&mut self) {
        let (job, folder) = (self.job.clone(), self.folder.clone());
        self.listing.spawn_blocking(move || match job {
            Some(job) => folder.results(&job),
            None => Ok(Listed::default()),
        });
    }

    /// What is hashed from now on comes after this input.
    fn listed(&self, listed: Result<io::Result<Listed>, JoinError>) -> WorkerInput {
        match listed.map_err(io::Error::other).flatten() {
            Ok(Listed { files, sources }) => {
                let sources = Arc::new(sources);
                self.disk.set_sources(sources.clone());
                hash_files(files.clone(), sources, self.inbox.to_answers.clone());
                WorkerInput::Results(files)
            }
            Err(error) => WorkerInput::ResultsFailed { cause: error.to_string() },
        }
    }
}
