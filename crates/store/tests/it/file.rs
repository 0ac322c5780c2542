//! The `SQLite` file: who may open it, what it keeps, who may read it.

use sleap_rtc_store::{OpenError, Sqlite, Store, StoreError};
use sleap_rtc_wire::record::Change;

use crate::records::{room, room_id, worker};

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sqlite");
    let store = Sqlite::open(&path).unwrap();
    store.apply(vec![Change::PutRoom(room("a")), Change::PutWorker(worker("a", "gpu1"))]).await.unwrap();
    drop(store);
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(store.room(&room_id("a")).await.unwrap(), Some(room("a")));
    assert_eq!(store.workers(&room_id("a")).await.unwrap(), [worker("a", "gpu1")]);
}

#[test]
fn a_second_server_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sqlite");
    let first = Sqlite::open(&path).unwrap();
    assert!(matches!(Sqlite::open(&path), Err(OpenError::Locked(at)) if at == folder.path()));
    drop(first);
    Sqlite::open(&path).unwrap();
}

#[test]
fn a_newer_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sqlite");
    drop(Sqlite::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Sqlite::open(&path), Err(OpenError::Newer { found: 99, .. })));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sqlite");
    let text = "a letter to the operator, longer than the header of a database ".repeat(9);
    std::fs::write(&path, &text).unwrap();
    assert!(matches!(Sqlite::open(&path), Err(OpenError::Database { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let Err(error) = Sqlite::open(&folder.path().join("no/server.sqlite")) else { panic!("opened") };
    assert!(error.to_string().contains("no/"), "{error}");
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_not_a_missing_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sqlite");
    let store = Sqlite::open(&path).unwrap();
    store.apply(vec![Change::PutRoom(room("a"))]).await.unwrap();
    let shell = rusqlite::Connection::open(&path).unwrap();
    shell.execute("UPDATE rooms SET created_by = 'no member: \u{7}'", []).unwrap();
    assert!(matches!(store.room(&room_id("a")).await, Err(StoreError::Corrupt(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("server.sqlite")).unwrap();
    store.apply(vec![Change::PutRoom(room("a"))]).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(files.len() >= 3, "database, lock and write-ahead log: {files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}
