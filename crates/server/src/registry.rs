//! Rooms by id: loaded when first asked for, once however many ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sleap_rtc_store::StoreError;
use sleap_rtc_wire::record::{Change, MemberRole, MembershipRecord, RoomKind, RoomRecord};
use sleap_rtc_wire::{RoomId, Time};
use tokio::sync::Mutex as AsyncMutex;

use crate::app::Context;
use crate::room_cell::RoomCell;

/// All loaded rooms.
pub(crate) struct Registry {
    context: Arc<Context>,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    cells: HashMap<RoomId, Arc<RoomCell>>,
    /// Held while a room is loaded, removed or unloaded, so that these never happen at once.
    changing: HashMap<RoomId, Arc<AsyncMutex<()>>>,
}

impl Registry {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context, tables: Mutex::default() }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A room that is loaded.
    pub(crate) fn live(&self, room: &RoomId) -> Option<Arc<RoomCell>> {
        // Looked at after the table is given back: a busy room must not make those wait who look for another.
        let cell = self.tables().cells.get(room).cloned();
        cell.filter(|cell| !cell.is_over())
    }

    /// All rooms that are loaded.
    pub(crate) fn all(&self) -> Vec<Arc<RoomCell>> {
        self.tables().cells.values().cloned().collect()
    }

    /// A room's record as it is in force, without loading the room.
    pub(crate) async fn record(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        match self.live(room).and_then(|cell| cell.look(|room| room.record().clone())) {
            Some(record) => Ok(Some(record)),
            None => self.context.store.room(room).await,
        }
    }

    /// A room, loaded if it is not yet; `None` if there is no such room.
    pub(crate) async fn open(&self, room: &RoomId) -> Result<Option<Arc<RoomCell>>, StoreError> {
        if let Some(cell) = self.live(room) {
            return Ok(Some(cell));
        }
        self.alone(room, async {
            if let Some(cell) = self.live(room) {
                return Ok(Some(cell));
            }
            let Some(record) = self.context.store.room(room).await? else { return Ok(None) };
            let workers = self.context.store.workers(room).await?;
            let cell = RoomCell::load(record, workers, &self.context);
            self.tables().cells.insert(room.clone(), cell.clone());
            tracing::debug!(%room, "room loaded");
            Ok(Some(cell))
        })
        .await
    }

    /// Writes down a new room with its owner; `false`: its id is taken.
    pub(crate) async fn create(&self, record: &RoomRecord) -> Result<bool, StoreError> {
        self.alone(&record.room_id, async {
            if self.record(&record.room_id).await?.is_some() {
                return Ok(false);
            }
            let membership = MembershipRecord {
                room_id: record.room_id.clone(),
                member: record.created_by.clone(),
                role: MemberRole::Owner,
                joined_at: record.created_at,
            };
            let changes = vec![Change::PutRoom(record.clone()), Change::PutMembership(membership)];
            self.context.store.apply(changes).await?;
            self.context.metrics.rooms_created.add();
            tracing::info!(room = %record.room_id, kind = ?record.kind, "room made");
            Ok(true)
        })
        .await
    }

    /// Removes a room whose time is over from the store. A loaded one ends by itself.
    pub(crate) async fn remove_expired(&self, room: &RoomId, now: Time) -> Result<bool, StoreError> {
        self.alone(room, async {
            if self.live(room).is_some() {
                return Ok(false);
            }
            let record = self.context.store.room(room).await?;
            let Some(record) = record.filter(|record| record.expires_at.is_some_and(|at| at <= now)) else {
                return Ok(false);
            };
            self.context.store.apply(vec![Change::DeleteRoom(room.clone())]).await?;
            self.context.metrics.rooms_removed.add();
            self.context.lifetimes().room_removed(room, Some(&record.created_by), now);
            self.context.lonely.notify_one();
            tracing::info!(%room, "room expired");
            Ok(true)
        })
        .await
    }

    /// Drops rooms that are over, and named rooms that nobody has used since `before`. (An ephemeral one ends by itself.)
    pub(crate) async fn unload(&self, before: Time) {
        let loaded: Vec<_> = self.tables().cells.iter().map(|(id, cell)| (id.clone(), cell.clone())).collect();
        for (id, cell) in loaded {
            self.alone(&id, async {
                let named = cell.look(|room| room.record().kind == RoomKind::Named);
                if named.is_none() || named == Some(true) && cell.retire(before) {
                    let mut tables = self.tables();
                    if tables.cells.get(&id).is_some_and(|now| Arc::ptr_eq(now, &cell)) {
                        tables.cells.remove(&id);
                    }
                }
            })
            .await;
        }
    }

    /// Does something while nobody else loads, removes or unloads this room.
    async fn alone<T>(&self, room: &RoomId, work: impl Future<Output = T>) -> T {
        let lock = self.tables().changing.entry(room.clone()).or_default().clone();
        let changing = Changing { registry: self, room, lock };
        let _alone = changing.lock.lock().await;
        work.await
    }
}

