//! A client's half of the signaling: registered in one room, it looks, claims, offers, and finds its worker again.
//!
//! [`PoolClient`] is a state machine without sockets, clock or chance; it is used as [`crate::pool_worker`] is: `handle` one
//! input, drain `next_effect`, sleep until `next_timeout`. Each call ([`Input::Claim`], [`Input::Discover`],
//! [`Input::Offer`]) gets exactly one answer, whatever happens to the line.
//!
//! What it guarantees: a claim that nobody waits for any more, or whose worker does not answer, is given back at once; a claim
//! that waits in line outlives the line to the server and keeps its place; a
//! server that is away is asked again with pauses, for as long as the owner lives; it is given up only if the very first try
//! fails or the server refuses for good, and never while a job runs.

mod calls;
mod claiming;
mod effect;

use std::collections::{BTreeMap, VecDeque};

use sleap_rtc_wire::claim::Release;
use sleap_rtc_wire::signal::{Register, RegisteredAuth};
use sleap_rtc_wire::{CLAIMS, ClaimId, ErrorFrame, FromPeer, Metadata, PeerId, RoomId, Time, ToPeer};

pub use calls::{ANSWER_MS, QUEUE_MS, REPLY_MS};
pub use effect::{CallId, ClaimRequest, Effect, Fact, Failure, Found, Input, Offer};

use crate::pool_line::{Cause, FirstTry, Line, Step};
use calls::Call;

/// What a client is.
#[derive(Clone)]
pub struct Setup {
    /// Of this process alone: two clients of one user differ.
    pub peer_id: PeerId,
    /// The room.
    pub room_id: RoomId,
    /// The room's password; a member of the room needs none. A secret.
    pub token: Option<String>,
    /// Tags and properties.
    pub metadata: Metadata,
    /// Whether to give up if the first try fails.
    pub first: FirstTry,
}

/// A client's line to the server, and its calls.
pub struct PoolClient {
    setup: Setup,
    line: Line,
    /// Open calls in the order in which they were made.
    calls: BTreeMap<CallId, Call>,
    /// Discoveries in the order sent: their answers name no request.
    discoveries: VecDeque<CallId>,
    /// The claims that are ours, and the open call that one belongs to: such a one is of use only if all of that call's come.
    claims: BTreeMap<ClaimId, Option<CallId>>,
    /// Claims to give back as soon as there is a line.
    owed: Vec<ClaimId>,
    job_runs: bool,
    gone: Option<Cause>,
    out: VecDeque<Effect>,
}

impl PoolClient {
    /// A client that wants to connect; the first effect comes with the first [`Input::Tick`], due at once.
    pub fn new(setup: Setup, now: Time) -> Self {
        // No silence is too long: servers send nothing unasked to clients. Unanswered calls show that a line is dead.
        let line = Line::new(setup.first, None, now);
        Self {
            setup,
            line,
            calls: BTreeMap::new(),
            discoveries: VecDeque::new(),
            claims: BTreeMap::new(),
            owed: Vec::new(),
            job_runs: false,
            gone: None,
            out: VecDeque::new(),
        }
    }

    /// Takes in what happened at `now`. `random` decides the jitter of a pause, nothing else.
    pub fn handle(&mut self, input: Input, now: Time, random: u64) {
        match input {
            Input::Connected { id_token } => self.connected(id_token, now),
            Input::ConnectFailed(cause) | Input::Disconnected(cause) => self.lost(cause, now, random),
            Input::Frame(frame) => self.frame(frame, now, random),
            Input::Claim { call, request } => self.open(call, Call::claim(request, now)),
            Input::Discover { call, filters, absent } => self.open(call, Call::discover(filters, absent, now)),
            Input::Offer { call, offer } => self.open(call, Call::offer(offer, now)),
            Input::Abandon { call } => self.abandon(call),
            Input::Release { claim } => self.release(&claim),
            Input::JobRuns(runs) => self.job_runs = runs,
            Input::Leave => self.leave(),
            Input::Tick => self.tick(now, random),
        }
        self.send_queued(now);
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.out.pop_front()
    }

    /// When [`Input::Tick`] is due.
    pub fn next_timeout(&self) -> Option<Time> {
        self.line.timeout().into_iter().chain(self.calls.values().map(|call| call.until)).min()
    }

    /// Whether the server has this client in its room now.
    pub fn is_registered(&self) -> bool {
        self.line.is_up()
    }

