//! A worker's half of the signaling: one slot, registered in one room, booked by claims or by peers that know none.
//!
//! [`PoolWorker`] is a state machine without sockets, clock or chance. Its user keeps this contract:
//!
//! 1. It calls [`PoolWorker::handle`] with one [`Input`], the time and a random number, or [`PoolWorker::start`];
//! 2. then drains [`PoolWorker::next_effect`] until `None` and carries the effects out in that order;
//! 3. then sleeps until [`PoolWorker::next_timeout`] or the next input, and calls `handle` with [`Input::Tick`] when the time comes.
//!
//! What it guarantees: one slot never has two jobs; a grant is honoured only after its fence is on disk, and never one that
//! is not higher than all before; a running job does not depend on the server; what the server did not hear while it was
//! away it learns from the next `register`; an attempt of a job never runs after a later one was granted here.

mod book;
mod effect;
mod free_at;
mod offers;
mod plain;
mod seen;
mod slot;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sleap_rtc_wire::claim::ClaimReleased;
use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::signal::{Register, RegisteredAuth, UpdateMetadata};
use sleap_rtc_wire::{
    CLAIMS, ClaimId, Code, ErrorFrame, Filters, FromPeer, JobId, Metadata, PeerId, RoomId, Time, ToPeer,
};

pub use book::LEASE_SLACK_MS;
pub use effect::{Admission, Effect, Fact, Input, Start, StartRefused};
pub use free_at::{EVERY_MS, FREE_AT, MOVED_MS, MOVED_PART};
pub use offers::ANSWERING;
pub use plain::{ASSIGN_MS, LINK_MS, TAKE_MS};
pub use seen::{ATTEMPTS, Seen};

use crate::pool_line::{Cause, FirstTry, Line, SILENCE_MS, Step};
use free_at::Told;
use slot::{Slot, Word};

/// What a worker is.
#[derive(Clone)]
pub struct Setup {
    /// Stays the same over reconnects and restarts.
    pub peer_id: PeerId,
    /// The room.
    pub room_id: RoomId,
    /// The room's password; a member of the room needs none. A secret.
    pub token: Option<String>,
    /// Tags and properties; `status` and what belongs to it are set by the worker itself.
    pub metadata: Metadata,
    /// What this peer has seen in this room, from disk.
    pub seen: Seen,
    /// Jobs whose results are kept.
    pub kept: Vec<JobId>,
    /// Whether to give up if the first try fails.
    pub first: FirstTry,
}

/// A worker's slot and its line to the server.
pub struct PoolWorker {
    setup: Setup,
    line: Line,
    slot: Slot,
    /// The highest fence seen; every honoured grant raised it.
    seen: Seen,
    kept: BTreeSet<JobId>,
    /// Offers handed to the shell and not answered yet, by the peer that waits, and since when.
    answering: BTreeMap<PeerId, (Admission, Time)>,
    /// What the server was last told in our own words; `None` while not registered.
    said: Option<Word>,
    /// What the server was last told of the end of the running job.
    told: Option<Told>,
    /// Claims to give back, after our own words: so nobody finds the slot claimable but not available.
    released: Vec<ClaimId>,
    /// When a new estimate of that end is to be told.
    tell_at: Option<Time>,
    draining: bool,
    requests: u64,
    out: VecDeque<Effect>,
}

impl PoolWorker {
    /// A worker that wants to connect; the first effect comes with the first [`Input::Tick`], due at once.
    pub fn new(setup: Setup, now: Time) -> Self {
        let line = Line::new(setup.first, Some(SILENCE_MS), now);
        let (seen, kept) = (setup.seen.clone(), setup.kept.iter().cloned().collect());
        Self {
            setup,
            line,
            slot: Slot::Free,
            seen,
            kept,
            answering: BTreeMap::new(),
            said: None,
            told: None,
            released: Vec::new(),
            tell_at: None,
            draining: false,
            requests: 0,
            out: VecDeque::new(),
        }
    }

