//! Records as rows, and back.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, Row, params};
use sleap_rtc_wire::record::{
    Change, IdentityKind, IdentityRecord, MemberRole, MembershipRecord, Mesh, RoomKind, RoomRecord, Switches, Taken,
    WorkerRecord,
};
use sleap_rtc_wire::{PublicKey, RoomId, Time};

use super::accounts;

/// The columns of [`room`], in its order.
pub(super) const ROOM: &str =
    "room_id, token, created_by, created_at, name, kind, ttl_ms, expires_at, epoch, mesh, strict_offers";
/// The columns of [`membership`], in its order.
pub(super) const MEMBERSHIP: &str = "room_id, member, role, joined_at";
/// The columns of [`worker`], in its order.
pub(super) const WORKER: &str = "room_id, peer_id, member, metadata, silent_since, taken";
/// The columns of [`identity`], in its order.
pub(super) const IDENTITY: &str = "member, kind, username, key, created_at";

/// A column read through its `FromStr`: every id of ours.
struct Parsed<T>(T);

impl<T: std::str::FromStr> FromSql for Parsed<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

pub(super) fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    row.get::<_, Parsed<T>>(column).map(|value| value.0)
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

pub(super) fn unsigned_or_null(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    if row.get_ref(column)? == ValueRef::Null { Ok(None) } else { unsigned(row, column).map(Some) }
}

/// `SQLite` has signed integers; no time or epoch of ours comes near the end of them.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn time(value: Time) -> i64 {
    integer(value.0)
}

fn kind_text(kind: RoomKind) -> &'static str {
    match kind {
        RoomKind::Ephemeral => "ephemeral",
        RoomKind::Named => "named",
    }
}

fn role_text(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Owner => "owner",
        MemberRole::Member => "member",
    }
}

pub(super) fn identity_text(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::Anonymous => "anonymous",
        IdentityKind::Key => "key",
        // Never in the table of identities: accounts have their own.
        IdentityKind::Account => "account",
    }
}

/// One of the few texts that a `CHECK` allows.
fn word<T: Copy>(row: &Row<'_>, column: usize, words: &[(&str, T)]) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            format!("unknown word {text:?}").into(),
        )
    })
}

pub(super) fn room(row: &Row<'_>) -> rusqlite::Result<RoomRecord> {
    Ok(RoomRecord {
        room_id: parsed(row, 0)?,
        token: row.get(1)?,
        created_by: parsed(row, 2)?,
        created_at: Time(unsigned(row, 3)?),
        name: row.get(4)?,
        kind: word(row, 5, &[("ephemeral", RoomKind::Ephemeral), ("named", RoomKind::Named)])?,
        ttl_ms: unsigned_or_null(row, 6)?,
        expires_at: unsigned_or_null(row, 7)?.map(Time),
        epoch: unsigned(row, 8)?,
        switches: Switches {
            mesh: word(row, 9, &[("off", Mesh::Off), ("reference", Mesh::Reference)])?,
            strict_offers: row.get(10)?,
        },
    })
}

pub(super) fn membership(row: &Row<'_>) -> rusqlite::Result<MembershipRecord> {
    Ok(MembershipRecord {
        room_id: parsed(row, 0)?,
        member: parsed(row, 1)?,
        role: word(row, 2, &[("owner", MemberRole::Owner), ("member", MemberRole::Member)])?,
        joined_at: Time(unsigned(row, 3)?),
    })
}

pub(super) fn identity(row: &Row<'_>) -> rusqlite::Result<IdentityRecord> {
    Ok(IdentityRecord {
        member: parsed(row, 0)?,
        kind: word(row, 1, &[("anonymous", IdentityKind::Anonymous), ("key", IdentityKind::Key)])?,
        username: row.get(2)?,
        key: row.get::<_, Option<[u8; 32]>>(3)?.map(PublicKey),
        created_at: Time(unsigned(row, 4)?),
    })
}

