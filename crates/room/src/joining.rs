//! Registrations: checked at once, and kept waiting while a new membership is written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sleap_rtc_wire::record::{Change, MemberRole, MembershipRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, ConnId, ErrorFrame, FromPeer, MemberId, PeerId, Time, ToPeer, limits};

use crate::presence::Newcomer;
use crate::{Admission, Effect, Input, Room, Ticket};

/// What one connection may send while its registration is being written; more is refused.
const EARLY_FRAMES: usize = 16;
/// A role, bytes: a metric is kept for each.
const ROLE: usize = 32;

/// Registrations that wait for the store.
#[derive(Debug, Default)]
pub(crate) struct Joining {
    waiting: BTreeMap<ConnId, Waiting>,
    writes: BTreeMap<Ticket, Write>,
    by_member: BTreeMap<MemberId, Ticket>,
    /// Whose membership is known to be written.
    members: BTreeSet<MemberId>,
}

#[derive(Debug)]
struct Waiting {
    admission: Admission,
    register: Box<Register>,
    /// What the connection sent since, in order.
    then: VecDeque<Input>,
}

#[derive(Debug)]
struct Write {
    member: MemberId,
    conns: Vec<ConnId>,
}

impl Joining {
    /// Its membership is not in the store any more.
    pub(crate) fn not_a_member(&mut self, member: &MemberId) {
        self.members.remove(member);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.writes.is_empty()
    }

    /// Every connection that waits; none waits afterwards.
    pub(crate) fn give_up(&mut self) -> Vec<ConnId> {
        self.writes.clear();
        self.by_member.clear();
        std::mem::take(&mut self.waiting).into_keys().collect()
    }
}

impl Room {
    pub(crate) fn register(&mut self, conn: ConnId, admission: Admission, register: Box<Register>, now: Time) {
        if self.joining.waiting.contains_key(&conn) {
            return self.wait_behind(conn, Input::Register { conn, admission, register });
        }
        let id = match self.check_registration(conn, &admission, &register, now) {
            Ok(id) => id,
            Err((code, text)) => return self.not_taken_in(conn, code, text),
        };
        if admission.key.is_none() || self.joining.members.contains(&admission.member) {
            return self.enter(Newcomer { id, conn, admission, register }, now);
        }
        self.write_membership(conn, &admission.member, now);
        self.joining.waiting.insert(conn, Waiting { admission, register, then: VecDeque::new() });
    }

    fn write_membership(&mut self, conn: ConnId, member: &MemberId, now: Time) {
        let written = self.joining.by_member.get(member).and_then(|ticket| self.joining.writes.get_mut(ticket));
        if let Some(write) = written {
            return write.conns.push(conn);
        }
        let role = if *member == self.record.created_by { MemberRole::Owner } else { MemberRole::Member };
        let room_id = self.record.room_id.clone();
        let record = MembershipRecord { room_id, member: member.clone(), role, joined_at: now };
        let ticket = self.persist(vec![Change::PutMembership(record)]);
        self.joining.by_member.insert(member.clone(), ticket);
        self.joining.writes.insert(ticket, Write { member: member.clone(), conns: vec![conn] });
    }

    pub(crate) fn membership_written(&mut self, ticket: Ticket, stored: bool, now: Time) {
        let Some(write) = self.joining.writes.remove(&ticket) else { return };
        self.joining.by_member.remove(&write.member);
        if stored {
            if self.joining.members.len() >= limits::PEERS {
                // Forgetting costs a write more, remembering everybody who ever came costs memory.
                self.joining.members.clear();
            }
            self.joining.members.insert(write.member);
        }
        for conn in write.conns {
            if let Some(waiting) = self.joining.waiting.remove(&conn) {
                self.end_waiting(conn, waiting, stored, now);
            }
        }
    }