    /// Takes in what happened at `now`. `random` decides the jitter of a pause, nothing else.
    pub fn handle(&mut self, input: Input, now: Time, random: u64) {
        if self.line.is_over() {
            return;
        }
        match input {
            Input::Connected { id_token } => self.connected(id_token, now),
            Input::ConnectFailed(cause) | Input::Disconnected(cause) => self.lost(cause, now, random),
            Input::Frame(frame) => self.frame(frame, now, random),
            Input::FencePersisted(fence) => self.fence_persisted(fence, now),
            Input::FenceFailed { fence, cause } => self.fence_failed(fence, cause),
            Input::Answered { to, sdp } => self.answered(&to, &sdp, now),
            Input::AnswerFailed { to, cause } => self.answer_failed(&to, &cause),
            Input::LinkClosed { peer } => self.link_closed(&peer),
            Input::JobOver { job, kept } => self.job_over(job, kept),
            Input::Forget(job) => {
                self.kept.remove(&job);
            }
            Input::FreeAt { job, at } => self.slot.set_free_at(&job, at),
            Input::Drain => self.drain(),
            Input::Tick => self.tick(now, random),
        }
        self.settle(now);
    }

    /// A peer came over a link that an [`Effect::Answer`] made, proved itself, and its job was found acceptable: may the job
    /// have the slot? On `Ok` the job runs until [`Input::JobOver`].
    pub fn start(&mut self, start: &Start, now: Time) -> Result<(), StartRefused> {
        let outcome = self.take_slot(start, now);
        self.settle(now);
        outcome
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.out.pop_front()
    }

    /// When [`Input::Tick`] is due.
    pub fn next_timeout(&self) -> Option<Time> {
        if self.line.is_over() {
            return None;
        }
        [self.line.timeout(), self.slot.ends(), self.tell_at].into_iter().flatten().min()
    }

    /// The job that has the slot.
    pub fn job(&self) -> Option<&JobId> {
        self.slot.job()
    }

    /// Whether the server has this worker in its room now.
    pub fn is_registered(&self) -> bool {
        self.line.is_up()
    }

