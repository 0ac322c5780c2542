//! The port over the two threads.

use std::fs::File;
use std::path::Path;
use std::thread::JoinHandle;

use async_trait::async_trait;
use rusqlite::{Connection, Params, Row};
use sleap_rtc_wire::record::{
    AccountRecord, ApiKeyRecord, Change, DeviceKeyRecord, IdentityKind, IdentityRecord, InviteRecord, MembershipRecord,
    RoomRecord, WorkerRecord,
};
use sleap_rtc_wire::{ApiKey, KeyId, MemberId, PublicKey, RoomId, Time};
use tokio::sync::{mpsc, oneshot};

use super::writer::Batch;
use super::{accounts, open, rows, writer};
use crate::{ExpiredAfter, IdentityAfter, OpenError, Store, StoreError};

/// Reads that may wait; the next reader waits for a place.
const READS: usize = 1024;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// A store in one `SQLite` file.
///
/// Dropping it ends its threads after what they have taken over, so that nothing that was asked for is half done.
pub struct Sqlite {
    // In this order when dropped: the channels close, the threads end, the lock goes last.
    writes: Option<mpsc::Sender<Batch>>,
    reads: Option<mpsc::Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
    _lock: File,
}

impl Sqlite {
    /// Opens the file, makes it (readable by its owner only) if there is none, and locks its folder for this process.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = open::open(path)?;
        let (writes, batches) = mpsc::channel(writer::WAITING);
        let (reads, mut questions) = mpsc::channel::<Read>(READS);
        let (write_connection, read_connection) = (opened.writer, opened.reader);
        let thread = |name: &str, body: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(body)
                .map_err(|source| OpenError::Io { path: path.to_owned(), source })
        };
        let threads = vec![
            thread("store-writer", Box::new(move || writer::run(write_connection, batches)))?,
            thread(
                "store-reader",
                Box::new(move || {
                    while let Some(read) = questions.blocking_recv() {
                        read(&read_connection);
                    }
                }),
            )?,
        ];
        Ok(Self { writes: Some(writes), reads: Some(reads), threads, _lock: opened.lock })
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (send, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            let _ = send.send(question(connection));
        });
        let reads = self.reads.as_ref().ok_or_else(closed)?;
        reads.send(read).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?.map_err(|error| read_error(&error))
    }

    async fn list<T: Send + 'static>(
        &self,
        sql: String,
        params: impl Params + Send + 'static,
        row: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.read(move |connection| connection.prepare_cached(&sql)?.query_map(params, row)?.collect()).await
    }

    async fn one<T: Send + 'static>(
        &self,
        sql: String,
        params: impl Params + Send + 'static,
        row: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.list(sql, params, row).await.map(|mut found| found.pop())
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        drop((self.writes.take(), self.reads.take()));
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("store: a thread ended by a panic");
            }
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store's thread has ended".to_owned())
}

