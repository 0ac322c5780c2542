//! How long anonymous identities are kept: while connected, and a grace period after; at the latest as long as their room.

use std::collections::{BTreeMap, BTreeSet};

use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::{ConnId, MemberId, RoomId, Time};

/// The anonymous identities that have connections or had them lately.
///
/// The shell tells it only of anonymous identities: an installation's key stays. It asks [`IdentityLifetimes::due`] when
/// [`IdentityLifetimes::next_timeout`] has come and after a room was removed, and forgets whom it names. An identity that never
/// connected is not known here: the clean-up finds it by its age.
#[derive(Debug)]
pub struct IdentityLifetimes {
    grace_ms: u64,
    lives: BTreeMap<MemberId, Life>,
    /// Who has been in a room since it was first connected.
    visitors: BTreeMap<RoomId, BTreeSet<MemberId>>,
    due: BTreeSet<(Time, MemberId)>,
    /// Registrations that are under way.
    arriving: BTreeMap<MemberId, usize>,
    /// Those that are being forgotten.
    leaving: BTreeSet<MemberId>,
}

#[derive(Debug, Default)]
struct Life {
    conns: BTreeSet<ConnId>,
    rooms: BTreeSet<RoomId>,
    /// When it is forgotten, if no connection comes.
    until: Option<Time>,
}

impl IdentityLifetimes {
    /// `grace_ms`: how long an identity outlives its last connection.
    pub fn new(grace_ms: u64) -> Self {
        Self {
            grace_ms,
            lives: BTreeMap::new(),
            visitors: BTreeMap::new(),
            due: BTreeSet::new(),
            arriving: BTreeMap::new(),
            leaving: BTreeSet::new(),
        }
    }

    /// An anonymous identity registered in a room on this connection.
    pub fn connected(&mut self, member: &MemberId, room: &RoomId, conn: ConnId) {
        let life = self.lives.entry(member.clone()).or_default();
        life.conns.insert(conn);
        life.rooms.insert(room.clone());
        self.visitors.entry(room.clone()).or_default().insert(member.clone());
        if let Some(until) = life.until.take() {
            self.due.remove(&(until, member.clone()));
        }
    }

    /// This connection of it is gone.
    pub fn disconnected(&mut self, member: &MemberId, conn: ConnId, now: Time) {
        let until = now.plus_ms(self.grace_ms);
        if let Some(life) = self.lives.get_mut(member)
            && life.conns.remove(&conn)
            && life.conns.is_empty()
        {
            self.end_at(member, until);
        }
    }

    /// A room is gone, and everybody in it was disconnected before: those who were there and are nowhere else now go with it.
    /// `creator`: who made it, if that is an anonymous identity that owns no other room.
    pub fn room_removed(&mut self, room: &RoomId, creator: Option<&MemberId>, now: Time) {
        let mut visitors = self.visitors.remove(room).unwrap_or_default();
        visitors.extend(creator.cloned());
        for member in visitors {
            let life = self.lives.entry(member.clone()).or_default();
            life.rooms.remove(room);
            if life.conns.is_empty() {
                self.end_at(&member, now);
            }
        }
    }

    /// Whether it is connected, on its way into a room, or within the grace after its last connection.
    pub fn is_held(&self, member: &MemberId) -> bool {
        self.lives.contains_key(member) || self.arriving.contains_key(member)
    }

    /// A registration of it begins; from now until [`IdentityLifetimes::arrived`] nobody forgets it. `false`: it is being
    /// forgotten, and must not come in before [`IdentityLifetimes::left`].
    pub fn arrives(&mut self, member: &MemberId) -> bool {
        if self.leaving.contains(member) {
            return false;
        }
        *self.arriving.entry(member.clone()).or_default() += 1;
        true
    }

    /// That registration has ended, well or not.
    pub fn arrived(&mut self, member: &MemberId) {
        if let Some(count) = self.arriving.get_mut(member) {
            *count -= 1;
            if *count == 0 {
                self.arriving.remove(member);
            }
        }
    }

    /// Whether it may be forgotten now: if so it cannot come in until [`IdentityLifetimes::left`].
    pub fn leaves(&mut self, member: &MemberId) -> bool {
        !self.is_held(member) && self.leaving.insert(member.clone())
    }

    /// It was forgotten, or could not be.
    pub fn left(&mut self, member: &MemberId) {
        self.leaving.remove(member);
    }

    fn end_at(&mut self, member: &MemberId, until: Time) {
        let Some(life) = self.lives.get_mut(member) else { return };
        if let Some(before) = life.until.replace(until) {
            self.due.remove(&(before, member.clone()));
        }
        self.due.insert((until, member.clone()));
    }

    /// When to ask [`IdentityLifetimes::due`] next.
    pub fn next_timeout(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The identities to forget now; each is named once.
    pub fn due(&mut self, now: Time) -> Vec<MemberId> {
        let mut gone = Vec::new();
        if mutation::on(Mutation::IdentityKept) {
            return gone;
        }
        while let Some((at, member)) = self.due.pop_first() {
            if at > now {
                self.due.insert((at, member));
                break;
            }
            self.forget(&member);
            gone.push(member);
        }
        gone
    }

    fn forget(&mut self, member: &MemberId) {
        let Some(life) = self.lives.remove(member) else { return };
        for room in life.rooms {
            if let Some(visitors) = self.visitors.get_mut(&room) {
                visitors.remove(member);
                if visitors.is_empty() {
                    self.visitors.remove(&room);
                }
            }
        }
    }
}
