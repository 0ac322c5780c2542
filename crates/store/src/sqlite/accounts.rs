//! Accounts, their keys and invites as rows, and back.

use rusqlite::{Connection, Row, params};
use sleap_rtc_wire::record::{AccountRecord, ApiKeyKind, ApiKeyRecord, Change, DeviceKeyRecord, InviteRecord};
use sleap_rtc_wire::{KeyHash, PublicKey, Time};

use super::rows::{parsed, time, unsigned, unsigned_or_null};

/// The columns of [`account`], in its order.
pub(super) const ACCOUNT: &str = "member, username, avatar_url, created_at";
/// The columns of [`api_key`], in its order.
pub(super) const API_KEY: &str = "hash, room_id, owner, name, created_at, expires_at, revoked_at";
/// The columns of [`device_key`], in its order.
pub(super) const DEVICE_KEY: &str = "account, public_key, key_id, device_name, registered_at, proven";
/// The columns of [`invite`], in its order.
pub(super) const INVITE: &str = "code, room_id, made_by, expires_at";

pub(super) fn account(row: &Row<'_>) -> rusqlite::Result<AccountRecord> {
    Ok(AccountRecord {
        member: parsed(row, 0)?,
        username: row.get(1)?,
        avatar_url: row.get(2)?,
        created_at: Time(unsigned(row, 3)?),
    })
}

pub(super) fn api_key(row: &Row<'_>) -> rusqlite::Result<ApiKeyRecord> {
    let is_of_account = row.get_ref(1)? == rusqlite::types::ValueRef::Null;
    Ok(ApiKeyRecord {
        hash: KeyHash(row.get(0)?),
        kind: if is_of_account { ApiKeyKind::Account } else { ApiKeyKind::Worker(parsed(row, 1)?) },
        owner: parsed(row, 2)?,
        name: row.get(3)?,
        created_at: Time(unsigned(row, 4)?),
        expires_at: unsigned_or_null(row, 5)?.map(Time),
        revoked_at: unsigned_or_null(row, 6)?.map(Time),
    })
}

pub(super) fn device_key(row: &Row<'_>) -> rusqlite::Result<DeviceKeyRecord> {
    Ok(DeviceKeyRecord {
        account: parsed(row, 0)?,
        public_key: PublicKey(row.get(1)?),
        key_id: parsed(row, 2)?,
        device_name: row.get(3)?,
        registered_at: Time(unsigned(row, 4)?),
        proven: row.get(5)?,
    })
}

pub(super) fn invite(row: &Row<'_>) -> rusqlite::Result<InviteRecord> {
    Ok(InviteRecord {
        code: row.get(0)?,
        room_id: parsed(row, 1)?,
        made_by: parsed(row, 2)?,
        expires_at: Time(unsigned(row, 3)?),
    })
}

/// Whether another account has this one's name.
pub(super) fn is_taken(connection: &Connection, account: &AccountRecord) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM accounts WHERE username = ?1 AND member <> ?2")?
        .exists(params![account.username, account.member.as_str()])
}

/// Writes one change to what is kept here; the others are not of this file.
pub(super) fn write(connection: &Connection, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::PutAccount(one) => put_account(connection, one),
        Change::DeleteAccount(member) => [
            "DELETE FROM api_keys WHERE owner = ?1",
            "DELETE FROM device_keys WHERE account = ?1",
            "DELETE FROM memberships WHERE member = ?1",
            "DELETE FROM accounts WHERE member = ?1",
        ]
        .into_iter()
        .try_for_each(|sql| connection.prepare_cached(sql)?.execute(params![member.as_str()]).map(drop)),
        Change::PutApiKey(one) => put_api_key(connection, one),
        Change::DeleteApiKey(hash) => {
            connection.prepare_cached("DELETE FROM api_keys WHERE hash = ?1")?.execute(params![hash.0]).map(drop)
        }
        Change::PutDeviceKey(one) => put_device_key(connection, one),
        Change::DeleteDeviceKey(account, key) => connection
            .prepare_cached("DELETE FROM device_keys WHERE account = ?1 AND public_key = ?2")?
            .execute(params![account.as_str(), key.0])
            .map(drop),
        Change::PutInvite(one) => put_invite(connection, one),
        Change::DeleteInvite(code) => {
            connection.prepare_cached("DELETE FROM invites WHERE code = ?1")?.execute(params![code]).map(drop)
        }
        _ => Ok(()),
    }
}

fn put_account(connection: &Connection, one: &AccountRecord) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO accounts (member, username, avatar_url, created_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (member) DO UPDATE
             SET username = excluded.username, avatar_url = excluded.avatar_url, created_at = excluded.created_at",
        )?
        .execute(params![one.member.as_str(), one.username, one.avatar_url, time(one.created_at)])
        .map(drop)
}

fn put_api_key(connection: &Connection, one: &ApiKeyRecord) -> rusqlite::Result<()> {
    let room = match &one.kind {
        ApiKeyKind::Account => None,
        ApiKeyKind::Worker(room) => Some(room.as_str()),
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO api_keys (hash, key_id, room_id, owner, name, created_at, expires_at, revoked_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
             WHERE ?3 IS NULL OR EXISTS (SELECT 1 FROM rooms WHERE room_id = ?3)",
        )?
        .execute(params![
            one.hash.0,
            one.id().as_str(),
            room,
            one.owner.as_str(),
            one.name,
            time(one.created_at),
            one.expires_at.map(time),
            one.revoked_at.map(time),
        ])
        .map(drop)
}

fn put_device_key(connection: &Connection, one: &DeviceKeyRecord) -> rusqlite::Result<()> {
    if one.proven {
        connection
            .prepare_cached("DELETE FROM device_keys WHERE public_key = ?1 AND proven AND account <> ?2")?
            .execute(params![one.public_key.0, one.account.as_str()])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO device_keys (account, public_key, key_id, device_name, registered_at, proven)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (account, public_key) DO UPDATE
             SET device_name = excluded.device_name, proven = max(proven, excluded.proven)",
        )?
        .execute(params![
            one.account.as_str(),
            one.public_key.0,
            one.key_id.as_str(),
            one.device_name,
            time(one.registered_at),
            one.proven,
        ])
        .map(drop)
}

fn put_invite(connection: &Connection, one: &InviteRecord) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO invites (code, room_id, made_by, expires_at)
             SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM rooms WHERE room_id = ?2)",
        )?
        .execute(params![one.code, one.room_id.as_str(), one.made_by.as_str(), time(one.expires_at)])
        .map(drop)
}