    fn end_waiting(&mut self, conn: ConnId, waiting: Waiting, stored: bool, now: Time) {
        let Waiting { admission, register, then } = waiting;
        if stored {
            match self.check_registration(conn, &admission, &register, now) {
                Ok(id) => self.enter(Newcomer { id, conn, admission, register }, now),
                Err((code, text)) => self.not_taken_in(conn, code, text),
            }
        } else {
            self.not_taken_in(conn, Code::StoreUnavailable, "the store did not answer, you are not registered");
        }
        for input in then {
            // One of them may be a registration that waits again, and then the rest waits behind it.
            self.take(input, now);
        }
    }

    /// The answer to a registration, for which its connection waits whatever an error does to its program.
    pub(crate) fn not_taken_in(&mut self, conn: ConnId, code: Code, text: impl Into<String>) {
        self.push(Effect::Send { conn, frame: ToPeer::Error(ErrorFrame::new(code, text)) });
    }

    /// Who the registration would be, or why not.
    fn check_registration(
        &self,
        conn: ConnId,
        admission: &Admission,
        register: &Register,
        now: Time,
    ) -> Result<PeerId, (Code, String)> {
        if self.is_expired(now) {
            return Err((Code::RoomExpired, "Room expired".to_owned()));
        }
        if self.lifetime.is_removing() {
            return Err((Code::RoomNotFound, "Room not found".to_owned()));
        }
        if self.expulsions.is_under_way(&admission.member) {
            return Err((Code::Forbidden, "No access to this room".to_owned()));
        }
        let Some(id) = register.peer_id.as_ref().or(admission.fallback_peer_id.as_ref()) else {
            return Err((Code::InvalidMessage, "Missing required fields during registration.".to_owned()));
        };
        if let Some(text) = too_large(register) {
            return Err((Code::TooLarge, text));
        }
        let alias = self.alias(conn, register, id);
        let id = alias.as_ref().unwrap_or(id);
        let holder = self.presence.by_id(id).and_then(|joined| self.presence.get(joined));
        let owner = holder.filter(|peer| peer.conn != conn).map(|peer| &peer.member);
        // A worker that is silent may hold what this room does not know, and comes back in a moment.
        let silent = || self.absent.get(id).filter(|missing| !missing.is_lost).map(|missing| &missing.member);
        // So does one of the deployed kind, as far as this room knows.
        let taken = || self.holds.get(id).map(|hold| &hold.member);
        let away = || self.claims.worker_member(id).or_else(silent).or_else(taken);
        if owner.or_else(away).is_some_and(|owner| *owner != admission.member) {
            return Err((Code::Forbidden, format!("Peer {id} belongs to somebody else")));
        }
        let is_new = holder.is_none() && self.presence.by_conn(conn).is_none() && self.claims.slot(id).is_none();
        let present = self.presence.len() + self.claims.away();
        if is_new && present >= self.config.max_peers {
            let most = self.config.max_peers;
            return Err((Code::TooLarge, format!("{present} peers in the room, at most {most} are allowed")));
        }
        Ok(id.clone())
    }

    /// The frame, unless its connection's registration is being written: then it waits behind that.
    pub(crate) fn after_joining(&mut self, conn: ConnId, frame: FromPeer) -> Option<FromPeer> {
        if !self.joining.waiting.contains_key(&conn) {
            return Some(frame);
        }
        self.wait_behind(conn, Input::Frame { conn, frame });
        None
    }

    fn wait_behind(&mut self, conn: ConnId, input: Input) {
        let Some(waiting) = self.joining.waiting.get_mut(&conn) else { return };
        if waiting.then.len() < EARLY_FRAMES {
            return waiting.then.push_back(input);
        }
        let text = format!("{EARLY_FRAMES} frames wait for the registration, no more are allowed");
        self.refuse(conn, Code::RateLimited, text, None);
    }

    pub(crate) fn stop_joining(&mut self, conn: ConnId) {
        self.joining.waiting.remove(&conn);
    }
}

fn too_large(register: &Register) -> Option<String> {
    if register.role.len() > ROLE {
        return Some(format!("role of {} bytes, at most {ROLE} are allowed", register.role.len()));
    }
    if register.claims.len() > limits::OPEN_CLAIMS {
        return Some(format!("{} claims held, at most {} are allowed", register.claims.len(), limits::OPEN_CLAIMS));
    }
    register.metadata.exceeds()
}
