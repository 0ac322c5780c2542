//! A room, its store, and peers who write down what they were told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::json;
use sleap_rtc_room::{Call, CloseReason, Effect, Input, Room, RoomConfig, Ticket};
use sleap_rtc_wire::claim::{Claim, ClaimGranted, ClaimWaiting, EndReason, HeldClaim, HeldState, Reason, Withdraw};
use sleap_rtc_wire::record::{Change, RoomKind, RoomRecord, WorkerRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{ClaimId, ConnId, Fence, FromPeer, JobId, PeerId, Time, ToPeer};

use super::invariants::{
    invariant_fences_grow, invariant_nothing_is_granted_before_the_epoch_is_committed, invariant_one_claim_a_worker,
    invariant_replies_reach_their_own_room_only,
};
use super::seen::Seen;
use super::steps::{CLIENTS, LIAR, PEERS, Step};
use crate::desk::{self, peer, says};

/// What a peer's program knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) conn: Option<ConnId>,
    /// The connection on which it was told that it is registered.
    pub(super) registered: Option<ConnId>,
    /// A worker: its own word of its status.
    pub(super) status: String,
    /// A worker: the claim on its slot.
    pub(super) held: Option<(ClaimGranted, bool)>,
    /// A client: the claims it was given.
    pub(super) claims: BTreeSet<ClaimId>,
    /// A client: the requests that were told to wait on this connection.
    pub(super) waiting: BTreeSet<String>,
}

pub(crate) struct World {
    pub(super) room: Room,
    pub(super) now: Time,
    pub(super) stored: RoomRecord,
    pub(super) workers: BTreeMap<PeerId, WorkerRecord>,
    pub(super) writes: VecDeque<(Ticket, Vec<Change>)>,
    pub(super) programs: Vec<Program>,
    /// Connections that the room may send to: registered here at some time, and not closed since.
    pub(super) open: BTreeSet<ConnId>,
    pub(super) stale: Vec<ConnId>,
    pub(super) last_conn: u64,
    pub(super) last_request: u64,
    pub(super) last_fence: Fence,
    pub(super) seen: Seen,
}