/// Takes the lock out of the table with its last user, also when that one gives up half-way.
struct Changing<'a> {
    registry: &'a Registry,
    room: &'a RoomId,
    lock: Arc<AsyncMutex<()>>,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut tables = self.registry.tables();
        // Given up under the table's lock, so that of two users who end at once the later one is the last.
        drop(std::mem::take(&mut self.lock));
        if tables.changing.get(self.room).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            tables.changing.remove(self.room);
        }
    }
}

#[cfg(test)]
mod tests {
    use sleap_rtc_identity::Local;
    use sleap_rtc_store::{Memory, Store};
    use sleap_rtc_wire::MemberId;

    use super::*;
    use crate::config::Config;

    async fn registry() -> (Registry, Arc<dyn Store>, RoomId) {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let identity = Local::open(&folder.path().join("server.key"), store.clone()).unwrap();
        let room_id = RoomId::new("pool").unwrap();
        let record = RoomRecord {
            room_id: room_id.clone(),
            token: "secret".to_owned(),
            created_by: MemberId::new("alice").unwrap(),
            created_at: Time(1),
            name: Some("pool".to_owned()),
            kind: RoomKind::Named,
            ttl_ms: None,
            expires_at: None,
            epoch: 9_000_000_000_006,
            switches: sleap_rtc_wire::record::Switches::default(),
        };
        store.apply(vec![Change::PutRoom(record)]).await.unwrap();
        let context = Context::new(Config::new(folder.path().to_owned()), store.clone(), Arc::new(identity));
        (Registry::new(Arc::new(context)), store, room_id)
    }

    #[tokio::test]
    async fn however_many_ask_a_room_is_loaded_once() {
        let (registry, store, id) = registry().await;
        let opened = futures_util::future::join_all((0..100).map(|_| registry.open(&id))).await;
        let cells: Vec<_> = opened.into_iter().map(|cell| cell.unwrap().unwrap()).collect();
        assert!(cells.iter().all(|cell| Arc::ptr_eq(cell, &cells[0])));
        registry.context.writes.idle().await;
        assert_eq!(store.room(&id).await.unwrap().unwrap().epoch, 9_000_000_000_007, "raised once");
        assert!(registry.tables().changing.is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn a_room_that_is_not_there_leaves_nothing_behind() {
        let (registry, _, _) = registry().await;
        assert!(registry.open(&RoomId::new("other").unwrap()).await.unwrap().is_none());
        let tables = registry.tables();
        assert!(tables.cells.is_empty() && tables.changing.is_empty());
    }

    #[tokio::test]
    async fn an_unused_room_is_unloaded_and_comes_back_with_a_higher_epoch() {
        let (registry, store, id) = registry().await;
        let cell = registry.open(&id).await.unwrap().unwrap();
        registry.unload(Time(0)).await;
        assert!(registry.live(&id).is_some(), "used too lately");
        registry.context.writes.idle().await;
        registry.unload(registry.context.now()).await;
        assert!(registry.live(&id).is_none() && cell.is_over());
        registry.open(&id).await.unwrap().unwrap();
        registry.context.writes.idle().await;
        assert_eq!(store.room(&id).await.unwrap().unwrap().epoch, 9_000_000_000_008);
    }
}
