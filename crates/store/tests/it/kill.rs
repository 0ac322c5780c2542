//! What was confirmed survives `kill -9`.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use sleap_rtc_store::{Sqlite, Store};
use sleap_rtc_wire::record::Change;

use crate::records::{invite, room, room_id};

const FILE: &str = "STORE_TO_WRITE_TO";
const CONFIRMED: usize = 300;

#[tokio::test]
async fn every_confirmed_room_is_there_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sqlite");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FILE, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut confirmed = Vec::new();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if let Some(id) = line.strip_prefix("confirmed ") {
            confirmed.push(id.to_owned());
        }
        if confirmed.len() == CONFIRMED {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(confirmed.len() >= CONFIRMED, "the writer ended early, after {}", confirmed.len());
    let store = Sqlite::open(&path).unwrap();
    for id in &confirmed {
        assert_eq!(store.room(&room_id(id)).await.unwrap(), Some(room(id)), "{id} was confirmed");
        assert_eq!(store.invite(id).await.unwrap(), Some(invite(id, id, 5)), "with what was written beside it");
    }
}

#[tokio::test]
#[ignore = "the child process of every_confirmed_room_is_there_after_kill_9"]
async fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else { return };
    let store = Arc::new(Sqlite::open(&path).unwrap());
    let writers = (0..4).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let id = format!("room-{writer}-{n}");
                let both = vec![Change::PutRoom(room(&id)), Change::PutInvite(invite(&id, &id, 5))];
                store.apply(both).await.unwrap();
                writeln!(std::io::stdout(), "confirmed {id}").unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}
