//! A server process: its connections, the rooms that it has loaded, what it writes. It forgets everything when it is killed but
//! what the store has taken.

use std::collections::{BTreeMap, BTreeSet};

use sleap_rtc_access::IdentityLifetimes;
use sleap_rtc_room::{Call, CallId, CloseReason, Effect, Fact, Input, Room, Ticket, not_registered};
use sleap_rtc_wire::record::Change;
use sleap_rtc_wire::{ConnId, FromPeer, NodeId, RoomId, Time, ToPeer};

use crate::clock::Clock;
use crate::event::{Event, Write};
use crate::seen::Note;
use crate::world::World;

/// How often the server sweeps everything, ms.
pub(crate) const SWEEP_MS: u64 = 60_000;

/// One run of the server's program.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) alive: bool,
    /// A later server has taken over; the store does not take its writes.
    pub(crate) deposed: bool,
    pub(crate) clock: Clock,
    pub(crate) started: u64,
    pub(crate) rooms: BTreeMap<RoomId, usize>,
    pub(crate) lifetimes: IdentityLifetimes,
    pub(crate) seats: BTreeMap<usize, Seat>,
    /// When it looks for identities that are due.
    pub(crate) look_at: Option<u64>,
}

/// A connection that has registered once.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) hall: usize,
    pub(crate) anonymous: bool,
}

/// A room that a server has loaded.
#[derive(Debug)]
pub(crate) struct Hall {
    pub(crate) room: Room,
    pub(crate) server: usize,
    pub(crate) id: RoomId,
    pub(crate) writes: Vec<(Ticket, Vec<Change>)>,
    pub(crate) is_writing: bool,
    pub(crate) armed: Option<u64>,
    pub(crate) used_at: u64,
    pub(crate) over: bool,
    pub(crate) calls: BTreeSet<CallId>,
    /// By HTTP.
    pub(crate) is_asked_to_go: bool,
}

pub(crate) fn conn(server: usize, wire: usize) -> ConnId {
    ConnId { node: NodeId(0), incarnation: server as u64, n: wire as u64 }
}

impl World {
    /// The server that newcomers find, if any is there.
    pub(crate) fn server(&self) -> Option<usize> {
        self.servers.iter().rposition(|server| server.alive && !server.deposed)
    }

    /// What the latest server's clock shows.
    pub(crate) fn server_time(&self) -> Time {
        self.servers.last().map_or(Time(0), |server| server.clock.at(self.now))
    }

    /// A server begins. Its clock may be behind that of the one before.
    pub(crate) fn serve(&mut self, offset_ms: i64) {
        let ppm = self.random.below(401).cast_signed() - 200;
        let server = self.servers.len();
        self.servers.push(Server {
            alive: true,
            deposed: false,
            clock: Clock::new(self.now, offset_ms, ppm),
            started: self.now,
            rooms: BTreeMap::new(),
            lifetimes: IdentityLifetimes::new(self.plan.knobs.identity_ms),
            seats: BTreeMap::new(),
            look_at: None,
        });
        self.queue.push(self.now, Event::Sweep { server, whole: true });
    }

    /// The server's process is gone, with everything that the store has not taken.
    pub(crate) fn kill_server(&mut self, server: usize) {
        self.servers[server].alive = false;
        self.model.server_gone(server, self.now);
        for hall in std::mem::take(&mut self.servers[server].rooms).into_values() {
            if let Some(hall) = self.halls[hall].take()
                && (hall.is_writing || !hall.writes.is_empty())
            {
                self.seen.note(Note::WriteLost);
            }
            self.model.unload(hall);
        }
        for wire in 0..self.wires.len() {
            if self.wires[wire].server == server && !self.wires[wire].server_done {
                self.wires[wire].server_done = true;
                let after = if self.random.one_in(6) { 90_000 } else { self.random.between(1, 2_000) };
                self.cut_wire(wire, after, after);
            }
        }
    }