pub(super) fn worker(row: &Row<'_>) -> rusqlite::Result<WorkerRecord> {
    Ok(WorkerRecord {
        room_id: parsed(row, 0)?,
        peer_id: parsed(row, 1)?,
        member: parsed(row, 2)?,
        metadata: json(row, 3)?,
        silent_since: unsigned_or_null(row, 4)?.map(Time),
        taken: if row.get_ref(5)? == ValueRef::Null { None } else { Some(json::<Taken>(row, 5)?) },
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let invalid = |error: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    };
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(invalid)
}

/// The epoch in the store, if it is higher than this record's.
pub(super) fn later_epoch(connection: &Connection, room: &RoomRecord) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection.prepare_cached("SELECT epoch FROM rooms WHERE room_id = ?1 AND epoch > ?2")?;
    let mut rows = statement.query(params![room.room_id.as_str(), integer(room.epoch)])?;
    rows.next()?.map(|row| unsigned(row, 0)).transpose()
}

/// Writes one change; the fence has been looked at.
pub(super) fn write(connection: &Connection, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::PutRoom(room) => put_room(connection, room),
        Change::DeleteRoom(room) => delete_room(connection, room),
        Change::PutMembership(one) => connection
            .prepare_cached(
                "INSERT INTO memberships (room_id, member, role, joined_at)
                 SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM rooms WHERE room_id = ?1)
                 ON CONFLICT (room_id, member) DO UPDATE SET role = excluded.role",
            )?
            .execute(params![one.room_id.as_str(), one.member.as_str(), role_text(one.role), time(one.joined_at)])
            .map(drop),
        Change::DeleteMembership(room, member) => connection
            .prepare_cached("DELETE FROM memberships WHERE room_id = ?1 AND member = ?2")?
            .execute(params![room.as_str(), member.as_str()])
            .map(drop),
        Change::PutWorker(one) => put_worker(connection, one),
        Change::DeleteWorker(room, peer) => connection
            .prepare_cached("DELETE FROM workers WHERE room_id = ?1 AND peer_id = ?2")?
            .execute(params![room.as_str(), peer.as_str()])
            .map(drop),
        Change::PutIdentity(one) => put_identity(connection, one),
        Change::DeleteIdentity(member) => connection
            .prepare_cached("DELETE FROM identities WHERE member = ?1")?
            .execute(params![member.as_str()])
            .map(drop),
        account => accounts::write(connection, account),
    }
}

fn put_room(connection: &Connection, room: &RoomRecord) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO rooms (room_id, token, created_by, created_at, name, kind, ttl_ms, expires_at, epoch,
             mesh, strict_offers)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    statement.execute(params![
        room.room_id.as_str(),
        room.token,
        room.created_by.as_str(),
        time(room.created_at),
        room.name,
        kind_text(room.kind),
        room.ttl_ms.map(integer),
        room.expires_at.map(time),
        integer(room.epoch),
        match room.switches.mesh {
            Mesh::Off => "off",
            Mesh::Reference => "reference",
        },
        room.switches.strict_offers,
    ])?;
    Ok(())
}

fn delete_room(connection: &Connection, room: &RoomId) -> rusqlite::Result<()> {
    for table in ["memberships", "workers", "api_keys", "invites", "rooms"] {
        let sql = format!("DELETE FROM {table} WHERE room_id = ?1");
        connection.prepare_cached(&sql)?.execute(params![room.as_str()])?;
    }
    Ok(())
}

fn put_worker(connection: &Connection, one: &WorkerRecord) -> rusqlite::Result<()> {
    let invalid = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
    let metadata = serde_json::to_string(&one.metadata).map_err(invalid)?;
    let taken = one.taken.as_ref().map(serde_json::to_string).transpose().map_err(invalid)?;
    connection
        .prepare_cached(
            "INSERT INTO workers (room_id, peer_id, member, metadata, silent_since, taken)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM rooms WHERE room_id = ?1)
             ON CONFLICT (room_id, peer_id) DO UPDATE
             SET member = excluded.member, metadata = excluded.metadata, silent_since = excluded.silent_since,
                 taken = excluded.taken",
        )?
        .execute(params![
            one.room_id.as_str(),
            one.peer_id.as_str(),
            one.member.as_str(),
            metadata,
            one.silent_since.map(time),
            taken,
        ])
        .map(drop)
}

fn put_identity(connection: &Connection, one: &IdentityRecord) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO identities (member, kind, username, key, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute(params![
        one.member.as_str(),
        identity_text(one.kind),
        one.username,
        one.key.map(|key| key.0),
        time(one.created_at),
    ])?;
    Ok(())
}
