//! What a room wants done: one small function an effect, in the order given.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use sleap_rtc_access::{Named, may_take_name};
use sleap_rtc_room::{Answer, CallId, CloseReason, Effect, Fact, Input, Room, Ticket};
use sleap_rtc_wire::record::Change;
use sleap_rtc_wire::signal::Report;
use sleap_rtc_wire::{ConnId, PeerId, ToPeer};
use tokio::sync::oneshot;

use crate::app::Context;
use crate::outbox::{End, Outbox};

/// A connection, as its room sees it.
#[derive(Clone)]
pub(crate) struct Seated {
    pub(crate) outbox: Arc<Outbox>,
    /// Whether its member is an anonymous identity, which goes with its connections.
    pub(crate) anonymous: bool,
    /// Whether it takes part in claims.
    pub(crate) claims: bool,
    /// From where it comes, if that is known.
    pub(crate) address: Option<IpAddr>,
}

impl Seated {
    fn named(&self) -> Named {
        Named { anonymous: self.anonymous, claims: self.claims, address: self.address }
    }
}

/// Changes to be written, and the tickets that wait for them.
pub(crate) type Writes = (Vec<Ticket>, Vec<Change>);

/// A room, and everything that its effects touch.
pub(crate) struct Hands {
    pub(crate) room: Room,
    pub(crate) seats: HashMap<ConnId, Seated>,
    pub(crate) is_over: bool,
    context: Arc<Context>,
    calls: HashMap<CallId, oneshot::Sender<Answer>>,
    /// Registrations without an answer, to be told whether the room took them in.
    registering: HashMap<ConnId, oneshot::Sender<bool>>,
    writes: VecDeque<(Ticket, Vec<Change>)>,
    /// Peers that have left in the step that is being carried out, and whether for good.
    gone: HashMap<ConnId, (PeerId, bool)>,
}

impl Hands {
    pub(crate) fn new(room: Room, context: Arc<Context>) -> Self {
        let mut hands = Self {
            room,
            seats: HashMap::new(),
            is_over: false,
            context,
            calls: HashMap::new(),
            registering: HashMap::new(),
            writes: VecDeque::new(),
            gone: HashMap::new(),
        };
        hands.drain();
        hands
    }

    /// Tells the room what happened, and does what it wants done.
    pub(crate) fn take(&mut self, input: Input) {
        self.room.handle(input, self.context.now());
        self.drain();
    }

    /// Lets a connection register, and says in time whether it was taken in.
    pub(crate) fn register(&mut self, seated: Seated, input: Input) -> oneshot::Receiver<bool> {
        let (send, taken_in) = oneshot::channel();
        if let Input::Register { conn, register, .. } = &input {
            if let Some(name) = register.peer_id.as_ref().filter(|_| !self.room.would_share(*conn, register)) {
                self.give_way(name, *conn, &seated);
            }
            self.seats.insert(*conn, seated);
            self.registering.insert(*conn, send);
        }
        self.take(input);
        taken_in
    }

    /// Closes the connection that holds this name, if `access` says that the newcomer may have it.
    fn give_way(&mut self, name: &PeerId, newcomer: ConnId, seated: &Seated) {
        let Some((holder, _)) = self.room.peer(name) else { return };
        let Some(held) = self.seats.get(&holder).filter(|_| holder != newcomer) else { return };
        if may_take_name(held.named(), seated.named()) {
            self.take(Input::Closed { conn: holder });
            self.close(holder, CloseReason::Superseded);
        }
    }

    /// A connection is gone from here.
    pub(crate) fn leave(&mut self, conn: ConnId) {
        self.take(Input::Closed { conn });
        self.seats.remove(&conn);
        self.registering.remove(&conn);
    }

    pub(crate) fn expect_answer(&mut self, id: CallId, answer: oneshot::Sender<Answer>) {
        self.calls.insert(id, answer);
    }

    /// Everything that waits to be written. In one batch: what was asked for first is written first, and a slow disk is
    /// waited for once.
    pub(crate) fn take_writes(&mut self) -> Option<Writes> {
        if self.writes.is_empty() {
            return None;
        }
        let (tickets, changes): (Vec<_>, Vec<_>) = std::mem::take(&mut self.writes).into_iter().unzip();
        Some((tickets, changes.into_iter().flatten().collect()))
    }

