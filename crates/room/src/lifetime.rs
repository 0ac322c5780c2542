//! How long the room lives: its epoch, its expiry, its removal. One change of the room's record is written at a time, so that
//! what the store has last is what is in force.

use sleap_rtc_wire::claim::{Claim, EndReason};
use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::record::{Change, RoomKind, RoomRecord, Switches};
use sleap_rtc_wire::{Code, PeerId, Time};

use crate::claims::Tell;
use crate::peers::Joined;
use crate::{Answer, CallId, CloseReason, Effect, Room, Ticket};

/// What an extension adds at least, ms: the two hours of the deployed server.
const EXTENSION_MS: u64 = 7_200_000;
/// The expiry of a room with peers is written again when this much of its time to live has passed, or half of it, ms.
const RENEWAL_MS: u64 = 3_600_000;
/// How long to wait before a failed write is tried again, ms.
const RETRY_MS: u64 = 60_000;

/// What is being written, what is to be written next, and since when the room is empty.
#[derive(Debug, Default)]
pub(crate) struct Lifetime {
    phase: Phase,
    /// Claims that wait for the epoch to be committed.
    pub(crate) early_claims: Vec<(Joined, Claim)>,
    writing: Option<Writing>,
    next: Next,
    /// When the last peer of an ephemeral room left.
    empty_since: Option<Time>,
    retry_at: Option<Time>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    /// The store does not have this load's epoch yet.
    #[default]
    Loaded,
    Open,
    Over,
}

/// What waits for the write under way.
#[derive(Debug, Default)]
struct Next {
    commit: bool,
    renew: bool,
    /// The end of an ephemeral room's grace: written down, so that a server that starts later knows of it.
    grace_ends: Option<Time>,
    extend: Vec<CallId>,
    change: Vec<(CallId, Changing)>,
    remove: bool,
    /// Calls that wait for the removal, with their answer.
    delete: Vec<(CallId, Answer)>,
}

/// What the owner wants changed.
#[derive(Debug)]
pub(crate) struct Changing {
    /// The room's name; `None`: as it was.
    pub(crate) name: Option<String>,
    /// What is switched; `None`: as it was.
    pub(crate) switches: Option<Switches>,
}

#[derive(Debug)]
struct Writing {
    ticket: Ticket,
    what: What,
}

#[derive(Debug)]
enum What {
    Put(Put),
    Delete,
}

/// A record that is being written: what is in force once it is stored, and who is told.
#[derive(Debug)]
struct Put {
    expires_at: Option<Time>,
    name: Option<String>,
    switches: Switches,
    extended: Vec<CallId>,
    changed: Vec<CallId>,
}

impl Lifetime {
    pub(crate) fn is_committed(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether nothing is to come but the room's expiry.
    pub(crate) fn is_quiet(&self) -> bool {
        self.writing.is_none() && self.empty_since.is_none() && self.retry_at.is_none()
    }

    /// Whether the room's removal is asked for, being written, or done.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_removing() || self.is_over()
    }

    /// Whether the room's removal is asked for or being written.
    pub(crate) fn is_removing(&self) -> bool {
        self.next.is_removal() || matches!(self.writing, Some(Writing { what: What::Delete, .. }))
    }
}

impl Next {
    fn is_removal(&self) -> bool {
        self.remove || !self.delete.is_empty()
    }
}

impl Room {
    /// Has the epoch written, unless it is or is being written.
    pub(crate) fn commit_epoch(&mut self, now: Time) {
        self.lifetime.next.commit = !self.lifetime.is_committed() && self.lifetime.writing.is_none();
        self.write_next(now);
    }

    pub(crate) fn extend(&mut self, id: CallId, now: Time) {
        self.lifetime.next.extend.push(id);
        self.write_next(now);
    }

    /// Changes what the owner may change: in force, and answered, once it is written.
    pub(crate) fn change(&mut self, id: CallId, change: Changing, now: Time) {
        self.lifetime.next.change.push((id, change));
        self.write_next(now);
    }

    pub(crate) fn delete(&mut self, id: CallId, answer: Answer, now: Time) {
        self.lifetime.next.delete.push((id, answer));
        self.write_next(now);
    }