impl World {
    pub(crate) fn new() -> Self {
        let stored = desk::record(RoomKind::Named);
        let now = desk::START;
        let programs = vec![Program { status: "available".to_owned(), ..Program::default() }; PEERS];
        let mut world = Self {
            room: Room::load(stored.clone(), Vec::new(), RoomConfig::default(), now),
            now,
            stored,
            workers: BTreeMap::new(),
            writes: VecDeque::new(),
            programs,
            open: BTreeSet::new(),
            stale: Vec::new(),
            last_conn: 0,
            last_request: 0,
            last_fence: Fence::default(),
            seen: Seen::default(),
        };
        world.drain();
        world
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Connect(n) => self.connect(n),
            Step::Again(n) => {
                if let Some(conn) = self.programs[n].conn {
                    self.register(n, conn);
                }
            }
            Step::Lose(n) => self.lose(n),
            Step::CloseStale(nth) => {
                if nth < self.stale.len() {
                    let conn = self.stale.remove(nth);
                    self.open.remove(&conn);
                    self.put(Input::Closed { conn });
                }
            }
            Step::Kill(n) => {
                self.lose(n);
                self.programs[n].held = None;
                "available".clone_into(&mut self.programs[n].status);
            }
            Step::Claim { client, count, lease_ms, wait_ms, job, attempt } => {
                let claim = self.new_claim(job);
                self.claim(client, Claim { count, lease_ms, wait_ms, attempt, ..claim });
            }
            Step::Withdraw { client, nth } => {
                let waiting = self.programs[client].waiting.iter().nth(nth).cloned();
                if let (Some(conn), Some(request_id)) = (self.speaker(client), waiting) {
                    self.seen.saw("withdrawn");
                    self.programs[client].waiting.remove(&request_id);
                    self.put(says(conn, FromPeer::Withdraw(Withdraw { request_id })));
                }
            }
            Step::Leave(n) => self.leave(n),
            Step::Release { client, nth } => {
                let claim = self.programs[client].claims.iter().nth(nth).cloned();
                if let (Some(conn), Some(claim)) = (self.speaker(client), claim) {
                    self.put(desk::releases(conn, &claim));
                }
            }
            Step::Use(n) => self.use_claim(n),
            Step::Free(n) => self.free_claim(n),
            Step::Status(n, status, only) => self.say_status(n, status, only),
            Step::Discover(n) => {
                if let Some(conn) = self.speaker(n) {
                    self.put(says(conn, desk::discover(&name(n), json!({"role": "worker"}))));
                }
            }
            Step::Message(from, to) => {
                if let Some(conn) = self.speaker(from) {
                    let message = FromPeer::peer_message(&peer(&name(from)), &peer(&name(to)), &json!("hello"));
                    self.put(says(conn, message));
                }
            }
            Step::Meddle(n, counter) => self.meddle(n, counter),
            Step::Wait(ms) => {
                self.now = self.now.plus_ms(ms);
                self.put(Input::Tick);
            }
            Step::Timeout => {
                // Not the end of an empty room, days ahead.
                if let Some(at) = self.room.next_timeout().filter(|at| at.since(self.now) < 24 * desk::HOUR) {
                    self.now = self.now.max(at);
                    self.put(Input::Tick);
                }
            }
            Step::Store(stored) => self.store(stored),
            Step::Restart(committed) => self.restart(committed),
            Step::Extend => self.put(desk::calls(1, Call::Extend)),
            Step::DeletePeer(n) => self.put(desk::calls(2, Call::DeletePeer(peer(&name(n))))),
        }
    }

    /// The connection of a peer that knows itself registered.
    pub(super) fn speaker(&self, n: usize) -> Option<ConnId> {
        self.programs[n].registered.filter(|conn| self.programs[n].conn == Some(*conn))
    }

    pub(super) fn connect(&mut self, n: usize) {
        self.last_conn += 1;
        let conn = ConnId { n: self.last_conn, ..ConnId::default() };
        self.stale.extend(self.programs[n].conn.replace(conn));
        self.open.insert(conn);
        self.programs[n].waiting.clear();
        self.register(n, conn);
    }

    fn register(&mut self, n: usize, conn: ConnId) {
        if self.programs[n].held.is_some() {
            // It lists the claim; its own word is about what it would do without.
            self.forget_busy(n);
        }
        let register = if n < CLIENTS { desk::client(&name(n)) } else { self.worker_register(n) };
        self.put(desk::registers(conn, desk::keyed(&name(n)), register));
    }

    fn worker_register(&self, n: usize) -> Register {
        let program = &self.programs[n];
        let held = program.held.iter().map(|(grant, used)| HeldClaim {
            grant: grant.clone(),
            state: if *used { HeldState::Used } else { HeldState::Leased },
            used_at: None,
        });
        let claims = if n == LIAR { self.lies() } else { held.collect() };
        let properties = json!({"properties": {"status": program.status}});
        Register { claims, metadata: desk::metadata(properties), ..desk::worker(&name(n)) }
    }

    /// Everybody else's claim, and one of the future.
    fn lies(&self) -> Vec<HeldClaim> {
        let grants = self.programs.iter().filter_map(|program| program.held.as_ref().map(|(grant, _)| grant.clone()));
        let mut lies: Vec<HeldClaim> =
            grants.map(|grant| HeldClaim { grant, state: HeldState::Used, used_at: None }).take(7).collect();
        if let Some(lie) = lies.first().cloned() {
            let fence = Fence { epoch: lie.grant.fence.epoch, counter: lie.grant.fence.counter + 1 };
            let claim_id = desk::claim_id(&format!("c{}-{}", fence.epoch, fence.counter));
            lies.push(HeldClaim { grant: ClaimGranted { fence, claim_id, ..lie.grant }, ..lie });
        }
        lies
    }

    fn lose(&mut self, n: usize) {
        self.programs[n].registered = None;
        self.programs[n].waiting.clear();
        if let Some(conn) = self.programs[n].conn.take() {
            self.open.remove(&conn);
            self.put(Input::Closed { conn });
        }
    }

    /// A claim of one worker for one of few jobs, or for a new one.
    pub(super) fn new_claim(&mut self, job: Option<u64>) -> Claim {
        self.last_request += 1;
        let claim = desk::claim(&format!("r{}", self.last_request));
        let job_id = job.map(|job| JobId::new(&format!("again-{job}")).unwrap());
        Claim { job_id: job_id.unwrap_or_else(|| claim.job_id.clone()), ..claim }
    }

    pub(super) fn claim(&mut self, client: usize, claim: Claim) {
        if let Some(conn) = self.speaker(client) {
            self.put(says(conn, FromPeer::Claim(claim)));
        }
    }

    fn leave(&mut self, n: usize) {
        let Some(conn) = self.speaker(n) else { return };
        self.seen.saw("left");
        self.programs[n].held = None;
        "available".clone_into(&mut self.programs[n].status);
        self.put(says(conn, FromPeer::Leave));
        self.lose(n);
    }

    fn use_claim(&mut self, n: usize) {
        let Some(conn) = self.speaker(n) else { return };
        if let Some((grant, used)) = &mut self.programs[n].held
            && grant.lease_until > self.now
        {
            *used = true;
            let claim = grant.claim_id.clone();
            self.seen.saw("used");
            self.put(desk::uses(conn, &claim));
        }
    }

    pub(super) fn free_claim(&mut self, n: usize) {
        let Some(conn) = self.speaker(n) else { return };
        if let Some((grant, _)) = self.programs[n].held.take() {
            self.seen.saw("freed");
            self.forget_busy(n);
            self.put(desk::frees(conn, &grant.claim_id));
        }
    }

    pub(super) fn say_status(&mut self, n: usize, status: &'static str, only_if_available: bool) {
        let Some(conn) = self.speaker(n) else { return };
        let mut update = desk::update(&name(n), json!({"properties": {"status": status}}));
        if only_if_available {
            update.condition = Some(desk::filters(json!({"status": "available"})));
        }
        if !only_if_available || self.expected_status(n) == "available" {
            status.clone_into(&mut self.programs[n].status);
        } else {
            self.seen.saw("conflict");
        }
        self.put(says(conn, FromPeer::UpdateMetadata(update)));
    }

    fn meddle(&mut self, n: usize, counter: u64) {
        let Some(conn) = self.speaker(n) else { return };
        let epoch = self.room.record().epoch;
        let claim = desk::claim_id(&format!("c{epoch}-{counter}"));
        let mine = self.programs[n].claims.contains(&claim)
            || self.programs[n].held.as_ref().is_some_and(|(grant, _)| grant.claim_id == claim);
        // The liar may free what it claims to hold.
        if mine || n == LIAR {
            return;
        }
        self.put(desk::uses(conn, &claim));
        self.put(desk::frees(conn, &claim));
        self.put(desk::releases(conn, &claim));
    }

    pub(super) fn store(&mut self, stored: bool) {
        let Some((ticket, changes)) = self.writes.pop_front() else { return };
        if stored {
            self.commit(changes);
            self.put(Input::Persisted(ticket));
        } else {
            self.seen.saw("store failed");
            self.put(Input::PersistFailed(ticket));
        }
    }

    fn commit(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::PutRoom(record) => {
                    assert!(record.epoch >= self.stored.epoch, "an epoch went back");
                    self.stored = record;
                }
                Change::PutMembership(_) => {}
                Change::PutWorker(record) => _ = self.workers.insert(record.peer_id.clone(), record),
                Change::DeleteWorker(_, worker) => _ = self.workers.remove(&worker),
                other => panic!("nobody asked for {other:?}"),
            }
        }
    }

    fn restart(&mut self, committed: bool) {
        self.seen.saw("restart");
        if committed && let Some((_, changes)) = self.writes.pop_front() {
            self.commit(changes);
        }
        self.writes.clear();
        self.open.clear();
        self.stale.clear();
        for program in &mut self.programs {
            (program.conn, program.registered) = (None, None);
            program.waiting.clear();
        }
        let workers = self.workers.values().cloned().collect();
        self.room = Room::load(self.stored.clone(), workers, RoomConfig::default(), self.now);
        self.drain();
    }

    pub(super) fn put(&mut self, input: Input) {
        self.room.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.room.next_effect() {
            match effect {
                Effect::Send { conn, frame } => {
                    invariant_replies_reach_their_own_room_only(&self.open, conn);
                    if let Some(n) = self.programs.iter().position(|program| program.conn == Some(conn)) {
                        self.hear(n, conn, frame);
                    }
                }
                Effect::Close { conn, reason } => {
                    if reason == CloseReason::Superseded {
                        self.seen.saw("superseded");
                    }
                    self.open.remove(&conn);
                    self.stale.retain(|stale| *stale != conn);
                    for program in &mut self.programs {
                        if program.conn == Some(conn) {
                            (program.conn, program.registered) = (None, None);
                        }
                    }
                }
                Effect::Persist { ticket, changes } => self.writes.push_back((ticket, changes)),
                Effect::Publish { .. } | Effect::Answer { .. } | Effect::Report(_) => {}
                Effect::Removed => panic!("nobody removed this room"),
            }
        }
    }

    /// A peer's program takes in a frame. One that was sent to an earlier connection of it is lost.
    fn hear(&mut self, n: usize, conn: ConnId, frame: ToPeer) {
        match frame {
            ToPeer::RegisteredAuth(_) => {
                self.programs[n].registered = Some(conn);
                if self.programs[n].held.as_ref().is_some_and(|(grant, _)| grant.fence.epoch < self.room.record().epoch)
                {
                    self.seen.saw("taken over");
                }
            }
            ToPeer::ClaimGranted(grant) => self.hear_granted(n, grant),
            ToPeer::Claimed(claimed) => {
                if self.programs[n].waiting.remove(&claimed.request_id) {
                    self.seen.saw("served");
                }
                self.programs[n].claims.insert(claimed.claim_id);
            }
            ToPeer::ClaimWaiting(waiting) => self.hear_waiting(n, waiting),
            ToPeer::ClaimEnded(ended) => self.hear_ended(n, &ended.claim_id, ended.reason),
            ToPeer::ClaimRefused(refused) => {
                self.seen.saw(if refused.reason == Reason::JobRuns { "job runs" } else { "refused" });
                self.programs[n].waiting.remove(&refused.request_id);
            }
            ToPeer::Error(_) => self.seen.saw("error"),
            ToPeer::MetadataUpdated { metadata, .. } if n != LIAR => {
                let shown = metadata.property("status").and_then(serde_json::Value::as_str);
                assert_eq!(shown, Some(self.expected_status(n)), "what is confirmed is what is true");
            }
            _ => {}
        }
    }

    fn hear_waiting(&mut self, n: usize, waiting: ClaimWaiting) {
        self.seen.saw(match waiting.reason {
            Reason::Recovering => "recovering",
            Reason::BehindOthers => "behind others",
            Reason::TooManyClaims => "too many claims",
            Reason::Silent => "silent",
            Reason::Held => "held",
            Reason::Draining => "draining",
            _ => "waiting",
        });
        assert!(waiting.place >= 1 && waiting.workers.busy <= waiting.workers.matching);
        self.programs[n].waiting.insert(waiting.request_id);
    }

    fn hear_granted(&mut self, n: usize, grant: ClaimGranted) {
        self.seen.saw("grant");
        invariant_fences_grow(self.last_fence, grant.fence);
        invariant_nothing_is_granted_before_the_epoch_is_committed(&self.stored, grant.fence);
        self.last_fence = grant.fence;
        if n != LIAR {
            invariant_one_claim_a_worker(&self.programs[n]);
            assert_eq!(self.programs[n].status, "available", "only who is available is granted");
            self.programs[n].held = Some((grant, false));
        }
    }

    fn hear_ended(&mut self, n: usize, claim: &ClaimId, reason: EndReason) {
        self.seen.saw(match reason {
            EndReason::LeaseExpired => "lease ended",
            EndReason::Released => "released",
            EndReason::Lost => "lost",
            _ => "ended",
        });
        self.programs[n].claims.remove(claim);
        if n == LIAR || self.programs[n].held.as_ref().is_none_or(|(grant, _)| grant.claim_id != *claim) {
            return;
        }
        let (_, used) = self.programs[n].held.take().unwrap();
        if used && reason == EndReason::Superseded {
            // It cancels the run, and says when it is done.
            self.seen.saw("superseded run");
            return "busy".clone_into(&mut self.programs[n].status);
        }
        assert!(!used, "only the worker ends a used claim, but {claim} ended: {reason:?}");
        self.forget_busy(n);
    }

    fn forget_busy(&mut self, n: usize) {
        let status = &mut self.programs[n].status;
        if status == "busy" || status == "reserved" {
            "available".clone_into(status);
        }
    }

    pub(super) fn expected_status(&self, n: usize) -> &str {
        match &self.programs[n].held {
            Some((_, true)) => "busy",
            Some((_, false)) => "reserved",
            None => &self.programs[n].status,
        }
    }
}

/// A peer's name, which is the name of its installation too.
pub(super) fn name(n: usize) -> String {
    if n < CLIENTS { format!("c{n}") } else { format!("w{n}") }
}