    pub(crate) fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Whether nobody would notice if this were dropped and loaded again.
    pub(crate) fn is_idle(&self) -> bool {
        let nothing_open = self.seats.is_empty() && self.calls.is_empty() && self.writes.is_empty();
        nothing_open && self.room.may_unload()
    }

    fn drain(&mut self) {
        while let Some(effect) = self.room.next_effect() {
            match effect {
                Effect::Send { conn, frame } => self.send(conn, &frame),
                Effect::Close { conn, reason } => self.close(conn, reason),
                Effect::Persist { ticket, changes } => self.writes.push_back((ticket, changes)),
                Effect::Publish { worker, report } => self.publish(&worker, &report),
                Effect::Answer { id, answer } => self.answer(id, answer),
                Effect::Report(fact) => self.report(fact),
                Effect::Removed => self.removed(),
            }
        }
        self.tell_watchers();
    }

    /// Those who watch a worker's jobs hear that it is gone: not if it has only registered again.
    fn tell_watchers(&mut self) {
        let (room, now) = (&self.room.record().room_id, self.context.now());
        for (worker, for_good) in self.gone.drain().map(|(_, gone)| gone) {
            if for_good {
                self.context.channels.worker_is_gone(room, &worker, now);
            } else if self.room.peer(&worker).is_none() {
                self.context.channels.worker_is_away(room, &worker, now);
            }
        }
    }

    fn send(&mut self, conn: ConnId, frame: &ToPeer) {
        // Nothing else is said to a connection that waits to be taken in: its next frame is read after the answer.
        if matches!(frame, ToPeer::Error(_)) {
            self.tell_registering(conn, false);
        }
        if let Some(seated) = self.seats.get(&conn) {
            seated.outbox.push(frame);
        }
    }

    fn tell_registering(&mut self, conn: ConnId, taken_in: bool) {
        if let Some(waiting) = self.registering.remove(&conn) {
            // A connection that has ended meanwhile does not want to know.
            let _ = waiting.send(taken_in);
        }
    }

    fn close(&mut self, conn: ConnId, reason: CloseReason) {
        if let Some((_, for_good)) = self.gone.get_mut(&conn) {
            *for_good |= reason != CloseReason::Superseded;
        }
        if let Some(seated) = self.seats.remove(&conn) {
            seated.outbox.close(End::Room(reason));
        }
    }

    fn publish(&self, worker: &PeerId, report: &Report) {
        self.context.channels.report(&self.room.record().room_id, worker, report, self.context.now());
    }

    fn answer(&mut self, id: CallId, answer: Answer) {
        if let Some(caller) = self.calls.remove(&id) {
            // A caller that has hung up does not want the answer.
            let _ = caller.send(answer);
        }
    }

    fn report(&mut self, fact: Fact) {
        let metrics = &self.context.metrics;
        let room = &self.room.record().room_id;
        match fact {
            Fact::Registered { peer, role, member, conn } => {
                metrics.registrations.add();
                tracing::debug!(%room, %peer, role, "registered");
                self.context.whereabouts.came(&peer, room, conn);
                self.context.channels.worker_is_back(room, &peer, self.context.now());
                if let Some(seated) = self.seats.get(&conn) {
                    seated.outbox.set_registered();
                    if seated.anonymous {
                        self.context.lifetimes().connected(&member, room, conn);
                    }
                }
                self.tell_registering(conn, true);
            }
            Fact::Left { peer, role, member, conn } => {
                tracing::debug!(%room, %peer, role, "left");
                self.context.whereabouts.left(&peer, room, conn);
                self.gone.insert(conn, (peer, false));
                // Only anonymous ones are known there.
                self.context.lifetimes().disconnected(&member, conn, self.context.now());
                self.context.lonely.notify_one();
            }
            Fact::Relayed => metrics.relayed.add(),
            Fact::Granted => metrics.claims_granted.add(),
            Fact::Refused => metrics.claims_refused.add(),
            Fact::Ended => metrics.claims_ended.add(),
        }
    }

    fn removed(&mut self) {
        self.is_over = true;
        self.context.metrics.rooms_removed.add();
        let record = self.room.record();
        tracing::info!(room = %record.room_id, "room removed");
        // Old programs make their room by an anonymous identity of its own.
        self.context.lifetimes().room_removed(&record.room_id, Some(&record.created_by), self.context.now());
        self.context.lonely.notify_one();
        self.context.channels.end_room(&record.room_id);
        self.calls.clear();
        self.registering.clear();
    }
}
