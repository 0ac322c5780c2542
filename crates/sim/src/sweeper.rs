//! What nobody else cleans up, as the server's shell does it: rooms whose time is over, identities that were left behind, rooms that
//! nobody uses.

use sleap_rtc_wire::record::{Change, IdentityKind, RoomKind};
use sleap_rtc_wire::{MemberId, Time};

use crate::event::Event;
use crate::seen::Note;
use crate::server::SWEEP_MS;
use crate::world::World;

/// How long a named room stays in memory unused, ms.
const UNUSED_MS: u64 = 5 * 60_000;
/// An anonymous identity that is this old, and nowhere, has no token that is still good, ms.
pub(crate) const OLD_MS: u64 = 3_600_000;

impl World {
    pub(crate) fn sweep(&mut self, server: usize, whole: bool) -> bool {
        if !self.servers[server].alive {
            return false;
        }
        if whole {
            self.queue.push(self.now + SWEEP_MS, Event::Sweep { server, whole: true });
        }
        let store_is_there = !self.servers[server].deposed && self.store.down_until <= self.now;
        if whole && store_is_there {
            self.remove_expired(server);
            self.forget_old(server);
            self.unload_unused(server);
        }
        self.forget_due(server, store_is_there) || whole
    }

    fn remove_expired(&mut self, server: usize) {
        let now = self.servers[server].clock.at(self.now);
        for room in self.store.expired(now) {
            let loaded = self.servers[server].rooms.get(&room).copied();
            if loaded.is_some_and(|hall| self.halls[hall].as_deref().is_some_and(|hall| !hall.over)) {
                continue;
            }
            let Some(creator) = self.store.rooms.get(&room).map(|record| record.created_by.clone()) else { continue };
            self.store.apply(&[Change::DeleteRoom(room.clone())]);
            self.seen.note(Note::RoomGone);
            self.seen.note(Note::RoomExpired);
            self.servers[server].lifetimes.room_removed(&room, Some(&creator), now);
        }
        self.look_again(server);
    }

    fn forget_due(&mut self, server: usize, store_is_there: bool) -> bool {
        let now = self.servers[server].clock.at(self.now);
        let due = self.servers[server].lifetimes.due(now);
        let any = !due.is_empty();
        // One that the store does not let go now is found by its age later.
        for member in due.into_iter().filter(|_| store_is_there) {
            self.forget(server, &member, Note::IdentityForgotten);
        }
        self.look_again(server);
        any
    }

    fn forget_old(&mut self, server: usize) {
        let now = self.servers[server].clock.at(self.now);
        let before = Time(now.0.saturating_sub(OLD_MS.max(self.plan.knobs.identity_ms)));
        let old = |one: &&sleap_rtc_wire::record::IdentityRecord| {
            one.kind == IdentityKind::Anonymous && one.created_at < before
        };
        let old: Vec<MemberId> = self.store.identities.values().filter(old).map(|one| one.member.clone()).collect();
        for member in old {
            self.forget(server, &member, Note::IdentityAged);
        }
    }

    /// Forgets an anonymous identity that is connected nowhere and owns no room any more.
    fn forget(&mut self, server: usize, member: &MemberId, note: Note) {
        if !self.servers[server].lifetimes.leaves(member) {
            return;
        }
        let anonymous = self.store.identities.get(member).is_some_and(|one| one.kind == IdentityKind::Anonymous);
        if anonymous && !self.store.owns_a_room(member) {
            self.store.apply(&[Change::DeleteIdentity(member.clone())]);
            self.seen.note(note);
        }
        self.servers[server].lifetimes.left(member);
    }

    fn unload_unused(&mut self, server: usize) {
        let unused: Vec<usize> = self.servers[server]
            .rooms
            .values()
            .copied()
            .filter(|hall| {
                self.halls[*hall].as_deref().is_some_and(|hall| {
                    hall.room.record().kind == RoomKind::Named
                        && hall.used_at + UNUSED_MS <= self.now
                        && !hall.is_writing
                        && hall.calls.is_empty()
                        && hall.room.may_unload()
                })
            })
            .collect();
        for hall in unused {
            if let Some(unloaded) = self.halls[hall].take() {
                self.servers[server].rooms.remove(&unloaded.id);
                self.model.unload(hall);
            }
        }
    }
}
