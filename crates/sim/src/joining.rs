//! From a `register` frame to a seat in a room, and how a room is loaded.

use std::collections::BTreeSet;

use sleap_rtc_access::{Admitted, Bearer, Person, admit, room_of};
use sleap_rtc_room::{Admission, Input, Room, RoomConfig};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, ErrorFrame, RoomId};

use crate::server::{Hall, Seat, conn};
use crate::tape::Tape;
use crate::world::World;

/// After how long a room gives up what it cannot know of workers of the deployed kind, ms: half an hour, or no world would see it.
pub(crate) const STALE_MS: u64 = 1_800_000;

impl World {
    pub(crate) fn register(
        &mut self,
        server: usize,
        wire: usize,
        register: Box<Register>,
    ) -> Result<(), Box<ErrorFrame>> {
        let unavailable =
            || Box::new(ErrorFrame::new(Code::StoreUnavailable, "the store did not answer, you are not registered"));
        if self.store.down_until > self.now {
            return Err(unavailable());
        }
        let now = self.servers[server].clock.at(self.now);
        let identity = register.id_token.as_deref().and_then(|token| self.store.identities.get(token)).cloned();
        let record = register.room_id.as_ref().and_then(|room| self.live(server, room).map(|hall| hall.room.record()));
        let record = record.or_else(|| register.room_id.as_ref().and_then(|room| self.store.rooms.get(room)));
        let person = identity.map(|one| Person::alone(one.member, one.kind, one.key, one.username));
        let bearer = Bearer::IdToken(person.as_ref());
        let allowed = room_of(bearer, &register).and_then(|_| admit(bearer, record, false, &register, 0, now));
        let admitted = allowed.map_err(|refusal| Box::new(refusal.frame()))?;
        let room = record.map(|record| record.room_id.clone());
        let Some(hall) = room.and_then(|room| self.open(server, &room)) else {
            return Err(Box::new(ErrorFrame::new(Code::RoomNotFound, "Room not found")));
        };
        let Admitted { member, key, fallback_peer_id } = admitted;
        let anonymous = key.is_none();
        if anonymous && !self.servers[server].lifetimes.arrives(&member) {
            return Err(Box::new(ErrorFrame::new(Code::AuthFailed, "Invalid token")));
        }
        let before = self.servers[server].seats.insert(wire, Seat { hall, anonymous });
        let conn = conn(server, wire);
        if let Some(before) = before.filter(|before| before.hall != hall) {
            self.enter(before.hall, Input::Closed { conn });
        }
        let admission = Admission { member: member.clone(), key, fallback_peer_id, ice_servers: Vec::new() };
        self.enter(hall, Input::Register { conn, admission, register });
        if anonymous {
            self.servers[server].lifetimes.arrived(&member);
        }
        Ok(())
    }

    fn live(&self, server: usize, room: &RoomId) -> Option<&Hall> {
        let hall = *self.servers[server].rooms.get(room)?;
        self.halls[hall].as_deref().filter(|hall| !hall.over)
    }

    /// The room, loaded if it is not yet; `None`: there is no such room.
    pub(crate) fn open(&mut self, server: usize, room: &RoomId) -> Option<usize> {
        if self.live(server, room).is_some() {
            return self.servers[server].rooms.get(room).copied();
        }
        let record = self.store.rooms.get(room)?.clone();
        let workers = self.store.workers_of(room);
        let now = self.servers[server].clock.at(self.now);
        let knobs = &self.plan.knobs;
        let config = RoomConfig {
            grace_ms: knobs.grace_ms,
            client_grace_ms: knobs.client_grace_ms,
            recover_ms: knobs.recover_ms,
            settle_ms: knobs.settle_ms,
            lost_ms: knobs.lost_ms,
            stale_ms: STALE_MS,
            server_version: String::new(),
            ..RoomConfig::default()
        };
        let hall = self.halls.len();
        self.model.load(&record, &workers, &self.plan.knobs, now);
        if let Some(tapes) = &mut self.tapes {
            let beginning = (record.clone(), workers.clone(), config.clone(), now);
            tapes.push(Tape { beginning, inputs: Vec::new() });
        }
        let loaded = Room::load(record, workers, config, now);
        let (id, used_at) = (room.clone(), self.now);
        let (writes, calls) = (Vec::new(), BTreeSet::new());
        let loaded = Hall {
            room: loaded,
            server,
            id,
            writes,
            is_writing: false,
            armed: None,
            used_at,
            over: false,
            calls,
            is_asked_to_go: false,
        };
        self.halls.push(Some(Box::new(loaded)));
        self.servers[server].rooms.insert(room.clone(), hall);
        self.settle(hall);
        Some(hall)
    }
}
