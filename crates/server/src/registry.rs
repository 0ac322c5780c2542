//! Rooms by id: loaded when first asked for, once however many ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sleap_rtc_store::StoreError;
use sleap_rtc_wire::record::{Change, RoomKind, RoomRecord};
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
            let cell = RoomCell::load(record, &self.context);
            self.tables().cells.insert(room.clone(), cell.clone());
            tracing::debug!(%room, "room loaded");
            Ok(Some(cell))
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
            let creator = (record.kind == RoomKind::Ephemeral).then_some(&record.created_by);
            self.context.lifetimes().room_removed(room, creator, now);
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
