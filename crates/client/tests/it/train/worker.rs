//! A worker whose trainer follows a script. Its session, its signaling, its disk and its links are the real ones.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sleap_rtc_link::{Connector, Link};
use sleap_rtc_peer::chunks::ChunkStore;
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_peer::disk::{Disk, hash_files};
use sleap_rtc_peer::home::{FenceFile, Home};
use sleap_rtc_peer::pump::{Pump, PumpEvent};
use sleap_rtc_peer::worker_pool::{WorkerEvent, WorkerHandle, WorkerPool};
use sleap_rtc_session::pool_line::FirstTry;
use sleap_rtc_session::pool_worker::{Admission, Fact, Seen, Setup, Start};
use sleap_rtc_session::{Binding, DiskAnswer, Grant, JobWorker, KeyPair, LinkId, WorkerEffect, WorkerInput};
use sleap_rtc_wire::job::{EndState, FailCode, JobSpec, Phase, Terminal, What};
use sleap_rtc_wire::manifest::FileEntry;
use sleap_rtc_wire::{Metadata, PeerId, RoomId, Time};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::rig::Lab;

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

const PATIENCE: Duration = Duration::from_secs(10);

/// What the trainer does.
#[derive(Clone)]
pub(crate) struct Script {
    /// Refuses the job.
    pub(crate) reject: Option<(FailCode, &'static str)>,
    /// What it leaves.
    pub(crate) results: Files,
    /// How it ends; `None`: well.
    pub(crate) fails: Option<&'static str>,
    /// Whether it waits for [`TestWorker::finish`], a stop or a cancel.
    pub(crate) holds: bool,
}

impl Script {
    /// Ends well at once, with these results.
    pub(crate) fn leaves(results: Files) -> Self {
        Self { reject: None, results, fails: None, holds: false }
    }
}

/// A worker in its room.
pub(crate) struct TestWorker {
    pub(crate) folder: PathBuf,
    task: JoinHandle<()>,
    finish: watch::Sender<bool>,
    jobs: watch::Receiver<Option<JobSpec>>,
}

impl TestWorker {
    /// Joins the room of the lab, and is there on return.
    pub(crate) async fn join(lab: &Lab, name: &str, script: Script) -> Self {
        let folder = lab.folder.path().join(name);
        let home = Home::at(folder.join("home"));
        let key = home.installation_key().unwrap();
        let me = PeerId::new(name).unwrap();
        let fences = FenceFile::of(&folder.join("slot"), &lab.room);
        let setup = Setup {
            peer_id: me.clone(),
            room_id: lab.room.clone(),
            token: Some(lab.token.clone()),
            metadata: Metadata::from(json!({
                "tags": ["sleap-rtc", "training-worker"],
                "properties": {"worker_name": "gpu-box", "gpu_memory_mb": 8188, "gpu_model": "RTX 4060"},
            })),
            seen: Seen::default(),
            kept: Vec::new(),
            first: FirstTry::Once,
        };
        let mut pool = WorkerPool::start(lab.api(), key.clone(), setup, fences);
        while !matches!(pool.next().await.unwrap(), WorkerEvent::Fact(Fact::Registered(_))) {}
        let (finish, finished) = watch::channel(false);
        let (job_seen, jobs) = watch::channel(None);
        let connector = lab.connector();
        let shell = Shell::new(key, me, lab.room.clone(), folder.clone(), script, &pool, finished, job_seen);
        let task = tokio::spawn(shell.run(pool, connector));
        Self { folder, task, finish, jobs }
    }

    /// Lets the trainer end.
    pub(crate) fn finish(&self) {
        self.finish.send_replace(true);
    }

    /// The job that was brought, once it is.
    pub(crate) async fn job(&mut self) -> JobSpec {
        self.jobs.wait_for(Option::is_some).await.unwrap().clone().unwrap()
    }

