//! Files that older versions have written, as they wrote them.

use std::path::Path;

use sleap_rtc_store::{Sqlite, Store};
use sleap_rtc_wire::record::{Change, IdentityKind, MemberRole, RoomRecord, WorkerRecord};
use sleap_rtc_wire::{PeerId, Time};

use crate::records::{account, api_key, device, identity, invite, member, membership, room, room_id, secret, worker};

/// What version 1 had.
const FIRST: &str = "
    CREATE TABLE rooms (
        room_id TEXT NOT NULL PRIMARY KEY, token TEXT NOT NULL, created_by TEXT NOT NULL, created_at INTEGER NOT NULL,
        name TEXT, kind TEXT NOT NULL CHECK (kind IN ('ephemeral', 'named')), ttl_ms INTEGER, expires_at INTEGER,
        epoch INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX rooms_by_end ON rooms (expires_at, room_id) WHERE expires_at IS NOT NULL;
    CREATE TABLE memberships (
        room_id TEXT NOT NULL, member TEXT NOT NULL, role TEXT NOT NULL CHECK (role IN ('owner', 'member')),
        joined_at INTEGER NOT NULL, PRIMARY KEY (room_id, member)
    ) STRICT;
    CREATE INDEX memberships_by_member ON memberships (member, room_id);
    CREATE TABLE identities (
        member TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('anonymous', 'key')),
        username TEXT NOT NULL, key BLOB, created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX identities_by_age ON identities (kind, created_at, member);

    INSERT INTO rooms VALUES ('a', 'token of a', 'alice', 1764000000123, 'talmolab ''gpu'' pool \u{1f41d}', 'named',
        2592000000, 1766592000123, 1);
    INSERT INTO memberships VALUES ('a', 'alice', 'owner', 7);
    INSERT INTO identities VALUES ('bob', 'anonymous', 'bob by name', NULL, 4);
    PRAGMA user_version = 1;
";

/// What version 2 added.
const SECOND: &str = r#"
    CREATE TABLE workers (
        room_id TEXT NOT NULL, peer_id TEXT NOT NULL, member TEXT NOT NULL, metadata TEXT NOT NULL,
        silent_since INTEGER, PRIMARY KEY (room_id, peer_id)
    ) STRICT, WITHOUT ROWID;

    INSERT INTO workers VALUES ('a', 'gpu1', 'alice',
        '{"tags":["sleap-rtc"],"properties":{"gpu_memory_mb":24576,"status":"available"}}', NULL);
    INSERT INTO workers VALUES ('a', 'gpu2', 'alice',
        '{"tags":["sleap-rtc"],"properties":{"gpu_memory_mb":24576,"status":"available"}}', 12);
    PRAGMA user_version = 2;
"#;

fn file_of(path: &Path, steps: &[&str]) {
    let shell = rusqlite::Connection::open(path).unwrap();
    for step in steps {
        shell.execute_batch(step).unwrap();
    }
}

/// What both had is there, and what is new can be written.
async fn is_up_to_date(store: &Sqlite) {
    assert_eq!(store.room(&room_id("a")).await.unwrap(), Some(room("a")), "with the switches as they are by default");
    assert_eq!(store.members(&room_id("a")).await.unwrap(), [membership("a", "alice", MemberRole::Owner)]);
    let bob = identity("bob", IdentityKind::Anonymous, 4);
    assert_eq!(store.identity(&member("bob")).await.unwrap(), Some(bob));
    let new = vec![
        Change::PutAccount(account("u_1", "ana")),
        Change::PutApiKey(api_key(1, "u_1", 1)),
        Change::PutDeviceKey(device(1, "u_1", true)),
        Change::PutInvite(invite("AAAAAAAA", "a", 5)),
        Change::PutRoom(RoomRecord { epoch: 9, ..room("a") }),
        Change::PutWorker(worker("a", "gpu3")),
    ];
    store.apply(new).await.unwrap();
    assert!(store.account_named("ANA").await.unwrap().is_some());
    assert!(store.api_key(&secret(1)).await.unwrap().is_some());
    assert_eq!(store.device_keys_of(&member("u_1")).await.unwrap(), [device(1, "u_1", true)]);
    assert_eq!(store.invites_of(&room_id("a")).await.unwrap(), [invite("AAAAAAAA", "a", 5)]);
    assert_eq!(store.room(&room_id("a")).await.unwrap().unwrap().epoch, 9);
    let gpu3 = PeerId::new("gpu3").unwrap();
    assert!(store.workers(&room_id("a")).await.unwrap().iter().any(|one| one.peer_id == gpu3));
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sqlite");
    file_of(&path, &[FIRST]);
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(store.workers(&room_id("a")).await.unwrap(), []);
    is_up_to_date(&store).await;
}

#[tokio::test]
async fn a_file_of_the_second_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sqlite");
    file_of(&path, &[FIRST, SECOND]);
    let store = Sqlite::open(&path).unwrap();
    let silent = WorkerRecord { silent_since: Some(Time(12)), ..worker("a", "gpu2") };
    assert_eq!(store.workers(&room_id("a")).await.unwrap(), [worker("a", "gpu1"), silent], "nobody has taken them");
    is_up_to_date(&store).await;
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sqlite");
    // A table of the next step is there already, so that the step fails half-way.
    file_of(&path, &[FIRST, SECOND, "CREATE TABLE invites (x INTEGER);"]);
    assert!(Sqlite::open(&path).is_err());
    let shell = rusqlite::Connection::open(&path).unwrap();
    let version: i64 = shell.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 2);
    assert!(shell.prepare("SELECT 1 FROM accounts").is_err(), "nothing of the step is left");
    shell.execute_batch("DROP TABLE invites").unwrap();
    drop(shell);
    is_up_to_date(&Sqlite::open(&path).unwrap()).await;
}
