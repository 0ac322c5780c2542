//! Runs a worker's half of the signaling, [`PoolWorker`], over a real socket.
//!
//! One task owns the machine, the socket and the fence file. The shell reads [`WorkerPool::next`] and answers through a
//! [`WorkerHandle`]; neither ever waits for the other, so no order of calls can block them both.

use std::collections::VecDeque;

use sleap_rtc_link::IceServer;
use sleap_rtc_session::KeyPair;
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_session::pool_worker::{Admission, Effect, Fact, Input, PoolWorker, Seen, Setup, Start, StartRefused};
use sleap_rtc_wire::{Fence, JobId, PeerId, RoomId, Time};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};

use crate::api::Api;
use crate::clock::{Clock, random};
use crate::home::{FenceFile, HomeError};
use crate::ice;
use crate::line::{Line, LineEvent};

/// Commands that may wait. The task takes them at once.
const COMMANDS: usize = 64;
/// Events that may wait for the shell, beyond which facts are only logged. What must be acted on is bounded by the machine.
const EVENTS: usize = 256;

/// What the shell has to know or to do.
#[derive(Debug)]
pub enum WorkerEvent {
    /// Make a link out of this offer, then call [`WorkerHandle::answered`] or [`WorkerHandle::answer_failed`]. A link that an
    /// earlier offer of the same peer made is replaced.
    Offer {
        /// Who sent it.
        from: PeerId,
        /// The offer.
        sdp: String,
        /// As what that peer may come in, once it has proved itself.
        admission: Admission,
    },
    /// This peer may not come in any more: close the link that its offer made, unless a job runs by it.
    Withdraw {
        /// The peer.
        from: PeerId,
        /// The job that it was to bring by a claim: if it has not brought it yet, it will not.
        job: Option<JobId>,
    },
    /// A later attempt of this job was granted elsewhere: end its run as cancelled, then report [`WorkerHandle::job_over`].
    Superseded {
        /// The job.
        job: JobId,
    },
    /// For the log and the screen.
    Fact(Fact),
    /// The server refused for good. Nothing follows.
    GaveUp(Cause),
    /// Drained: out of the room, the identity is gone. Nothing follows.
    Left,
}

enum Command {
    Input(Input),
    Start(Start, oneshot::Sender<Result<(), StartRefused>>),
}

/// A worker in its room. Dropping it drops the socket.
#[derive(Debug)]
pub struct WorkerPool {
    events: mpsc::Receiver<WorkerEvent>,
    commands: mpsc::Sender<Command>,
    ice_servers: watch::Receiver<Vec<IceServer>>,
    // Ends the task with its owner.
    _task: JoinSet<()>,
}

/// Answers and reports to the task. Cheap to clone. After the end of the task, calls do nothing.
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    commands: mpsc::Sender<Command>,
    ice_servers: watch::Receiver<Vec<IceServer>>,
}

impl WorkerPool {
    /// Starts the task. `setup.seen` must be what `fences` holds ([`FenceFile::load`]).
    pub fn start(api: Api, key: KeyPair, setup: Setup, fences: FenceFile) -> Self {
        let (to_shell, events) = mpsc::channel(1);
        let (commands, queue) = mpsc::channel(COMMANDS);
        let clock = Clock::start();
        let (room_id, peer_id) = (setup.room_id.clone(), setup.peer_id.clone());
        let runner = Runner {
            machine: PoolWorker::new(setup, clock.now()),
            clock,
            line: Line::new(api, key),
            room_id,
            peer_id,
            fences,
            writes: JoinSet::new(),
            unwritten: None,
            waiting: VecDeque::new(),
            over: false,
            ice_servers: watch::Sender::default(),
        };
        let ice_servers = runner.ice_servers.subscribe();
        let mut task = JoinSet::new();
        task.spawn(runner.run(queue, to_shell));
        Self { events, commands, ice_servers, _task: task }
    }

    /// What comes next; `None` after the last. Cancel safe.
    pub async fn next(&mut self) -> Option<WorkerEvent> {
        self.events.recv().await
    }

    /// To answer and to report.
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle { commands: self.commands.clone(), ice_servers: self.ice_servers.clone() }
    }
}

impl WorkerHandle {
    /// The servers that help to find a path, as the room told them when this worker registered.
    pub fn ice_servers(&self) -> Vec<IceServer> {
        self.ice_servers.borrow().clone()
    }

    /// The answer to an offer is ready.
    pub async fn answered(&self, to: PeerId, sdp: String) {
        self.tell(Input::Answered { to, sdp }).await;
    }

    /// An offer cannot be answered; the peer is told why.
    pub async fn answer_failed(&self, to: PeerId, cause: String) {
        self.tell(Input::AnswerFailed { to, cause }).await;
    }

    /// A link that an answer made is gone, and no job runs by it.
    pub async fn link_closed(&self, peer: PeerId) {
        self.tell(Input::LinkClosed { peer }).await;
    }