    /// Whether a job was brought.
    pub(crate) fn has_job(&self) -> bool {
        self.jobs.borrow().is_some()
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        self.task.await.ok();
    }
}

enum Came {
    Link(PeerId, Arc<dyn Link>),
    Input(WorkerInput),
}

struct Shell {
    key: KeyPair,
    me: PeerId,
    room: RoomId,
    folder: PathBuf,
    script: Script,
    handle: WorkerHandle,
    finished: watch::Receiver<bool>,
    stopped: watch::Sender<Option<EndState>>,
    job_seen: watch::Sender<Option<JobSpec>>,
    clock: Clock,
    machine: Option<JobWorker>,
    client: Option<PeerId>,
    pumps: HashMap<LinkId, Pump>,
    links: u64,
    disk: Disk,
    to_answers: mpsc::Sender<DiskAnswer>,
    answers: mpsc::Receiver<DiskAnswer>,
    to_me: mpsc::Sender<Came>,
    inbox: mpsc::Receiver<Came>,
    to_events: mpsc::Sender<(LinkId, PumpEvent)>,
    events: mpsc::Receiver<(LinkId, PumpEvent)>,
}

impl Shell {
    #[expect(clippy::too_many_arguments, reason = "called once")]
    fn new(
        key: KeyPair,
        me: PeerId,
        room: RoomId,
        folder: PathBuf,
        script: Script,
        pool: &WorkerPool,
        finished: watch::Receiver<bool>,
        job_seen: watch::Sender<Option<JobSpec>>,
    ) -> Self {
        let (to_answers, answers) = mpsc::channel(64);
        let (to_me, inbox) = mpsc::channel(64);
        let (to_events, events) = mpsc::channel(64);
        let store = ChunkStore::open(folder.join("chunks")).unwrap();
        let work = folder.join("work");
        let assemble = Box::new(move |manifest: &_, store: &ChunkStore| store.assemble(manifest, &work));
        let disk = Disk::start(store, assemble, to_answers.clone());
        Self {
            key,
            me,
            room,
            folder,
            script,
            handle: pool.handle(),
            finished,
            stopped: watch::Sender::new(None),
            job_seen,
            clock: Clock::start(),
            machine: None,
            client: None,
            pumps: HashMap::new(),
            links: 0,
            disk,
            to_answers,
            answers,
            to_me,
            inbox,
            to_events,
            events,
        }
    }

    async fn run(mut self, mut pool: WorkerPool, connector: Arc<dyn Connector>) {
        loop {
            self.carry_out().await;
            let wake = self.machine.as_ref().and_then(JobWorker::next_timeout);
            tokio::select! {
                biased;
                event = pool.next() => match event {
                    Some(event) => self.pool_event(event, &connector),
                    None => return,
                },
                Some(came) = self.inbox.recv() => match came {
                    Came::Link(peer, link) => self.link_up(peer, link),
                    Came::Input(input) => self.give(input),
                },
                Some((link, event)) = self.events.recv() => self.give(match event {
                    PumpEvent::Control(text) => WorkerInput::Control { link, text },
                    PumpEvent::Bulk(data) => WorkerInput::Bulk { link, data },
                    PumpEvent::BulkTaken => WorkerInput::BulkTaken { link, count: 1 },
                    PumpEvent::Down(_) => WorkerInput::LinkDown { link },
                }),
                Some(answer) = self.answers.recv() => self.give(WorkerInput::Disk(answer)),
                () = self.clock.sleep_until(wake) => self.give(WorkerInput::Tick),
            }
        }
    }

    fn give(&mut self, input: WorkerInput) {
        if let Some(machine) = &mut self.machine {
            machine.handle(input, self.clock.now());
        }
    }

    fn pool_event(&mut self, event: WorkerEvent, connector: &Arc<dyn Connector>) {
        match event {
            WorkerEvent::Offer { from, sdp, admission } => {
                if let Admission::Claim(granted) = &admission
                    && self.machine.as_ref().is_none_or(|machine| machine.grant().claim_id != granted.claim_id)
                {
                    let grant = Grant::new(self.room.clone(), self.me.clone(), granted).unwrap();
                    self.machine = Some(JobWorker::new(self.key.clone(), grant, 60_000));
                }
                let (connector, handle, to_me) = (connector.clone(), self.handle.clone(), self.to_me.clone());
                tokio::spawn(async move {
                    let answered = match connector.answer(&sdp, &handle.ice_servers()).await {
                        Ok(answered) => answered,
                        Err(error) => return handle.answer_failed(from, error.to_string()).await,
                    };
                    handle.answered(from.clone(), answered.sdp().to_owned()).await;
                    if let Ok(link) = answered.connected(PATIENCE).await {
                        to_me.send(Came::Link(from, link)).await.ok();
                    }
                });
            }
            WorkerEvent::GaveUp(cause) => panic!("{cause}"),
            WorkerEvent::Superseded { .. } => self.give(WorkerInput::Superseded),
            WorkerEvent::Withdraw { .. } | WorkerEvent::Fact(_) | WorkerEvent::Left => {}
        }
    }

