//! A store that forgets with the process: for tests, and for rooms that nobody misses.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sleap_rtc_wire::record::{Change, IdentityKind, IdentityRecord, MembershipRecord, RoomRecord, WorkerRecord};
use sleap_rtc_wire::{MemberId, PeerId, RoomId, Time};

use crate::{ExpiredAfter, IdentityAfter, Store, StoreError};

/// Keeps everything in memory.
#[derive(Default)]
pub struct Memory(Mutex<Tables>);

#[derive(Clone, Default)]
struct Tables {
    rooms: BTreeMap<RoomId, RoomRecord>,
    memberships: BTreeMap<(RoomId, MemberId), MembershipRecord>,
    workers: BTreeMap<(RoomId, PeerId), WorkerRecord>,
    identities: BTreeMap<MemberId, IdentityRecord>,
}

impl Tables {
    fn apply(&mut self, change: Change) -> Result<(), StoreError> {
        match change {
            Change::PutRoom(room) => {
                if let Some(stored) = self.rooms.get(&room.room_id).map(|stored| stored.epoch)
                    && stored > room.epoch
                {
                    return Err(StoreError::Stale { room_id: room.room_id, stored });
                }
                self.rooms.insert(room.room_id.clone(), room);
            }
            Change::DeleteRoom(room) => {
                self.rooms.remove(&room);
                self.memberships.retain(|(of, _), _| *of != room);
                self.workers.retain(|(of, _), _| *of != room);
            }
            Change::PutMembership(new) if !self.rooms.contains_key(&new.room_id) => {}
            Change::PutMembership(new) => {
                let role = new.role;
                let stored = self.memberships.entry((new.room_id.clone(), new.member.clone())).or_insert(new);
                stored.role = role;
            }
            Change::DeleteMembership(room, member) => {
                self.memberships.remove(&(room, member));
            }
            Change::PutWorker(new) if !self.rooms.contains_key(&new.room_id) => {}
            Change::PutWorker(new) => {
                self.workers.insert((new.room_id.clone(), new.peer_id.clone()), new);
            }
            Change::DeleteWorker(room, peer) => {
                self.workers.remove(&(room, peer));
            }
            Change::PutIdentity(identity) => {
                self.identities.insert(identity.member.clone(), identity);
            }
            Change::DeleteIdentity(member) => {
                self.identities.remove(&member);
            }
        }
        Ok(())
    }
}

impl Memory {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // `apply` replaces the tables in one assignment, so a panic elsewhere leaves them whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Memory {
    async fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        Ok(self.tables().rooms.get(room).cloned())
    }

    async fn rooms(&self, after: Option<&RoomId>, limit: usize) -> Result<Vec<RoomRecord>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .rooms
            .values()
            .filter(|room| after.is_none_or(|after| room.room_id > *after))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn expired_rooms(
        &self,
        now: Time,
        after: Option<&ExpiredAfter>,
        limit: usize,
    ) -> Result<Vec<RoomRecord>, StoreError> {
        let tables = self.tables();
        let mut expired: Vec<(ExpiredAfter, &RoomRecord)> = tables
            .rooms
            .values()
            .filter_map(|room| Some(((room.expires_at?, room.room_id.clone()), room)))
            .filter(|(key, _)| key.0 <= now && after.is_none_or(|after| key > after))
            .collect();
        expired.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(expired.into_iter().take(limit).map(|(_, room)| room.clone()).collect())
    }

    async fn membership(&self, room: &RoomId, member: &MemberId) -> Result<Option<MembershipRecord>, StoreError> {
        Ok(self.tables().memberships.get(&(room.clone(), member.clone())).cloned())
    }

    async fn members(&self, room: &RoomId) -> Result<Vec<MembershipRecord>, StoreError> {
        Ok(self.tables().memberships.values().filter(|one| one.room_id == *room).cloned().collect())
    }

    async fn memberships(&self, member: &MemberId) -> Result<Vec<MembershipRecord>, StoreError> {
        Ok(self.tables().memberships.values().filter(|one| one.member == *member).cloned().collect())
    }

    async fn workers(&self, room: &RoomId) -> Result<Vec<WorkerRecord>, StoreError> {
        Ok(self.tables().workers.values().filter(|one| one.room_id == *room).cloned().collect())
    }

    async fn identity(&self, member: &MemberId) -> Result<Option<IdentityRecord>, StoreError> {
        Ok(self.tables().identities.get(member).cloned())
    }

    async fn identities_before(
        &self,
        kind: IdentityKind,
        before: Time,
        after: Option<&IdentityAfter>,
        limit: usize,
    ) -> Result<Vec<IdentityRecord>, StoreError> {
        let tables = self.tables();
        let mut found: Vec<(IdentityAfter, &IdentityRecord)> = tables
            .identities
            .values()
            .filter(|one| one.kind == kind && one.created_at < before)
            .map(|one| ((one.created_at, one.member.clone()), one))
            .filter(|(key, _)| after.is_none_or(|after| key > after))
            .collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found.into_iter().take(limit).map(|(_, one)| one.clone()).collect())
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let mut next = tables.clone();
        changes.into_iter().try_for_each(|change| next.apply(change))?;
        *tables = next;
        Ok(())
    }
}