    /// May this job have the slot? Ask before it is accepted. On `Ok` the server is told, and the job has the slot until
    /// [`WorkerHandle::job_over`].
    pub async fn start(&self, start: Start) -> Result<(), StartRefused> {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Start(start, reply)).await.is_err() {
            return Err(StartRefused::NotExpected);
        }
        answer.await.unwrap_or(Err(StartRefused::NotExpected))
    }

    /// The job's one terminal state is recorded. `kept`: its results are, for a client that comes back.
    pub async fn job_over(&self, job: JobId, kept: bool) {
        self.tell(Input::JobOver { job, kept }).await;
    }

    /// A job's results are not kept any more.
    pub async fn forget(&self, job: JobId) {
        self.tell(Input::Forget(job)).await;
    }

    /// The running job is over at this time at the latest, as far as can be said now.
    pub async fn free_at(&self, job: JobId, at: Time) {
        self.tell(Input::FreeAt { job, at }).await;
    }

    /// Take no more, finish what runs, then leave: [`WorkerEvent::Left`] follows.
    pub async fn drain(&self) {
        self.tell(Input::Drain).await;
    }

    async fn tell(&self, input: Input) {
        // The task is gone only when the worker is: then nobody is left to be told.
        self.commands.send(Command::Input(input)).await.ok();
    }
}

struct Runner {
    machine: PoolWorker,
    clock: Clock,
    line: Line,
    room_id: RoomId,
    peer_id: PeerId,
    fences: FenceFile,
    /// One write at a time: of two, the lower fence could be the last on the disk.
    writes: JoinSet<(Fence, Result<(), HomeError>)>,
    /// The last that waits to be written. An earlier one that it replaced books nothing any more.
    unwritten: Option<Seen>,
    waiting: VecDeque<WorkerEvent>,
    over: bool,
    ice_servers: watch::Sender<Vec<IceServer>>,
}

impl Runner {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, events: mpsc::Sender<WorkerEvent>) {
        self.input(Input::Tick).await;
        while !(self.over && self.waiting.is_empty()) {
            tokio::select! {
                Ok(permit) = events.reserve(), if !self.waiting.is_empty() => {
                    if let Some(event) = self.waiting.pop_front() {
                        permit.send(event);
                    }
                }
                command = commands.recv(), if !self.over => match command {
                    Some(Command::Input(input)) => self.input(input).await,
                    Some(Command::Start(start, reply)) => {
                        let outcome = self.machine.start(&start, self.clock.now());
                        self.drain().await;
                        reply.send(outcome).ok();
                    }
                    None => return,
                },
                event = self.line.next(), if !self.over => self.line_event(event).await,
                Some(done) = self.writes.join_next(), if !self.over => self.written(done).await,
                () = self.clock.sleep_until(self.machine.next_timeout()), if !self.over => self.input(Input::Tick).await,
                () = events.closed() => return,
            }
        }
    }

    async fn line_event(&mut self, event: LineEvent) {
        let input = match event {
            LineEvent::Connected { id_token } => Input::Connected { id_token: Some(id_token) },
            LineEvent::Failed(cause) => Input::ConnectFailed(cause),
            LineEvent::Frame(frame) => Input::Frame(frame),
            LineEvent::Closed(cause) => Input::Disconnected(cause),
        };
        self.input(input).await;
    }

    fn write_fence(&mut self) {
        if self.writes.is_empty()
            && let Some(seen) = self.unwritten.take()
        {
            let fences = self.fences.clone();
            self.writes.spawn_blocking(move || (seen.fence, fences.save(&seen)));
        }
    }

    async fn written(&mut self, done: Result<(Fence, Result<(), HomeError>), JoinError>) {
        self.write_fence();
        match done {
            Ok((fence, Ok(()))) => self.input(Input::FencePersisted(fence)).await,
            Ok((fence, Err(error))) => {
                tracing::error!(%error, "the fence cannot be written");
                self.input(Input::FenceFailed { fence, cause: error.to_string() }).await;
            }
            Err(error) => tracing::error!(%error, "writing the fence broke off"),
        }
    }

    async fn input(&mut self, input: Input) {
        self.machine.handle(input, self.clock.now(), random());
        self.drain().await;
    }

    async fn drain(&mut self) {
        while let Some(effect) = self.machine.next_effect() {
            match effect {
                Effect::Connect { fresh } => self.line.connect(fresh),
                Effect::Disconnect => self.line.drop_socket(),
                Effect::Send(frame) => self.line.send(&frame),
                Effect::Persist(seen) => {
                    self.unwritten = Some(seen);
                    self.write_fence();
                }
                Effect::Answer { from, sdp, admission } => {
                    self.waiting.push_back(WorkerEvent::Offer { from, sdp, admission });
                }
                Effect::Withdraw { from, job } => self.waiting.push_back(WorkerEvent::Withdraw { from, job }),
                Effect::Superseded { job } => self.waiting.push_back(WorkerEvent::Superseded { job }),
                Effect::Report(fact) => self.report(fact),
                Effect::GiveUp(cause) => {
                    self.over = true;
                    self.waiting.push_back(WorkerEvent::GaveUp(cause));
                }
                Effect::Leave => self.leave().await,
            }
        }
    }

    fn report(&mut self, fact: Fact) {
        match &fact {
            // Not the whole of it: it may hold credentials of relays.
            Fact::Registered(registered) => {
                tracing::info!(peer = %self.peer_id, "registered");
                self.ice_servers.send_replace(ice::told(&registered.ice_servers));
            }
            fact => tracing::info!(peer = %self.peer_id, ?fact),
        }
        if self.waiting.len() < EVENTS {
            self.waiting.push_back(WorkerEvent::Fact(fact));
        }
    }

    async fn leave(&mut self) {
        self.line.close().await;
        if let Some((api, who)) = self.line.identity()
            && let Err(error) = api.delete_peer(&who.id_token, &self.room_id, &self.peer_id).await
        {
            // The room notices by itself that the connection is gone.
            tracing::warn!(%error, "the server could not be told that this worker has left");
        }
        self.over = true;
        self.waiting.push_back(WorkerEvent::Left);
    }
}