    /// A frame arrives.
    pub(crate) fn up(&mut self, wire: usize, frame: FromPeer) -> bool {
        let (server, gone) = (self.wires[wire].server, self.wires[wire].cut || self.wires[wire].server_done);
        if gone || !self.servers[server].alive {
            self.seen.note(Note::FrameLost);
            return false;
        }
        match frame {
            FromPeer::Register(register) => {
                if let Err(error) = self.register(server, wire, register) {
                    self.seen.note(Note::StrangerRefused);
                    self.send_down(wire, ToPeer::Error(*error));
                }
            }
            frame => match self.servers[server].seats.get(&wire).map(|seat| seat.hall) {
                Some(hall) => self.enter(hall, Input::Frame { conn: conn(server, wire), frame }),
                None => {
                    if let Some(error) = not_registered(&frame) {
                        self.send_down(wire, ToPeer::Error(error));
                    }
                }
            },
        }
        true
    }

    /// Tells a room what happened, and does what it wants done.
    pub(crate) fn enter(&mut self, index: usize, input: Input) {
        let Some(hall) = self.halls[index].as_deref_mut().filter(|hall| !hall.over) else { return };
        let now = self.servers[hall.server].clock.at(self.now);
        hall.used_at = self.now;
        if let Some(tapes) = &mut self.tapes {
            tapes[index].inputs.push((input.clone(), now));
        }
        self.model.input(index, &input, now, &mut self.seen);
        hall.room.handle(input, now);
        self.settle(index);
    }

    pub(crate) fn settle(&mut self, index: usize) {
        let Some(mut hall) = self.halls[index].take() else { return };
        let now = self.servers[hall.server].clock.at(self.now);
        while let Some(effect) = hall.room.next_effect() {
            if let Err(violation) = self.model.effect(index, &effect, now, &mut self.seen) {
                self.violate(violation);
            }
            self.carry_out(index, &mut hall, effect);
        }
        if let Err(violation) = self.model.settled(index, &hall.room, now, &mut self.seen) {
            self.violate(violation);
        }
        if !hall.is_writing && !hall.writes.is_empty() {
            hall.is_writing = true;
            let (tickets, changes): (Vec<_>, Vec<_>) = std::mem::take(&mut hall.writes).into_iter().unzip();
            let write = Write { tickets, changes: changes.into_iter().flatten().collect() };
            let most = if self.now < self.store.slow_until { 8_000 } else { 8 };
            let at = self.now + self.random.between(1, most);
            self.queue.push(at, Event::Commit { hall: index, write: Box::new(write) });
        }
        if let Some(next) = hall.room.next_timeout().filter(|_| !hall.over) {
            let at = self.servers[hall.server].clock.when(next, self.now);
            if hall.armed.is_none_or(|armed| at < armed) {
                hall.armed = Some(at);
                self.queue.push(at, Event::RoomWake { hall: index, at });
            }
        }
        self.halls[index] = Some(hall);
    }

    fn carry_out(&mut self, index: usize, hall: &mut Hall, effect: Effect) {
        match effect {
            Effect::Send { conn, frame } => {
                let wire = conn.n as usize;
                if !self.wires[wire].server_done {
                    self.trace.frame(&frame);
                    self.send_down(wire, frame);
                }
            }
            Effect::Close { conn, reason } => {
                let wire = conn.n as usize;
                if reason == CloseReason::Superseded {
                    self.seen.note(Note::Superseded);
                    self.wires[wire].replaced = true;
                }
                self.servers[hall.server].seats.remove(&wire);
                self.wires[wire].closed_by = Some(index);
                if !self.wires[wire].server_done {
                    self.close_down(wire);
                }
            }
            // Nobody watches here.
            Effect::Publish { .. } => {}
            Effect::Persist { ticket, changes } => hall.writes.push((ticket, changes)),
            Effect::Answer { id, .. } => {
                hall.calls.remove(&id);
            }
            Effect::Report(fact) => self.report(hall, fact),
            Effect::Removed => {
                hall.over = true;
                self.removed(index, hall);
            }
        }
    }

    fn report(&mut self, hall: &Hall, fact: Fact) {
        let anonymous = |seats: &BTreeMap<usize, Seat>, conn: &ConnId| {
            seats.get(&(conn.n as usize)).is_some_and(|seat| seat.anonymous)
        };
        let server = &mut self.servers[hall.server];
        let now = server.clock.at(self.now);
        match fact {
            Fact::Registered { member, conn, .. } if anonymous(&server.seats, &conn) => {
                server.lifetimes.connected(&member, &hall.id, conn);
                self.model.visits(&member, true, self.now, hall.server);
            }
            Fact::Left { member, conn, .. } => {
                // Only anonymous ones are known there.
                server.lifetimes.disconnected(&member, conn, now);
                self.model.visits(&member, false, self.now, hall.server);
                self.look_again(hall.server);
            }
            _ => {}
        }
    }