    /// Removes a peer that asks for it or is asked to: unlike a lost connection, this ends its claims. An ephemeral room goes
    /// with its last peer.
    pub(crate) fn delete_peer(&mut self, id: CallId, peer: &PeerId, now: Time) {
        if self.is_shared(peer, now) {
            // A deployed client that ends asks for this, under the name that it shares: its connection's end removes what is its own.
            return self.answer(id, Answer::NoSuchPeer);
        }
        let joined = self.presence.by_id(peer);
        let is_missed = self.claims.slot(peer).is_some() || self.absent.get(peer).is_some();
        let is_missed = is_missed || self.holds.get(peer).is_some();
        if joined.is_none() && !is_missed {
            return self.answer(id, Answer::NoSuchPeer);
        }
        let present = joined.and_then(|joined| self.drop_peer(joined));
        if let Some(peer) = &present {
            self.client_is_gone(peer);
            self.guest_is_gone(peer, now);
            self.push(Effect::Close { conn: peer.conn, reason: CloseReason::Deleted });
        }
        self.worker_is_gone(peer, present.is_some_and(|peer| peer.is_bookable()));
        if self.presence.is_empty() && self.record.kind == RoomKind::Ephemeral {
            self.lifetime.empty_since = Some(now);
            return self.delete(id, Answer::PeerDeleted { room_removed: true }, now);
        }
        self.answer(id, Answer::PeerDeleted { room_removed: false });
        if joined.is_some() {
            self.somebody_left(now);
        }
    }

    pub(crate) fn somebody_came(&mut self) {
        self.lifetime.empty_since = None;
        self.lifetime.next.grace_ends = None;
    }

    /// When the last peer leaves, a named room's time begins anew, and an ephemeral room's grace begins.
    pub(crate) fn somebody_left(&mut self, now: Time) {
        if !self.presence.is_empty() {
            return;
        }
        if self.record.kind == RoomKind::Named {
            self.lifetime.next.renew = true;
        } else {
            self.lifetime.empty_since = Some(now);
            // A room that goes this very moment is not written first.
            self.lifetime.next.grace_ends = (self.config.grace_ms > 0).then(|| now.plus_ms(self.config.grace_ms));
        }
        self.write_next(now);
    }

    /// Whether the room's time is over. Connected peers keep it.
    pub(crate) fn is_expired(&self, now: Time) -> bool {
        self.presence.is_empty() && self.record.expires_at.is_some_and(|at| at <= now)
    }

    pub(crate) fn lifetime_timeout(&self) -> Option<Time> {
        if self.lifetime.writing.is_some() || self.lifetime.is_over() {
            return None;
        }
        let due = if self.presence.is_empty() { self.removal_due() } else { self.renewal_due() };
        due.map(|at| self.lifetime.retry_at.map_or(at, |retry| retry.max(at)))
    }

    fn removal_due(&self) -> Option<Time> {
        if mutation::on(Mutation::RoomNotRemoved) {
            return None;
        }
        let graced = self.lifetime.empty_since.map(|at| at.plus_ms(self.config.grace_ms));
        [self.record.expires_at, graced].into_iter().flatten().min()
    }

    /// When an hour of the time to live has passed, or half of a shorter one.
    fn renewal_due(&self) -> Option<Time> {
        let (expires_at, ttl_ms) = (self.record.expires_at?, self.record.ttl_ms?);
        Some(Time(expires_at.0.saturating_sub(ttl_ms - RENEWAL_MS.min(ttl_ms / 2))))
    }

    pub(crate) fn settle_lifetime(&mut self, now: Time) {
        if self.lifetime_timeout().is_some_and(|at| at <= now) {
            if self.presence.is_empty() {
                self.lifetime.next.remove = true;
            } else {
                self.lifetime.next.renew = true;
            }
            self.write_next(now);
        }
    }

