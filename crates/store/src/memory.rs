//! A store that forgets with the process: for tests, and for rooms that nobody misses.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sleap_rtc_wire::record::{
    AccountRecord, ApiKeyKind, ApiKeyRecord, Change, DeviceKeyRecord, IdentityKind, IdentityRecord, InviteRecord,
    MembershipRecord, RoomRecord, WorkerRecord,
};
use sleap_rtc_wire::{ApiKey, KeyHash, KeyId, MemberId, PeerId, PublicKey, RoomId, Time};

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
    accounts: BTreeMap<MemberId, AccountRecord>,
    api_keys: BTreeMap<KeyHash, ApiKeyRecord>,
    device_keys: BTreeMap<(MemberId, PublicKey), DeviceKeyRecord>,
    invites: BTreeMap<String, InviteRecord>,
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
                self.api_keys.retain(|_, key| !is_of_room(key, &room));
                self.invites.retain(|_, invite| invite.room_id != room);
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
            account => return self.apply_account(account),
        }
        Ok(())
    }

    fn apply_account(&mut self, change: Change) -> Result<(), StoreError> {
        match change {
            Change::PutAccount(account) => {
                let is_same = |other: &&AccountRecord| other.username.eq_ignore_ascii_case(&account.username);
                if self.accounts.values().filter(is_same).any(|other| other.member != account.member) {
                    return Err(StoreError::NameTaken(account.username));
                }
                self.accounts.insert(account.member.clone(), account);
            }
            Change::DeleteAccount(member) => {
                self.accounts.remove(&member);
                self.api_keys.retain(|_, key| key.owner != member);
                self.device_keys.retain(|(account, _), _| *account != member);
                self.memberships.retain(|(_, of), _| *of != member);
            }
            Change::PutApiKey(key) if self.takes(&key) => {
                self.api_keys.insert(key.hash, key);
            }
            Change::DeleteApiKey(hash) => drop(self.api_keys.remove(&hash)),
            Change::PutDeviceKey(key) => self.put_device_key(key),
            Change::DeleteDeviceKey(account, key) => drop(self.device_keys.remove(&(account, key))),
            Change::PutInvite(invite) if self.rooms.contains_key(&invite.room_id) => {
                self.invites.insert(invite.code.clone(), invite);
            }
            Change::DeleteInvite(code) => drop(self.invites.remove(&code)),
            _ => {}
        }
        Ok(())
    }

    /// A worker's key belongs to a room that is there.
    fn takes(&self, key: &ApiKeyRecord) -> bool {
        match &key.kind {
            ApiKeyKind::Account => true,
            ApiKeyKind::Worker(room) => self.rooms.contains_key(room),
        }
    }

    fn put_device_key(&mut self, key: DeviceKeyRecord) {
        if key.proven {
            self.device_keys.retain(|(account, public_key), other| {
                *public_key != key.public_key || *account == key.account || !other.proven
            });
        }
        let proven = key.proven;
        let name = key.device_name.clone();
        let stored = self.device_keys.entry((key.account.clone(), key.public_key)).or_insert(key);
        stored.device_name = name;
        stored.proven |= proven;
    }
}

fn is_of_room(key: &ApiKeyRecord, room: &RoomId) -> bool {
    matches!(&key.kind, ApiKeyKind::Worker(of) if of == room)
}

fn by_age(mut keys: Vec<ApiKeyRecord>) -> Vec<ApiKeyRecord> {
    keys.sort_by_key(|key| (key.created_at, key.hash));
    keys
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

    async fn account(&self, member: &MemberId) -> Result<Option<AccountRecord>, StoreError> {
        Ok(self.tables().accounts.get(member).cloned())
    }

    async fn accounts(&self, after: Option<&MemberId>, limit: usize) -> Result<Vec<AccountRecord>, StoreError> {
        let tables = self.tables();
        let behind = tables.accounts.values().filter(|one| after.is_none_or(|after| one.member > *after));
        Ok(behind.take(limit).cloned().collect())
    }

    async fn account_named(&self, username: &str) -> Result<Option<AccountRecord>, StoreError> {
        let tables = self.tables();
        Ok(tables.accounts.values().find(|one| one.username.eq_ignore_ascii_case(username)).cloned())
    }

    async fn api_key(&self, shown: &ApiKey) -> Result<Option<ApiKeyRecord>, StoreError> {
        Ok(self.tables().api_keys.get(&shown.hash()).cloned())
    }

    async fn api_key_named(&self, id: &KeyId) -> Result<Option<ApiKeyRecord>, StoreError> {
        Ok(self.tables().api_keys.values().find(|key| key.id() == *id).cloned())
    }

    async fn api_keys_of(&self, owner: &MemberId) -> Result<Vec<ApiKeyRecord>, StoreError> {
        Ok(by_age(self.tables().api_keys.values().filter(|key| key.owner == *owner).cloned().collect()))
    }

    async fn api_keys_for(&self, room: &RoomId) -> Result<Vec<ApiKeyRecord>, StoreError> {
        Ok(by_age(self.tables().api_keys.values().filter(|key| is_of_room(key, room)).cloned().collect()))
    }

    async fn device_key(&self, key: &PublicKey) -> Result<Option<DeviceKeyRecord>, StoreError> {
        Ok(self.tables().device_keys.values().find(|one| one.proven && one.public_key == *key).cloned())
    }

    async fn device_keys_of(&self, account: &MemberId) -> Result<Vec<DeviceKeyRecord>, StoreError> {
        let mut keys: Vec<_> =
            self.tables().device_keys.values().filter(|one| one.account == *account).cloned().collect();
        keys.sort_by_key(|one| (one.registered_at, one.public_key));
        Ok(keys)
    }

    async fn invite(&self, code: &str) -> Result<Option<InviteRecord>, StoreError> {
        Ok(self.tables().invites.get(code).cloned())
    }

    async fn invites_of(&self, room: &RoomId) -> Result<Vec<InviteRecord>, StoreError> {
        let mut invites: Vec<_> = self.tables().invites.values().filter(|one| one.room_id == *room).cloned().collect();
        invites.sort_by(|a, b| (a.expires_at, &a.code).cmp(&(b.expires_at, &b.code)));
        Ok(invites)
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let mut next = tables.clone();
        changes.into_iter().try_for_each(|change| next.apply(change))?;
        *tables = next;
        Ok(())
    }
}