    fn removed(&mut self, index: usize, hall: &Hall) {
        let server = &mut self.servers[hall.server];
        let now = server.clock.at(self.now);
        server.lifetimes.room_removed(&hall.id, Some(&hall.room.record().created_by), now);
        self.seen.note(Note::RoomGone);
        // Nobody has asked for it: its time was over, or its last peer had been gone for long enough.
        if !hall.is_asked_to_go {
            self.seen.note(Note::RoomGrace);
        }
        if server.rooms.get(&hall.id) == Some(&index) {
            server.rooms.remove(&hall.id);
        }
        self.look_again(hall.server);
    }

    /// Plans the next look for identities that are due.
    pub(crate) fn look_again(&mut self, server: usize) {
        let one = &mut self.servers[server];
        let Some(due) = one.lifetimes.next_timeout() else { return };
        let at = one.clock.when(due, self.now);
        if one.look_at.is_none_or(|planned| planned <= self.now || at < planned) {
            one.look_at = Some(at);
            self.queue.push(at, Event::Sweep { server, whole: false });
        }
    }

    /// The socket's task ends, whoever closed it: the room is told once, also of a connection that it has closed itself.
    pub(crate) fn server_hears(&mut self, wire: usize) {
        let server = self.wires[wire].server;
        self.wires[wire].server_done = true;
        if std::mem::replace(&mut self.wires[wire].server_heard, true) || !self.servers[server].alive {
            return;
        }
        let seat = self.servers[server].seats.get(&wire).map(|seat| seat.hall);
        if let Some(hall) = seat.or(self.wires[wire].closed_by) {
            self.enter(hall, Input::Closed { conn: conn(server, wire) });
            self.servers[server].seats.remove(&wire);
        }
    }

    pub(crate) fn room_wake(&mut self, index: usize, at: u64) -> bool {
        let Some(hall) = self.halls[index].as_deref_mut() else { return false };
        if hall.over || hall.armed != Some(at) {
            return false;
        }
        hall.armed = None;
        let now = self.servers[hall.server].clock.at(self.now);
        if hall.room.next_timeout().is_none_or(|next| next > now) {
            self.settle(index);
            return false;
        }
        let used_at = hall.used_at;
        self.enter(index, Input::Tick);
        if let Some(hall) = self.halls[index].as_deref_mut() {
            hall.used_at = used_at;
        }
        true
    }

    /// The store takes a batch in, or does not; the room hears of it a moment later.
    pub(crate) fn commit(&mut self, index: usize, write: Write) {
        let Some(hall) = self.halls[index].as_deref() else { return };
        let refused = self.store.down_until > self.now || self.servers[hall.server].deposed;
        let stored = !refused && self.store.apply(&write.changes);
        if !stored {
            self.seen.note(Note::StoreDown);
        }
        let at = self.now + self.random.below(3);
        self.queue.push(at, Event::Written { hall: index, tickets: write.tickets, stored });
    }

    pub(crate) fn written(&mut self, index: usize, tickets: &[Ticket], stored: bool) {
        if self.halls[index].is_none() {
            return self.seen.note(Note::ReportLost);
        }
        for ticket in tickets {
            self.enter(index, if stored { Input::Persisted(*ticket) } else { Input::PersistFailed(*ticket) });
        }
        if let Some(hall) = self.halls[index].as_deref_mut() {
            hall.is_writing = false;
        }
        self.settle(index);
    }

    /// Asks something of a room over HTTP.
    pub(crate) fn call(&mut self, room: usize, call: Call) {
        let Some(server) = self.server() else { return };
        let id = self.places[room].id.clone();
        let Some(hall) = self.open(server, &id) else { return };
        let call_id = CallId(self.steps + 1);
        if let Some(hall) = self.halls[hall].as_deref_mut() {
            hall.is_asked_to_go |= matches!(call, Call::Delete | Call::DeletePeer(_));
            hall.calls.insert(call_id);
        }
        self.enter(hall, Input::Call { id: call_id, call });
    }
}