    /// Starts the next write if none is under way: a removal before anything else.
    fn write_next(&mut self, now: Time) {
        if self.lifetime.writing.is_some() || self.lifetime.is_over() {
            return;
        }
        let next = &mut self.lifetime.next;
        if next.is_removal() {
            let ticket = self.persist(vec![Change::DeleteRoom(self.record.room_id.clone())]);
            self.lifetime.writing = Some(Writing { ticket, what: What::Delete });
            return;
        }
        if !next.commit && !next.renew && next.grace_ends.is_none() && next.extend.is_empty() && next.change.is_empty()
        {
            return;
        }
        let extended = std::mem::take(&mut next.extend);
        let changes = std::mem::take(&mut next.change);
        let renew = std::mem::take(&mut next.renew);
        let grace_ends = next.grace_ends.take().filter(|_| extended.is_empty());
        next.commit = false;
        let expires_at = self.expiry_after(renew, !extended.is_empty(), now);
        let expires_at = expires_at.map(|at| grace_ends.unwrap_or(at));
        let mut record = RoomRecord { expires_at, ..self.record.clone() };
        let changed = changes.into_iter().map(|(id, change)| {
            record.name = change.name.or(record.name.take());
            record.switches = change.switches.unwrap_or(record.switches);
            id
        });
        let changed = changed.collect();
        let (name, switches) = (record.name.clone(), record.switches);
        let ticket = self.persist(vec![Change::PutRoom(record)]);
        let put = Put { expires_at, name, switches, extended, changed };
        self.lifetime.writing = Some(Writing { ticket, what: What::Put(put) });
    }

    /// An expiry only ever moves on, but for the grace of an ephemeral room that its last peer has left.
    fn expiry_after(&self, renew: bool, extend: bool, now: Time) -> Option<Time> {
        let current = self.record.expires_at?;
        let Some(ttl_ms) = self.record.ttl_ms else { return Some(current) };
        let renewed = if renew { now.plus_ms(ttl_ms) } else { current };
        let extended = if extend { now.plus_ms(ttl_ms.max(EXTENSION_MS)) } else { current };
        Some(current.max(renewed).max(extended))
    }

    /// Takes in the outcome of a write of the room; `false`: the ticket is not of such a write.
    pub(crate) fn room_written(&mut self, ticket: Ticket, stored: bool, now: Time) -> bool {
        let Some(writing) = self.lifetime.writing.take_if(|writing| writing.ticket == ticket) else { return false };
        self.lifetime.retry_at = (!stored).then(|| now.plus_ms(RETRY_MS));
        match writing.what {
            What::Put(put) => self.room_put(put, stored, now),
            What::Delete if stored => self.finish(),
            What::Delete => self.removal_failed(),
        }
        self.write_next(now);
        true
    }

    fn room_put(&mut self, put: Put, stored: bool, now: Time) {
        let Put { expires_at, name, switches, extended, changed } = put;
        if stored {
            self.record.expires_at = expires_at;
            self.record.name = name;
            self.switch(switches);
            self.lifetime.phase = Phase::Open;
            if !extended.is_empty() && self.lifetime.next.grace_ends.is_none() {
                // Somebody wants the room to stay, whoever has left it.
                self.lifetime.empty_since = None;
            }
        }
        for (calls, done) in [(extended, Answer::Extended { expires_at }), (changed, Answer::Changed)] {
            for id in calls {
                self.answer(id, if stored { done } else { Answer::StoreUnavailable });
            }
        }
        self.settle_early_claims(now);
    }

    fn removal_failed(&mut self) {
        self.lifetime.next.remove = false;
        self.line.changed();
        for (id, answer) in std::mem::take(&mut self.lifetime.next.delete) {
            let answer = match answer {
                Answer::PeerDeleted { .. } => Answer::PeerDeleted { room_removed: false },
                _ => Answer::StoreUnavailable,
            };
            self.answer(id, answer);
        }
    }

    /// The store has forgotten the room: so does everybody else.
    fn finish(&mut self) {
        self.end_line();
        let workers: Vec<PeerId> = self.claims.slots().map(|(worker, _)| worker.clone()).collect();
        for worker in workers {
            self.end_claim(&worker, EndReason::RoomRemoved, Tell::Both);
        }
        for conn in self.joining.give_up() {
            self.not_taken_in(conn, Code::RoomNotFound, "Room not found");
        }
        let peers: Vec<Joined> = self.presence.with_role(None).map(|(joined, _)| joined).collect();
        for joined in peers {
            if let Some(peer) = self.drop_peer(joined) {
                self.push(Effect::Close { conn: peer.conn, reason: CloseReason::RoomRemoved });
            }
        }
        for (id, answer) in std::mem::take(&mut self.lifetime.next.delete) {
            self.answer(id, answer);
        }
        let changes = std::mem::take(&mut self.lifetime.next.change).into_iter().map(|(id, _)| id);
        for id in std::mem::take(&mut self.lifetime.next.extend).into_iter().chain(changes) {
            self.answer(id, Answer::NoSuchRoom);
        }
        self.lifetime.phase = Phase::Over;
        self.push(Effect::Removed);
    }
}