    fn link_up(&mut self, peer: PeerId, link: Arc<dyn Link>) {
        self.links += 1;
        let id = LinkId(self.links);
        let seen = link.binding();
        self.pumps.insert(id, Pump::start(id, link, self.to_events.clone()));
        self.client = Some(peer.clone());
        let nonce = *blake3_of(self.links).as_bytes();
        let binding = Binding { local: seen.local, remote: seen.remote };
        self.give(WorkerInput::LinkUp { link: id, peer, binding, nonce });
    }

    async fn carry_out(&mut self) {
        while let Some(effect) = self.machine.as_mut().and_then(JobWorker::next_effect) {
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
                WorkerEffect::Accept { job, .. } => self.accept(*job).await,
                WorkerEffect::Record { ticket, .. } => self.give(WorkerInput::Recorded { ticket }),
                WorkerEffect::Run { job } => self.run_trainer(&job),
                WorkerEffect::Stop => _ = self.stopped.send_replace(Some(EndState::Completed)),
                WorkerEffect::Cancel => _ = self.stopped.send_replace(Some(EndState::Cancelled)),
                WorkerEffect::Over { .. } => {
                    let job = self.machine.as_ref().unwrap().grant().job_id.clone();
                    self.handle.job_over(job, true).await;
                }
                WorkerEffect::ListResults => self.list(),
                WorkerEffect::Taken
                | WorkerEffect::Delivered { .. }
                | WorkerEffect::Forget
                | WorkerEffect::Report(_) => {}
            }
        }
    }

    async fn accept(&mut self, job: JobSpec) {
        let grant = self.machine.as_ref().unwrap().grant();
        let start = Start {
            client: self.client.clone().unwrap(),
            job: grant.job_id.clone(),
            claim: Some(grant.claim_id.clone()),
        };
        if let Some((code, cause)) = self.script.reject {
            return self.give(WorkerInput::Rejected { code, cause: cause.to_owned() });
        }
        self.handle.start(start).await.unwrap();
        self.job_seen.send_replace(Some(job));
        self.give(WorkerInput::Accepted);
    }

    fn run_trainer(&mut self, job: &JobSpec) {
        let out = self.folder.join("out");
        for (name, bytes) in &self.script.results {
            let path = out.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        assert!(self.folder.join("work").join(&job.labels).is_file());
        let (script, to_me, now) = (self.script.clone(), self.to_me.clone(), self.clock.now());
        let (mut finished, mut stopped) = (self.finished.clone(), self.stopped.subscribe());
        tokio::spawn(async move {
            let say = async |what| _ = to_me.send(Came::Input(WorkerInput::Happened(what))).await;
            say(What::Phase { phase: Phase::Importing }).await;
            say(What::Phase { phase: Phase::Training }).await;
            say(What::Epoch { epoch: 0, train_loss: Some(0.5), val_loss: Some(0.6) }).await;
            let mut early = None;
            if script.holds {
                tokio::select! {
                    _ = finished.wait_for(|finished| *finished) => {}
                    wish = stopped.wait_for(Option::is_some) => early = *wish.unwrap(),
                }
            }
            to_me.send(Came::Input(WorkerInput::Ended(terminal(&script, early, now)))).await.ok();
        });
    }

    fn list(&mut self) {
        let entry = |(name, bytes): (&String, &Vec<u8>)| FileEntry { path: name.clone(), size: bytes.len() as u64 };
        let entries: Vec<_> = self.script.results.iter().map(entry).collect();
        let out = self.folder.join("out");
        let sources = Arc::new(self.script.results.keys().map(|name| (name.clone(), out.join(name))).collect());
        self.disk.set_sources(Arc::clone(&sources));
        self.give(WorkerInput::Results(entries.clone()));
        hash_files(entries, sources, self.to_answers.clone());
    }
}

fn terminal(script: &Script, early: Option<EndState>, ended_at: Time) -> Terminal {
    let state = early.unwrap_or(if script.fails.is_some() { EndState::Failed } else { EndState::Completed });
    let failed = state == EndState::Failed;
    Terminal {
        state,
        stopped_early: early == Some(EndState::Completed),
        code: failed.then_some(FailCode::TrainerFailed),
        cause: script.fails.filter(|_| failed).map(str::to_owned),
        exit: Some(i32::from(failed)),
        ended_at,
    }
}

fn blake3_of(number: u64) -> blake3::Hash {
    blake3::hash(&number.to_le_bytes())
}

/// Bytes that differ at every place and between seeds.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}
