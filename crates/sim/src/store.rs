//! What is remembered over the death of a server: batches are taken whole, in their order, or not at all.

use std::collections::BTreeMap;

use sleap_rtc_wire::record::{Change, IdentityRecord, MemberRole, MembershipRecord, RoomRecord, WorkerRecord};
use sleap_rtc_wire::{MemberId, PeerId, RoomId, Time};

/// The tables, as the real stores keep them.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) rooms: BTreeMap<RoomId, RoomRecord>,
    pub(crate) memberships: BTreeMap<(RoomId, MemberId), MembershipRecord>,
    pub(crate) workers: BTreeMap<(RoomId, PeerId), WorkerRecord>,
    pub(crate) identities: BTreeMap<MemberId, IdentityRecord>,
    /// No write is taken before this.
    pub(crate) down_until: u64,
    /// Writes take long before this.
    pub(crate) slow_until: u64,
}

impl Store {
    /// Takes a batch; `false`: a room in it was opened by a later server, nothing was changed.
    pub(crate) fn apply(&mut self, changes: &[Change]) -> bool {
        let stale = |change: &Change| match change {
            Change::PutRoom(room) => self.rooms.get(&room.room_id).is_some_and(|stored| stored.epoch > room.epoch),
            _ => false,
        };
        if changes.iter().any(stale) {
            return false;
        }
        for change in changes {
            self.apply_one(change);
        }
        true
    }

    fn apply_one(&mut self, change: &Change) {
        match change {
            Change::PutRoom(room) => {
                self.rooms.insert(room.room_id.clone(), room.clone());
            }
            Change::DeleteRoom(room) => {
                self.rooms.remove(room);
                self.memberships.retain(|(of, _), _| of != room);
                self.workers.retain(|(of, _), _| of != room);
            }
            Change::PutMembership(new) if self.rooms.contains_key(&new.room_id) => {
                let key = (new.room_id.clone(), new.member.clone());
                self.memberships.entry(key).or_insert_with(|| new.clone()).role = new.role;
            }
            Change::DeleteMembership(room, member) => {
                self.memberships.remove(&(room.clone(), member.clone()));
            }
            Change::PutWorker(new) if self.rooms.contains_key(&new.room_id) => {
                self.workers.insert((new.room_id.clone(), new.peer_id.clone()), new.clone());
            }
            Change::DeleteWorker(room, peer) => {
                self.workers.remove(&(room.clone(), peer.clone()));
            }
            Change::PutIdentity(identity) => {
                self.identities.insert(identity.member.clone(), identity.clone());
            }
            Change::DeleteIdentity(member) => {
                self.identities.remove(member);
            }
            // Nothing for a room that is not there any more; and rooms write nothing of accounts.
            Change::PutMembership(_)
            | Change::PutWorker(_)
            | Change::PutAccount(_)
            | Change::DeleteAccount(_)
            | Change::PutApiKey(_)
            | Change::DeleteApiKey(_)
            | Change::PutDeviceKey(_)
            | Change::DeleteDeviceKey(..)
            | Change::PutInvite(_)
            | Change::DeleteInvite(_) => {}
        }
    }

    /// The workers that a room expects.
    pub(crate) fn workers_of(&self, room: &RoomId) -> Vec<WorkerRecord> {
        self.workers.values().filter(|worker| worker.room_id == *room).cloned().collect()
    }

    /// Rooms whose time is over.
    pub(crate) fn expired(&self, now: Time) -> Vec<RoomId> {
        let over = |room: &&RoomRecord| room.expires_at.is_some_and(|at| at <= now);
        self.rooms.values().filter(over).map(|room| room.room_id.clone()).collect()
    }

    /// Whether this member owns a room that is still there.
    pub(crate) fn owns_a_room(&self, member: &MemberId) -> bool {
        let mut of = self.memberships.values().filter(|one| one.member == *member && one.role == MemberRole::Owner);
        of.any(|one| self.rooms.contains_key(&one.room_id))
    }
}
