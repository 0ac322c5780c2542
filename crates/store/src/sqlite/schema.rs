//! The tables, and how older files become newer ones.

use std::path::Path;

use rusqlite::Connection;

use crate::OpenError;

/// Step n brings a file from version n to n + 1; a step is never changed once it was released.
const STEPS: &[&str] = &[
    "
    CREATE TABLE rooms (
        room_id    TEXT    NOT NULL PRIMARY KEY,
        token      TEXT    NOT NULL,
        created_by TEXT    NOT NULL,
        created_at INTEGER NOT NULL,  -- times are milliseconds since the Unix epoch
        name       TEXT,
        kind       TEXT    NOT NULL CHECK (kind IN ('ephemeral', 'named')),
        ttl_ms     INTEGER,           -- NULL: for ever
        expires_at INTEGER,           -- NULL: never
        epoch      INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX rooms_by_end ON rooms (expires_at, room_id) WHERE expires_at IS NOT NULL;

    CREATE TABLE memberships (
        room_id   TEXT    NOT NULL,
        member    TEXT    NOT NULL,
        role      TEXT    NOT NULL CHECK (role IN ('owner', 'member')),
        joined_at INTEGER NOT NULL,
        PRIMARY KEY (room_id, member)
    ) STRICT;
    CREATE INDEX memberships_by_member ON memberships (member, room_id);

    CREATE TABLE identities (
        member     TEXT    NOT NULL PRIMARY KEY,
        kind       TEXT    NOT NULL CHECK (kind IN ('anonymous', 'key')),
        username   TEXT    NOT NULL,
        key        BLOB,              -- 32 bytes, for kind 'key'
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX identities_by_age ON identities (kind, created_at, member);
",
    "
    CREATE TABLE workers (
        room_id      TEXT    NOT NULL,
        peer_id      TEXT    NOT NULL,
        member       TEXT    NOT NULL,
        metadata     TEXT    NOT NULL,  -- JSON
        silent_since INTEGER,           -- NULL: it was connected
        PRIMARY KEY (room_id, peer_id)
    ) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE rooms ADD COLUMN mesh TEXT NOT NULL DEFAULT 'off' CHECK (mesh IN ('off', 'reference'));
    ALTER TABLE rooms ADD COLUMN strict_offers INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE workers ADD COLUMN taken TEXT;  -- JSON; NULL: nobody has it

    CREATE TABLE accounts (
        member     TEXT    NOT NULL PRIMARY KEY,
        username   TEXT    NOT NULL COLLATE NOCASE UNIQUE,
        avatar_url TEXT,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE api_keys (
        hash       BLOB    NOT NULL PRIMARY KEY,  -- 32 bytes
        key_id     TEXT    NOT NULL UNIQUE,
        room_id    TEXT,                          -- NULL: an account's
        owner      TEXT    NOT NULL,
        name       TEXT    NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,                       -- NULL: never
        revoked_at INTEGER                        -- NULL: good
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX api_keys_by_owner ON api_keys (owner);
    CREATE INDEX api_keys_by_room ON api_keys (room_id) WHERE room_id IS NOT NULL;

    CREATE TABLE device_keys (
        account       TEXT    NOT NULL,
        public_key    BLOB    NOT NULL,  -- 32 bytes
        key_id        TEXT    NOT NULL,
        device_name   TEXT    NOT NULL,
        registered_at INTEGER NOT NULL,
        proven        INTEGER NOT NULL,
        PRIMARY KEY (account, public_key)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX device_keys_proven ON device_keys (public_key) WHERE proven;

    CREATE TABLE invites (
        code       TEXT    NOT NULL PRIMARY KEY,
        room_id    TEXT    NOT NULL,
        made_by    TEXT    NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX invites_by_room ON invites (room_id);
",
];

/// Brings the file to the newest version, whole or not at all; refuses a file that is newer than this program.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let database = |error: rusqlite::Error| OpenError::Database { path: path.to_owned(), reason: error.to_string() };
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let transaction = connection.transaction().map_err(database)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(database)?;
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step).map_err(database)?;
    }
    transaction.pragma_update(None, "user_version", known).map_err(database)?;
    transaction.commit().map_err(database)
}
