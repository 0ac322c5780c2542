//! Runs a client's half of the signaling, [`PoolClient`], over a real socket.
//!
//! One task owns the machine and the socket. Calls wait for their answer; a call whose future is dropped is abandoned, and
//! what it booked is given back.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sleap_rtc_link::IceServer;
use sleap_rtc_session::KeyPair;
use sleap_rtc_session::pool_client::{
    CallId, ClaimRequest, Effect, Fact, Failure, Found, Input, Offer, PoolClient, Setup,
};
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_wire::claim::Claimed;
use sleap_rtc_wire::{ClaimId, Filters};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::api::Api;
use crate::clock::{Clock, random};
use crate::ice;
use crate::line::{Line, LineEvent};

/// Commands that may wait. The task takes them at once.
const COMMANDS: usize = 64;
/// Facts that may wait for the shell; later ones are only logged.
const EVENTS: usize = 256;

/// What the screen may want to show.
#[derive(Debug)]
pub enum ClientEvent {
    /// Something happened.
    Fact(Fact),
    /// The server cannot be had: every call fails with the same cause. Nothing follows.
    GaveUp(Cause),
}

enum Reply {
    Claim(oneshot::Sender<Result<Vec<Claimed>, Failure>>),
    Discover(oneshot::Sender<Result<Found, Failure>>),
    Offer(oneshot::Sender<Result<String, Failure>>),
}

enum Command {
    Call(CallId, Input, Reply),
    Input(Input),
    Leave(oneshot::Sender<()>),
}

/// A client in its room. Cheap to clone; the socket ends with the last clone.
#[derive(Clone, Debug)]
pub struct ClientPool {
    commands: mpsc::Sender<Command>,
    calls: Arc<AtomicU64>,
    ice_servers: watch::Receiver<Vec<IceServer>>,
    // Ends the task with its last owner.
    _task: Arc<JoinSet<()>>,
}

impl ClientPool {
    /// Starts the task. The receiver may be dropped by who has no screen.
    pub fn start(api: Api, key: KeyPair, setup: Setup) -> (Self, mpsc::Receiver<ClientEvent>) {
        let (to_shell, events) = mpsc::channel(EVENTS);
        let (commands, queue) = mpsc::channel(COMMANDS);
        let clock = Clock::start();
        let runner = Runner {
            machine: PoolClient::new(setup, clock.now()),
            clock,
            line: Line::new(api, key),
            replies: HashMap::new(),
            events: to_shell,
            ice_servers: watch::Sender::default(),
        };
        let ice_servers = runner.ice_servers.subscribe();
        let mut task = JoinSet::new();
        task.spawn(runner.run(queue));
        (Self { commands, calls: Arc::default(), ice_servers, _task: Arc::new(task) }, events)
    }

    /// Books workers: on success as many as were asked for. While it waits in line, [`Fact::Waiting`] tells of it; dropping the
    /// future gives up the place.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, Failure> {
        self.call(|call| Input::Claim { call, request }, Reply::Claim).await
    }

    /// Who is there? With `absent`, also which workers are silent or lost.
    pub async fn discover(&self, filters: Filters, absent: bool) -> Result<Found, Failure> {
        self.call(|call| Input::Discover { call, filters, absent }, Reply::Discover).await
    }

    /// Offers a link and waits for the worker's answer. A claim whose offer fails is given back.
    pub async fn offer(&self, offer: Offer) -> Result<String, Failure> {
        self.call(|call| Input::Offer { call, offer }, Reply::Offer).await
    }

    /// Gives back a claim that no job uses.
    pub async fn release(&self, claim: ClaimId) {
        self.tell(Input::Release { claim }).await;
    }

    /// A job of ours runs, or none does: while one runs the line is never given up.
    pub async fn job_runs(&self, runs: bool) {
        self.tell(Input::JobRuns(runs)).await;
    }

    /// Gives back what no job uses and closes the socket; on return it is closed.
    pub async fn leave(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Leave(reply)).await.is_ok() {
            done.await.ok();
        }
    }

    /// The servers that help to find a path, as the room told them when we registered.
    pub fn ice_servers(&self) -> Vec<IceServer> {
        self.ice_servers.borrow().clone()
    }

    async fn tell(&self, input: Input) {
        // The task ends only after `leave`: then there is nothing to be told.
        self.commands.send(Command::Input(input)).await.ok();
    }

    async fn call<T>(
        &self,
        input: impl FnOnce(CallId) -> Input,
        reply: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Reply,
    ) -> Result<T, Failure> {
        let call = CallId(self.calls.fetch_add(1, Ordering::Relaxed));
        let (to, answer) = oneshot::channel();
        if self.commands.send(Command::Call(call, input(call), reply(to))).await.is_err() {
            return Err(Failure::Left);
        }
        let mut abandon = Abandon { commands: &self.commands, call: Some(call) };
        let outcome = answer.await.unwrap_or(Err(Failure::Left));
        abandon.call = None;
        outcome
    }
}

