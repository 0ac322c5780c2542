//! The one place where inputs are told apart. What each of them means is in the file of its noun.

use std::collections::{BTreeMap, VecDeque};

use sleap_rtc_wire::record::{RoomRecord, WorkerRecord};
use sleap_rtc_wire::{Code, ConnId, ErrorFrame, FromPeer, PeerId, Time, ToPeer};

use crate::absent::Absent;
use crate::joining::Joining;
use crate::lifetime::Lifetime;
use crate::peers::{Joined, Presence};
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
    /// Claims with a running job, on a worker that is away.
    pub silent: usize,
}

impl Room {
    /// A room from its record and its workers as the store has them. The epoch is raised by one, and the first effect persists
    /// that; no claim is granted before it is committed. Presence starts empty: peers register again, with what they hold.
    pub fn load(record: RoomRecord, workers: Vec<WorkerRecord>, config: RoomConfig, now: Time) -> Self {
        let mut room = Self {
            record,
            config,
            presence: Presence::default(),
            joining: Joining::default(),
            claims: Claims::default(),
            absent: Absent::load(workers, now),
            lifetime: Lifetime::default(),
            effects: VecDeque::new(),
            last_ticket: 0,
        };
        room.record.epoch = room.record.epoch.saturating_add(1);
        room.commit_epoch(now);
        room
    }

    /// Takes in one thing that happened. `now` never goes back.
    pub fn handle(&mut self, input: Input, now: Time) {
        if self.lifetime.is_over() {
            return;
        }
        self.run_due(now);
        self.take(input, now);
        self.end_due_claims(now);
        self.settle_lifetime(now);
        #[cfg(debug_assertions)]
        self.check_invariants(now);
    }

    /// The next thing to do, in order; `None`: nothing more until the next input.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Room::handle`] with [`Input::Tick`] if nothing else happens; `None`: never.
    pub fn next_timeout(&self) -> Option<Time> {
        [self.claims.next_deadline(), self.presence.next_ping(), self.lifetime_timeout()].into_iter().flatten().min()
    }

    /// The record with the expiry that is in force, for `access`. Holds a secret.
    pub fn record(&self) -> &RoomRecord {
        &self.record
    }

    /// Counts of now.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats { peers: self.presence.count_by_role(), ..Stats::default() };
        for (worker, slot) in self.claims.slots() {
            if !slot.is_used() {
                stats.leased += 1;
            } else if self.presence.by_id(worker).is_some() {
                stats.used += 1;
            } else {
                stats.silent += 1;
            }
        }
        stats
    }

    /// Whether the room may be dropped and loaded again later without anybody noticing: nobody is in it or on the way in,
    /// nobody holds a claim, nothing is being written, and no grace period runs.
    pub fn may_unload(&self) -> bool {
        self.presence.is_empty()
            && self.joining.is_empty()
            && self.claims.slots().next().is_none()
            && self.lifetime.is_quiet()
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
            FromPeer::DiscoverPeers(discover) => self.discover(joined, &discover),
            FromPeer::UpdateMetadata(update) => self.update_metadata(joined, update),
            FromPeer::Relay(relay) => self.relay(joined, relay),
            FromPeer::Claim(claim) => self.claim(joined, claim, now),
            FromPeer::Release(release) => self.release(joined, &release.claim_id),
            FromPeer::ClaimUsed(used) => self.claim_used(joined, &used.claim_id, now),
            FromPeer::ClaimReleased(released) => self.claim_released(joined, &released.claim_id),
            // A register is an input of its own, and old programs expect no answer to the others.
            FromPeer::Register(_) | FromPeer::Ping | FromPeer::Pong | FromPeer::Leave | FromPeer::Withdraw(_) => {}
        }
    }

    fn call(&mut self, id: CallId, call: Call, now: Time) {
        match call {
            Call::Extend => self.extend(id, now),
            Call::DeletePeer(peer) => self.delete_peer(id, &peer, now),
            Call::Delete => self.delete(id, Answer::RoomDeleted, now),
        }
    }

    fn persisted(&mut self, ticket: Ticket, stored: bool, now: Time) {
        if !self.room_written(ticket, stored, now) {
            self.membership_written(ticket, stored, now);
        }
    }

    fn run_due(&mut self, now: Time) {
        self.end_due_claims(now);
        self.send_due_pings(now);
        self.settle_lifetime(now);
    }

    /// Whether the sender may speak as `claimed`; says so if not.
    pub(crate) fn speaks_as(&mut self, joined: Joined, claimed: &PeerId, request_id: Option<&str>) -> bool {
        let Some(peer) = self.presence.get(joined) else { return false };
        if peer.id == *claimed {
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
        FromPeer::UpdateMetadata(_)
        | FromPeer::Claim(_)
        | FromPeer::Release(_)
        | FromPeer::Withdraw(_)
        | FromPeer::ClaimUsed(_)
        | FromPeer::ClaimReleased(_) => "Peer not in any room",
        FromPeer::Relay(_) | FromPeer::Register(_) | FromPeer::Leave | FromPeer::Ping | FromPeer::Pong => return None,
    };
    Some(ErrorFrame::new(Code::NotInRoom, text))
}