fn read_error(error: &rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

fn at_most(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

#[async_trait]
impl Store for Sqlite {
    async fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError> {
        let sql = format!("SELECT {} FROM rooms WHERE room_id = ?1", rows::ROOM);
        self.one(sql, (room.to_string(),), rows::room).await
    }

    async fn rooms(&self, after: Option<&RoomId>, limit: usize) -> Result<Vec<RoomRecord>, StoreError> {
        let sql = format!("SELECT {} FROM rooms WHERE room_id > ?1 ORDER BY room_id LIMIT ?2", rows::ROOM);
        self.list(sql, (after.map_or_else(String::new, RoomId::to_string), at_most(limit)), rows::room).await
    }

    async fn expired_rooms(
        &self,
        now: Time,
        after: Option<&ExpiredAfter>,
        limit: usize,
    ) -> Result<Vec<RoomRecord>, StoreError> {
        let sql = format!(
            "SELECT {} FROM rooms WHERE expires_at <= ?1 AND (expires_at, room_id) > (?2, ?3)
             ORDER BY expires_at, room_id LIMIT ?4",
            rows::ROOM
        );
        // No id is empty, so this is before every row.
        let (from, id) = after.map_or((-1, String::new()), |(end, room)| (rows::time(*end), room.to_string()));
        self.list(sql, (rows::time(now), from, id, at_most(limit)), rows::room).await
    }

    async fn membership(&self, room: &RoomId, member: &MemberId) -> Result<Option<MembershipRecord>, StoreError> {
        let sql = format!("SELECT {} FROM memberships WHERE room_id = ?1 AND member = ?2", rows::MEMBERSHIP);
        self.one(sql, (room.to_string(), member.to_string()), rows::membership).await
    }

    async fn members(&self, room: &RoomId) -> Result<Vec<MembershipRecord>, StoreError> {
        let sql = format!("SELECT {} FROM memberships WHERE room_id = ?1 ORDER BY member", rows::MEMBERSHIP);
        self.list(sql, (room.to_string(),), rows::membership).await
    }

    async fn memberships(&self, member: &MemberId) -> Result<Vec<MembershipRecord>, StoreError> {
        let sql = format!("SELECT {} FROM memberships WHERE member = ?1 ORDER BY room_id", rows::MEMBERSHIP);
        self.list(sql, (member.to_string(),), rows::membership).await
    }

    async fn workers(&self, room: &RoomId) -> Result<Vec<WorkerRecord>, StoreError> {
        let sql = format!("SELECT {} FROM workers WHERE room_id = ?1 ORDER BY peer_id", rows::WORKER);
        self.list(sql, (room.to_string(),), rows::worker).await
    }

    async fn identity(&self, member: &MemberId) -> Result<Option<IdentityRecord>, StoreError> {
        let sql = format!("SELECT {} FROM identities WHERE member = ?1", rows::IDENTITY);
        self.one(sql, (member.to_string(),), rows::identity).await
    }

    async fn identities_before(
        &self,
        kind: IdentityKind,
        before: Time,
        after: Option<&IdentityAfter>,
        limit: usize,
    ) -> Result<Vec<IdentityRecord>, StoreError> {
        let sql = format!(
            "SELECT {} FROM identities WHERE kind = ?1 AND created_at < ?2 AND (created_at, member) > (?3, ?4)
             ORDER BY created_at, member LIMIT ?5",
            rows::IDENTITY
        );
        let (from, member) = after.map_or((-1, String::new()), |(at, member)| (rows::time(*at), member.to_string()));
        let params = (rows::identity_text(kind), rows::time(before), from, member, at_most(limit));
        self.list(sql, params, rows::identity).await
    }

    async fn account(&self, member: &MemberId) -> Result<Option<AccountRecord>, StoreError> {
        let sql = format!("SELECT {} FROM accounts WHERE member = ?1", accounts::ACCOUNT);
        self.one(sql, (member.to_string(),), accounts::account).await
    }

    async fn accounts(&self, after: Option<&MemberId>, limit: usize) -> Result<Vec<AccountRecord>, StoreError> {
        let sql = format!("SELECT {} FROM accounts WHERE member > ?1 ORDER BY member LIMIT ?2", accounts::ACCOUNT);
        let after = after.map_or_else(String::new, MemberId::to_string);
        self.list(sql, (after, at_most(limit)), accounts::account).await
    }

    async fn account_named(&self, username: &str) -> Result<Option<AccountRecord>, StoreError> {
        let sql = format!("SELECT {} FROM accounts WHERE username = ?1", accounts::ACCOUNT);
        self.one(sql, (username.to_owned(),), accounts::account).await
    }

    async fn api_key(&self, shown: &ApiKey) -> Result<Option<ApiKeyRecord>, StoreError> {
        let sql = format!("SELECT {} FROM api_keys WHERE hash = ?1", accounts::API_KEY);
        self.one(sql, (shown.hash().0,), accounts::api_key).await
    }

    async fn api_key_named(&self, id: &KeyId) -> Result<Option<ApiKeyRecord>, StoreError> {
        let sql = format!("SELECT {} FROM api_keys WHERE key_id = ?1", accounts::API_KEY);
        self.one(sql, (id.to_string(),), accounts::api_key).await
    }

    async fn api_keys_of(&self, owner: &MemberId) -> Result<Vec<ApiKeyRecord>, StoreError> {
        let sql = format!("SELECT {} FROM api_keys WHERE owner = ?1 ORDER BY created_at, hash", accounts::API_KEY);
        self.list(sql, (owner.to_string(),), accounts::api_key).await
    }

    async fn api_keys_for(&self, room: &RoomId) -> Result<Vec<ApiKeyRecord>, StoreError> {
        let sql = format!("SELECT {} FROM api_keys WHERE room_id = ?1 ORDER BY created_at, hash", accounts::API_KEY);
        self.list(sql, (room.to_string(),), accounts::api_key).await
    }

    async fn device_key(&self, key: &PublicKey) -> Result<Option<DeviceKeyRecord>, StoreError> {
        let sql = format!("SELECT {} FROM device_keys WHERE public_key = ?1 AND proven", accounts::DEVICE_KEY);
        self.one(sql, (key.0,), accounts::device_key).await
    }

    async fn device_keys_of(&self, account: &MemberId) -> Result<Vec<DeviceKeyRecord>, StoreError> {
        let columns = accounts::DEVICE_KEY;
        let sql = format!("SELECT {columns} FROM device_keys WHERE account = ?1 ORDER BY registered_at, public_key");
        self.list(sql, (account.to_string(),), accounts::device_key).await
    }

    async fn invite(&self, code: &str) -> Result<Option<InviteRecord>, StoreError> {
        let sql = format!("SELECT {} FROM invites WHERE code = ?1", accounts::INVITE);
        self.one(sql, (code.to_owned(),), accounts::invite).await
    }

    async fn invites_of(&self, room: &RoomId) -> Result<Vec<InviteRecord>, StoreError> {
        let sql = format!("SELECT {} FROM invites WHERE room_id = ?1 ORDER BY expires_at, code", accounts::INVITE);
        self.list(sql, (room.to_string(),), accounts::invite).await
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let (answer, done) = oneshot::channel();
        let writes = self.writes.as_ref().ok_or_else(closed)?;
        writes.send(Batch { changes, answer }).await.map_err(|_| closed())?;
        done.await.map_err(|_| closed())?
    }
}
