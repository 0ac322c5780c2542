//! The one place where inputs are told apart. What each of them means is in the file of its noun.

use std::collections::{BTreeMap, VecDeque};

use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::record::{RoomRecord, WorkerRecord};
use sleap_rtc_wire::{Code, ConnId, ErrorFrame, FromPeer, Metadata, PeerId, Time, ToPeer};

use crate::absent::Absent;
use crate::alias::Parted;
use crate::attempts::Attempts;
use crate::expected::Expected;
use crate::expulsion::Expulsions;
use crate::hold::Holds;
use crate::joining::Joining;
use crate::lifetime::{Changing, Lifetime};
use crate::line::Line;
use crate::peers::{Joined, Presence};
use crate::pool::Pool;
use crate::recovery::Recovery;
use crate::slot::Claims;
use crate::{Answer, Call, CallId, Effect, Fact, Input, RoomConfig, Ticket};

/// One room. See the crate's documentation for the contract with its user.
#[derive(Debug)]
pub struct Room {
    pub(crate) record: RoomRecord,
    pub(crate) config: RoomConfig,
    pub(crate) presence: Presence,
    pub(crate) joining: Joining,
    pub(crate) claims: Claims,
    pub(crate) absent: Absent,
    pub(crate) expected: Expected,
    pub(crate) expulsions: Expulsions,
    /// Who has workers of the deployed kind.
    pub(crate) holds: Holds,
    pub(crate) recovery: Option<Recovery>,
    pub(crate) pool: Pool,
    pub(crate) line: Line,
    pub(crate) attempts: Attempts,
    pub(crate) parted: Parted,
    /// Who leads the mesh of deployed workers, where there is one.
    pub(crate) leader: Option<PeerId>,
    /// Updates that are confirmed and not in force: there are none, unless that rule is broken on purpose.
    pub(crate) late_updates: Vec<(Joined, Metadata)>,
    pub(crate) lifetime: Lifetime,
    effects: VecDeque<Effect>,
    last_ticket: u64,
}

/// Counts, for metrics and the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connected peers by role.
    pub peers: BTreeMap<String, usize>,
    /// Claims that wait for their client.
    pub leased: usize,
    /// Claims with a running job, on a connected worker.
    pub used: usize,
    /// Claims with a running job, on a worker that is silent or lost.
    pub away: usize,
    /// Claims in line.
    pub waiting: usize,
    /// Workers of the deployed kind that somebody has, connected or not.
    pub occupied: usize,
    /// Workers that are missed, for a short time.
    pub silent: usize,
    /// Workers that are missed, for so long that their jobs may be tried elsewhere.
    pub lost: usize,
}

impl Room {
    /// A room from its record and its workers as the store has them. The epoch is raised, at least to the time, and the first
    /// effect persists that; no claim is granted before it is committed. The time makes fences grow even where the record is older
    /// than what workers have seen: a store that was restored from a backup, a room that was made anew under its old id. It is in
    /// milliseconds, since a room may be loaded several times within a second. Presence starts empty: peers register again, with
    /// what they hold.
    pub fn load(record: RoomRecord, workers: Vec<WorkerRecord>, config: RoomConfig, now: Time) -> Self {
        let (taken, workers) = workers.into_iter().partition(|worker| worker.taken.is_some());
        let absent = Absent::load(workers, &config, now);
        let awaited = absent.silent().cloned().collect();
        let recovery = Recovery::begin(awaited, config.settle_ms, config.recover_ms, now);
        let mut room = Self {
            record,
            config,
            presence: Presence::default(),
            joining: Joining::default(),
            claims: Claims::default(),
            absent,
            expected: Expected::default(),
            expulsions: Expulsions::default(),
            holds: Holds::default(),
            recovery,
            pool: Pool::default(),
            line: Line::default(),
            attempts: Attempts::default(),
            parted: Parted::default(),
            leader: None,
            late_updates: Vec::new(),
            lifetime: Lifetime::default(),
            effects: VecDeque::new(),
            last_ticket: 0,
        };
        for worker in room.absent.workers().map(|(worker, _)| worker.clone()).collect::<Vec<_>>() {
            room.settle_absent(&worker);
        }
        room.bound_absent();
        room.load_holds(taken, now);
        if !mutation::on(Mutation::EpochNotRaised) {
            room.record.epoch = room.record.epoch.saturating_add(1).max(now.0);
        }
        room.commit_epoch(now);
        room
    }

    /// Takes in one thing that happened. `now` never goes back.
    pub fn handle(&mut self, input: Input, now: Time) {
        if self.lifetime.is_over() {
            return;
        }
        self.run_due(now);
        let late = std::mem::take(&mut self.late_updates);
        self.take(input, now);
        for (joined, metadata) in late {
            self.put_in_force(joined, metadata);
        }
        self.run_due_claims(now);
        self.tell_line(now);
        self.settle_lifetime(now);
        self.flush_workers(now);
        #[cfg(debug_assertions)]
        self.check_invariants(now);
    }