    fn frame(&mut self, frame: ToPeer, now: Time, random: u64) {
        self.line.heard(now);
        match frame {
            ToPeer::RegisteredAuth(registered) => self.registered(*registered, now),
            ToPeer::Error(error) => self.error(&error, now, random),
            // The server speaks of nothing else before we are in.
            _ if !self.line.is_up() => {}
            ToPeer::ClaimGranted(grant) => self.granted(grant, now),
            ToPeer::ClaimEnded(ended) => self.claim_ended(&ended),
            ToPeer::Offer(description) => self.offer(description, now),
            ToPeer::PeerMessage { from_peer_id, payload, .. } => self.message(&from_peer_id, payload, now),
            ToPeer::MetadataUpdated { metadata, request_id, .. } => self.updated(&metadata, request_id.as_deref(), now),
            ToPeer::Ping
            | ToPeer::PeerList { .. }
            | ToPeer::Claimed(_)
            | ToPeer::ClaimWaiting(_)
            | ToPeer::ClaimRefused(_)
            | ToPeer::Answer(_)
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
        let word = self.slot.word(self.draining, false).unwrap_or_default();
        let mut metadata = self.setup.metadata.clone();
        word.write(&mut metadata);
        free_at::write(self.slot.free_at(), &mut metadata);
        self.told = self.slot.free_at().map(|end| Told::new(end, now));
        self.said = Some(word);
        let register = Register {
            peer_id: Some(self.setup.peer_id.clone()),
            role: "worker".to_owned(),
            metadata,
            room_id: Some(self.setup.room_id.clone()),
            token: self.setup.token.clone(),
            id_token,
            features: vec![CLAIMS.to_owned()],
            claims: self.slot.held().into_iter().filter(|_| !mutation::on(Mutation::HeldNotTold)).collect(),
            ..Register::default()
        };
        self.out.push_back(Effect::Send(FromPeer::Register(Box::new(register))));
    }

    fn registered(&mut self, mut registered: RegisteredAuth, now: Time) {
        if !self.line.is_registering() {
            return;
        }
        self.line.registered(&registered.features, now);
        // `register` named the claim that is held: the room has it again, whatever it had before.
        self.slot.set_claim_live();
        // What we sent ourselves: a secret that must not go on to a log.
        registered.token = None;
        self.out.push_back(Effect::Report(Fact::Registered(Box::new(registered))));
    }

    fn error(&mut self, error: &ErrorFrame, now: Time, random: u64) {
        if self.line.is_registering() {
            let cause = Cause::Refused { code: error.code, text: error.text().to_owned() };
            return self.lost(cause, now, random);
        }
        if self.not_taken(error) {
            return;
        }
        // A server that does not know this peer any more cannot be talked to as if it did.
        if error.code == Code::NotInRoom || error.code == Code::RoomNotFound {
            return self.lost(Cause::Closed(error.text().to_owned()), now, random);
        }
        self.out.push_back(Effect::Report(Fact::ServerError(error.clone())));
    }

    fn lost(&mut self, cause: Cause, now: Time, random: u64) {
        let step = self.line.lost(cause, self.slot.job().is_some(), now, random);
        self.step(step);
    }

    fn tick(&mut self, now: Time, random: u64) {
        self.slot_timeout(now);
        let step = self.line.tick(self.slot.job().is_some(), now, random);
        self.step(step);
    }

    fn step(&mut self, step: Option<Step>) {
        let Some(step) = step else { return };
        match step {
            Step::Connect { fresh } => self.out.push_back(Effect::Connect { fresh }),
            Step::Lost { cause, retry_in_ms } => {
                self.off_line();
                self.out.push_back(Effect::Report(Fact::Away { cause, retry_in_ms }));
            }
            Step::GiveUp(cause) => {
                self.off_line();
                self.out.push_back(Effect::GiveUp(cause));
            }
        }
    }

    fn off_line(&mut self) {
        self.said = None;
        self.answering.clear();
        self.forget_taking();
        self.out.push_back(Effect::Disconnect);
    }

    fn drain(&mut self) {
        if !self.draining {
            self.draining = true;
            self.hand_back();
        }
    }

    /// After every input: say what has changed, leave if that is all, and check what must always hold.
    fn settle(&mut self, now: Time) {
        if self.line.is_up()
            && let Some(word) = self.slot.word(self.draining, self.line.has_claims())
            && self.said.as_ref() != Some(&word)
        {
            self.update(&word, None, None);
            self.said = Some(word);
        }
        for claim_id in std::mem::take(&mut self.released) {
            self.send(FromPeer::ClaimReleased(ClaimReleased { claim_id }));
        }
        self.tell_free_at(now);
        if self.draining && self.slot.is_free() && !self.line.is_over() {
            if self.line.has_claims() {
                self.send(FromPeer::Leave);
            }
            self.line.end();
            self.out.push_back(Effect::Leave);
        }
        debug_assert!(
            self.slot.fence().is_none_or(|fence| fence <= self.seen.fence),
            "a grant above the highest fence"
        );
    }

    /// Says when the running job will be over, if what was said of it is too far from the truth.
    fn tell_free_at(&mut self, now: Time) {
        self.tell_at = None;
        if !self.line.has_claims() {
            return;
        }
        let end = self.slot.free_at();
        let due = match (self.told, end) {
            (None, None) => None,
            (None, Some(_)) | (Some(_), None) => Some(now),
            (Some(told), Some(end)) => told.due(end, now),
        };
        match due {
            Some(due) if due <= now => {
                let mut metadata = Metadata::default();
                free_at::write(end, &mut metadata);
                self.told = end.map(|end| Told::new(end, now));
                self.send_update(metadata, None, None);
            }
            due => self.tell_at = due,
        }
    }

    fn update(&mut self, word: &Word, condition: Option<Filters>, request_id: Option<String>) {
        let mut metadata = Metadata::default();
        word.write(&mut metadata);
        self.send_update(metadata, condition, request_id);
    }

    fn send_update(&mut self, metadata: Metadata, condition: Option<Filters>, request_id: Option<String>) {
        let peer_id = self.setup.peer_id.clone();
        let update = UpdateMetadata { peer_id, metadata, condition, request_id };
        self.send(FromPeer::UpdateMetadata(update));
    }

    /// Sends if there is somebody to hear it; what must be told is told again by `register`.
    fn send(&mut self, frame: FromPeer) {
        if self.line.is_up() {
            self.out.push_back(Effect::Send(frame));
        }
    }
}