/// Dropped with a call that nobody waits for any more.
struct Abandon<'a> {
    commands: &'a mpsc::Sender<Command>,
    /// `None` once it is answered.
    call: Option<CallId>,
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            // If the queue is full the answer finds nobody, and what it books is given back then.
            self.commands.try_send(Command::Input(Input::Abandon { call })).ok();
        }
    }
}

struct Runner {
    machine: PoolClient,
    clock: Clock,
    line: Line,
    replies: HashMap<CallId, Reply>,
    events: mpsc::Sender<ClientEvent>,
    ice_servers: watch::Sender<Vec<IceServer>>,
}

impl Runner {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        self.input(Input::Tick);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Call(call, input, reply)) => {
                        self.replies.insert(call, reply);
                        self.input(input);
                    }
                    Some(Command::Input(input)) => {
                        if let Input::Abandon { call } = &input {
                            self.replies.remove(call);
                        }
                        self.input(input);
                    }
                    Some(Command::Leave(done)) => {
                        self.leave().await;
                        done.send(()).ok();
                        return;
                    }
                    None => return,
                },
                event = self.line.next() => self.input(match event {
                    LineEvent::Connected { id_token } => Input::Connected { id_token: Some(id_token) },
                    LineEvent::Failed(cause) => Input::ConnectFailed(cause),
                    LineEvent::Frame(frame) => Input::Frame(frame),
                    LineEvent::Closed(cause) => Input::Disconnected(cause),
                }),
                () = self.clock.sleep_until(self.machine.next_timeout()) => self.input(Input::Tick),
            }
        }
    }

    fn input(&mut self, input: Input) {
        self.machine.handle(input, self.clock.now(), random());
        while let Some(effect) = self.machine.next_effect() {
            if matches!(effect, Effect::Disconnect) {
                self.line.drop_socket();
            } else {
                self.carry_out(effect);
            }
        }
    }

    async fn leave(&mut self) {
        self.machine.handle(Input::Leave, self.clock.now(), random());
        while let Some(effect) = self.machine.next_effect() {
            if matches!(effect, Effect::Disconnect) {
                self.line.close().await;
            } else {
                self.carry_out(effect);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Connect { fresh } => self.line.connect(fresh),
            Effect::Disconnect => {}
            Effect::Send(frame) => self.line.send(&frame),
            Effect::ClaimDone { call, outcome } => self.claim_done(call, outcome),
            Effect::DiscoverDone { call, outcome } => {
                if let Some(Reply::Discover(reply)) = self.replies.remove(&call) {
                    reply.send(outcome).ok();
                }
            }
            Effect::OfferDone { call, outcome } => {
                if let Some(Reply::Offer(reply)) = self.replies.remove(&call) {
                    reply.send(outcome).ok();
                }
            }
            Effect::Report(fact) => {
                match &fact {
                    // Not the whole of it: it may hold credentials of relays.
                    Fact::Registered(registered) => {
                        tracing::info!("registered");
                        self.ice_servers.send_replace(ice::told(&registered.ice_servers));
                    }
                    fact => tracing::info!(?fact),
                }
                self.events.try_send(ClientEvent::Fact(fact)).ok();
            }
            Effect::GiveUp(cause) => {
                self.events.try_send(ClientEvent::GaveUp(cause)).ok();
            }
        }
    }

    fn claim_done(&mut self, call: CallId, outcome: Result<Vec<Claimed>, Failure>) {
        let Some(Reply::Claim(reply)) = self.replies.remove(&call) else { return };
        // Whoever asked is gone.
        let unwanted = reply.send(outcome).err().and_then(Result::ok);
        for claimed in unwanted.unwrap_or_default() {
            self.machine.handle(Input::Release { claim: claimed.claim_id }, self.clock.now(), random());
        }
    }
}