    /// The next thing to do, in order; `None`: nothing more until the next input.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Room::handle`] with [`Input::Tick`] if nothing else happens; `None`: never.
    pub fn next_timeout(&self) -> Option<Time> {
        if self.lifetime.is_over() {
            return None;
        }
        let recovered = self.recovery.as_ref().map(Recovery::ends_at);
        let line = [self.line.next_deadline(), self.line.next_seat(), self.line_round()];
        let workers =
            [recovered, self.absent.next_due(), self.expected.next_retry().filter(|_| !self.lifetime.is_removing())];
        let others = [self.claims.next_deadline(), self.presence.next_ping(), self.lifetime_timeout()];
        let others = others.into_iter().chain([self.holds.next_due()]);
        line.into_iter().chain(workers).chain(others).flatten().min()
    }

    /// The record with the expiry that is in force, for `access`. Holds a secret.
    pub fn record(&self) -> &RoomRecord {
        &self.record
    }

    /// Counts of now.
    pub fn stats(&self) -> Stats {
        let silent = self.absent.silent().count();
        let lost = self.absent.len() - silent;
        let (peers, waiting) = (self.presence.count_by_role(), self.line.len());
        let occupied = self.holds.len();
        let mut stats = Stats { peers, waiting, occupied, silent, lost, ..Stats::default() };
        for (worker, slot) in self.claims.slots() {
            if !slot.is_used() {
                stats.leased += 1;
            } else if self.presence.by_id(worker).is_some() {
                stats.used += 1;
            } else {
                stats.away += 1;
            }
        }
        stats
    }

    /// Whether the room may be dropped and loaded again later without anybody noticing: nobody is in it or on the way in,
    /// nobody holds a claim or waits for one, nothing is being written, and no grace period runs. Workers that are missed are in
    /// the store, and so is who has one.
    pub fn may_unload(&self) -> bool {
        self.presence.is_empty()
            && self.joining.is_empty()
            && self.expulsions.is_empty()
            && self.claims.slots().next().is_none()
            && self.line.is_empty()
            && self.expected.is_written()
            && self.lifetime.is_quiet()
            && !self.holds.iter().any(|(_, hold)| hold.is_ending())
    }

    /// The connection and the member of a connected peer, for `access`: who may delete it.
    pub fn peer(&self, id: &PeerId) -> Option<(ConnId, &sleap_rtc_wire::MemberId)> {
        self.presence.by_id(id).and_then(|joined| self.presence.get(joined)).map(|peer| (peer.conn, &peer.member))
    }

    /// Whether this member is connected to the room.
    pub fn has_member(&self, member: &sleap_rtc_wire::MemberId) -> bool {
        self.presence.has_member(member)
    }

    pub(crate) fn take(&mut self, input: Input, now: Time) {
        match input {
            Input::Register { conn, admission, register } => self.register(conn, admission, register, now),
            Input::Frame { conn, frame } => self.frame(conn, frame, now),
            Input::Closed { conn } => self.closed(conn, now),
            Input::Call { id, call } => self.call(id, call, now),
            Input::Persisted(ticket) => self.persisted(ticket, true, now),
            Input::PersistFailed(ticket) => self.persisted(ticket, false, now),
            Input::Tick => {}
        }
    }

    fn frame(&mut self, conn: ConnId, frame: FromPeer, now: Time) {
        let Some(frame) = self.after_joining(conn, frame) else { return };
        let Some(joined) = self.presence.by_conn(conn) else {
            return self.not_in_room(conn, &frame);
        };
        match frame {
            FromPeer::DiscoverPeers(discover) => self.discover(joined, &discover, now),
            FromPeer::UpdateMetadata(update) => self.update_metadata(joined, update),
            FromPeer::Relay(relay) => self.relay(joined, relay, now),
            FromPeer::Report(report) => self.report_of(joined, report, now),
            FromPeer::Mesh(frame) => self.mesh(joined, &frame),
            FromPeer::Claim(claim) => self.claim(joined, claim, now),
            FromPeer::Release(release) => self.release(joined, &release.claim_id),
            FromPeer::Withdraw(withdraw) => self.withdraw(joined, &withdraw, now),
            FromPeer::Leave => self.leave_for_good(joined, now),
            FromPeer::ClaimUsed(used) => self.claim_used(joined, &used.claim_id, now),
            FromPeer::ClaimReleased(released) => self.claim_released(joined, &released.claim_id),
            // A register is an input of its own, and old programs expect no answer to the others.
            FromPeer::Register(_) | FromPeer::Ping | FromPeer::Pong => {}
        }
    }