    fn frame(&mut self, frame: ToPeer, now: Time, random: u64) {
        self.line.heard(now);
        match frame {
            ToPeer::RegisteredAuth(registered) => self.registered(*registered, now),
            ToPeer::Error(error) => self.error(error, now, random),
            // The server speaks of nothing else before we are in.
            _ if !self.line.is_up() => {}
            ToPeer::PeerList { peers, total, absent, .. } => {
                let total = total.unwrap_or(peers.len());
                self.found(Found { peers, total, absent });
            }
            ToPeer::Claimed(claimed) => self.claimed(claimed),
            ToPeer::ClaimRefused(refused) => self.refused(refused),
            ToPeer::ClaimWaiting(waiting) => self.waiting(waiting),
            ToPeer::ClaimEnded(ended) => self.claim_ended(&ended),
            ToPeer::Answer(answer) => self.answer(&answer.sender, answer.sdp),
            ToPeer::Ping
            | ToPeer::MetadataUpdated { .. }
            | ToPeer::ClaimGranted(_)
            | ToPeer::PeerMessage { .. }
            | ToPeer::Offer(_)
            | ToPeer::Candidate(_)
            | ToPeer::Relayed(_)
            | ToPeer::AdminConflict { .. }
            | ToPeer::Unknown => {}
        }
    }

    fn connected(&mut self, id_token: Option<String>, now: Time) {
        if !self.line.connected(now) {
            return;
        }
        let register = Register {
            peer_id: Some(self.setup.peer_id.clone()),
            role: "client".to_owned(),
            metadata: self.setup.metadata.clone(),
            room_id: Some(self.setup.room_id.clone()),
            token: self.setup.token.clone(),
            id_token,
            features: vec![CLAIMS.to_owned()],
            ..Register::default()
        };
        self.out.push_back(Effect::Send(FromPeer::Register(Box::new(register))));
    }

    fn registered(&mut self, mut registered: RegisteredAuth, now: Time) {
        if self.line.is_registering() {
            self.line.registered(&registered.features, now);
            self.pay();
            // What we sent ourselves: a secret that must not go on to a log.
            registered.token = None;
            self.out.push_back(Effect::Report(Fact::Registered(Box::new(registered))));
        }
    }

    fn error(&mut self, error: ErrorFrame, now: Time, random: u64) {
        if self.line.is_registering() {
            let cause = Cause::Refused { code: error.code, text: error.text().to_owned() };
            return self.lost(cause, now, random);
        }
        if let Some(error) = self.fail_by(error) {
            self.out.push_back(Effect::Report(Fact::ServerError(error)));
        }
    }

    fn lost(&mut self, cause: Cause, now: Time, random: u64) {
        let step = self.line.lost(cause, self.job_runs, now, random);
        self.step(step, now);
    }

    fn tick(&mut self, now: Time, random: u64) {
        if self.calls_timeout(now) {
            // It did not answer a request of its own: the line is dead, whatever the socket says.
            self.lost(Cause::NoAnswer, now, random);
        }
        let step = self.line.tick(self.job_runs, now, random);
        self.step(step, now);
    }

    fn step(&mut self, step: Option<Step>, now: Time) {
        match step {
            None => {}
            Some(Step::Connect { fresh }) => self.out.push_back(Effect::Connect { fresh }),
            Some(Step::Lost { cause, retry_in_ms }) => {
                self.out.push_back(Effect::Disconnect);
                self.line_broke(&Failure::ServerLost(cause.clone()), now);
                self.out.push_back(Effect::Report(Fact::Away { cause, retry_in_ms, job_runs: self.job_runs }));
            }
            Some(Step::GiveUp(cause)) => {
                self.out.push_back(Effect::Disconnect);
                self.gone = Some(cause.clone());
                self.fail_all(&Failure::GivenUp(cause.clone()));
                self.out.push_back(Effect::GiveUp(cause));
            }
        }
    }

    /// Gives a claim back that no job uses.
    fn release(&mut self, claim: &ClaimId) {
        if self.claims.remove(claim).is_some() {
            self.owed.push(claim.clone());
            self.pay();
        }
    }

    fn pay(&mut self) {
        if self.line.is_up() {
            for claim_id in std::mem::take(&mut self.owed) {
                self.send(FromPeer::Release(Release { claim_id }));
            }
        }
    }

    fn leave(&mut self) {
        if self.line.is_over() {
            return;
        }
        self.withdraw_all();
        let claims: Vec<ClaimId> = if self.job_runs { Vec::new() } else { self.claims.keys().cloned().collect() };
        for claim in claims {
            self.release(&claim);
        }
        self.line.end();
        self.gone = Some(Cause::Closed("left the room".to_owned()));
        self.fail_all(&Failure::Left);
        self.out.push_back(Effect::Disconnect);
    }

    fn send(&mut self, frame: FromPeer) {
        if self.line.is_up() {
            self.out.push_back(Effect::Send(frame));
        }
    }
}