    fn call(&mut self, id: CallId, call: Call, now: Time) {
        match call {
            Call::Extend => self.extend(id, now),
            Call::DeletePeer(peer) => self.delete_peer(id, &peer, now),
            Call::Delete => self.delete(id, Answer::RoomDeleted, now),
            Call::Expel(members) => self.expel(id, members),
            Call::Change { name, switches } => self.change(id, Changing { name, switches }, now),
            Call::Forward { worker, text } => self.forward(id, &worker, text),
            Call::Assign { worker, job_id, text } => self.assign(id, &worker, job_id, text, now),
        }
    }

    fn persisted(&mut self, ticket: Ticket, stored: bool, now: Time) {
        let is_taken = self.room_written(ticket, stored, now)
            || self.workers_written(ticket, stored, now)
            || self.expulsion_written(ticket, stored, now);
        if !is_taken {
            self.membership_written(ticket, stored, now);
        }
    }

    fn run_due(&mut self, now: Time) {
        self.run_due_absent(now);
        self.run_due_holds(now);
        self.run_due_claims(now);
        self.send_due_pings(now);
        self.settle_lifetime(now);
    }

    /// What became possible is given before anybody's wait is over.
    fn run_due_claims(&mut self, now: Time) {
        self.end_due_claims(now);
        if self.recovery.as_ref().is_some_and(|recovery| recovery.ends_at() <= now) {
            self.recovery = None;
            self.line.changed();
            self.write_unanswered();
        }
        if !mutation::on(Mutation::LineNotServed) {
            self.serve(now);
        }
        self.end_due_waits(now);
    }

    /// Whether the sender may speak as `claimed`; says so if not.
    pub(crate) fn speaks_as(&mut self, joined: Joined, claimed: &PeerId, request_id: Option<&str>) -> bool {
        let Some(peer) = self.presence.get(joined) else { return false };
        if peer.id == *claimed || peer.called.as_ref() == Some(claimed) || mutation::on(Mutation::SenderNotChecked) {
            return true;
        }
        let conn = peer.conn;
        let text = format!("Peer {claimed} is not registered on this connection");
        self.refuse(conn, Code::Forbidden, text, request_id);
        false
    }

    fn not_in_room(&mut self, conn: ConnId, frame: &FromPeer) {
        if let Some(error) = not_registered(frame) {
            self.send(conn, ToPeer::Error(error));
        }
    }

    pub(crate) fn refuse(&mut self, conn: ConnId, code: Code, text: impl Into<String>, request_id: Option<&str>) {
        let mut error = ErrorFrame::new(code, text);
        error.request_id = request_id.map(str::to_owned);
        self.send(conn, ToPeer::Error(error));
    }

    pub(crate) fn send(&mut self, conn: ConnId, frame: ToPeer) {
        if matches!(frame, ToPeer::Error(_)) && !self.survives_errors(conn) {
            return;
        }
        self.effects.push_back(Effect::Send { conn, frame });
    }

    pub(crate) fn report(&mut self, fact: Fact) {
        self.effects.push_back(Effect::Report(fact));
    }

    pub(crate) fn answer(&mut self, id: CallId, answer: Answer) {
        self.effects.push_back(Effect::Answer { id, answer });
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// Asks for changes to be written; the ticket comes back with the outcome.
    pub(crate) fn persist(&mut self, changes: Vec<sleap_rtc_wire::record::Change>) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.effects.push_back(Effect::Persist { ticket, changes });
        ticket
    }
}

/// The answer to a frame of a connection that is no peer of any room, in the words of the deployed server; `None` where old
/// programs expect silence.
pub fn not_registered(frame: &FromPeer) -> Option<ErrorFrame> {
    use sleap_rtc_wire::signal::RelayKind;
    let text = match frame {
        FromPeer::DiscoverPeers(_) => "Peer not registered in any room",
        FromPeer::Relay(relay) if relay.kind == RelayKind::PeerMessage => "Sender not in any room",
        FromPeer::Mesh(_) => "Sender not in any room",
        FromPeer::UpdateMetadata(_)
        | FromPeer::Claim(_)
        | FromPeer::Release(_)
        | FromPeer::Withdraw(_)
        | FromPeer::ClaimUsed(_)
        | FromPeer::ClaimReleased(_) => "Peer not in any room",
        FromPeer::Relay(_)
        | FromPeer::Report(_)
        | FromPeer::Register(_)
        | FromPeer::Leave
        | FromPeer::Ping
        | FromPeer::Pong => return None,
    };
    Some(ErrorFrame::new(Code::NotInRoom, text))
}
