//! How long rooms live.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sleap_rtc_server::{Config, Ports};
use sleap_rtc_store::Store;
use sleap_rtc_wire::record::{Change, RoomKind, RoomRecord, Switches};
use sleap_rtc_wire::{MemberId, RoomId, Time};

use crate::rig::{Installation, MadeRoom, Peer, TestServer, eventually, text};

fn now() -> Time {
    Time(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap())
}

fn seconds_from_now(at: &Value) -> i64 {
    at.as_i64().unwrap_or_else(|| panic!("no time: {at}")) - i64::try_from(now().unix_seconds()).unwrap()
}

/// A server and its store.
async fn server_and_store(set: impl FnOnce(&mut Config)) -> (TestServer, Arc<dyn Store>) {
    let mut store = None;
    let keep = |ports: Ports| {
        store = Some(ports.store.clone());
        ports
    };
    let server = TestServer::on(Arc::new(tempfile::tempdir().unwrap()), set, keep).await;
    (server, store.unwrap())
}

/// A room that lives for `ttl_ms` and was made a moment ago.
fn record(id: &str, kind: RoomKind, ttl_ms: u64) -> RoomRecord {
    RoomRecord {
        room_id: RoomId::new(id).unwrap(),
        token: "secret".to_owned(),
        created_by: MemberId::new("alice").unwrap(),
        created_at: now(),
        name: None,
        kind,
        ttl_ms: Some(ttl_ms),
        expires_at: Some(now().plus_ms(ttl_ms)),
        epoch: 0,
        switches: Switches::default(),
    }
}

fn known(id: &str) -> MadeRoom {
    MadeRoom { id: id.to_owned(), token: "secret".to_owned(), maker: Installation::new() }
}

async fn expiry(store: &Arc<dyn Store>, id: &str) -> Option<Time> {
    store.room(&RoomId::new(id).unwrap()).await.unwrap().and_then(|room| room.expires_at)
}

#[tokio::test]
async fn a_connected_peer_keeps_its_room() {
    let (server, store) = server_and_store(|_| {}).await;
    for (id, kind) in [("fleeting", RoomKind::Ephemeral), ("pool", RoomKind::Named)] {
        let made = record(id, kind, 1000);
        let first = made.expires_at;
        store.apply(vec![Change::PutRoom(made)]).await.unwrap();
        let mut peer = Peer::worker(&server, &known(id), "gpu1").await;
        // Written again each time that half of it has passed; for a room of two hours that is every hour.
        for _ in 0..3 {
            let before = expiry(&store, id).await;
            eventually("its expiry moves on", || async { expiry(&store, id).await > before }).await;
        }
        assert!(now() > first.unwrap(), "without its peer it would be over");
        assert_eq!(peer.discover(json!({})).await, [""; 0], "and it lives");
    }
}

#[tokio::test]
async fn the_time_of_a_named_room_begins_anew_when_its_last_peer_leaves() {
    let (server, store) = server_and_store(|_| {}).await;
    let room = server.room_with(json!({"name": "pool", "ttl": "2h"})).await;
    let made = expiry(&store, &room.id).await;
    let (one, two) = (Peer::worker(&server, &room, "gpu1").await, Peer::worker(&server, &room, "gpu2").await);
    drop(one);
    let mut three = Peer::client(&server, &room, "laptop").await;
    while three.discover(json!({})).await != ["gpu2"] {}
    assert_eq!(expiry(&store, &room.id).await, made, "somebody is there still");
    drop((two, three));
    eventually("written again", || async { expiry(&store, &room.id).await > made }).await;
    let token = room.maker.sign_in(&server).await;
    let left = seconds_from_now(&server.shown(&token, &room.id).await["expires_at"]);
    assert!((7190..=7200).contains(&left), "{left}");
}

#[tokio::test]
async fn a_room_nobody_has_joined_lives_out_its_time() {
    let (server, store) = server_and_store(|config| config.room.grace_ms = 0).await;
    let anonymous = server.anonymous().await;
    let room = server.ephemeral_room(&anonymous).await;
    let shown = server.shown(&anonymous.id_token, &room.id).await;
    assert!((7190..=7200).contains(&seconds_from_now(&shown["expires_at"])), "{shown}");
    // And no longer: one that is loaded ends by itself, to the moment.
    store.apply(vec![Change::PutRoom(record("short", RoomKind::Ephemeral, 500))]).await.unwrap();
    let body = json!({"peer_id": "nobody", "room_id": "short", "token": "secret"});
    assert_eq!(server.post("/delete-peer").json(&body).send().await.status, 200);
    eventually("over", || async { expiry(&store, "short").await.is_none() }).await;
    assert!(expiry(&store, &room.id).await.is_some());
}

#[tokio::test]
async fn without_a_grace_an_ephemeral_room_goes_with_its_last_peer() {
    let (server, store) = server_and_store(|config| config.room.grace_ms = 0).await;
    let room = server.room_with(Value::Null).await;
    drop(Peer::worker(&server, &room, "gpu1").await);
    eventually("gone", || async { expiry(&store, &room.id).await.is_none() }).await;
}

#[tokio::test]
async fn an_ephemeral_room_waits_for_its_peers_for_the_grace() {
    let (server, store) = server_and_store(|_| {}).await;
    let room = server.room_with(Value::Null).await;
    drop(Peer::worker(&server, &room, "gpu1").await);
    // 60 s unless the operator says otherwise, in the store as well.
    let within_a_minute = |at: Option<Time>| at.is_some_and(|at| at.since(now()) <= 60_000);
    eventually("it ends in a minute", || async { within_a_minute(expiry(&store, &room.id).await) }).await;
    let token = room.maker.sign_in(&server).await;
    let left = seconds_from_now(&server.shown(&token, &room.id).await["expires_at"]);
    assert!((50..=60).contains(&left), "{left}");
    let _back = Peer::worker(&server, &room, "gpu1").await;
    eventually("it has its time again", || async { !within_a_minute(expiry(&store, &room.id).await) }).await;
}

#[tokio::test]
async fn an_extension_gives_two_hours_at_least_in_store_live_room_and_list() {
    let (server, store) = server_and_store(|_| {}).await;
    for (ttl, least) in [("60s", 7200), ("2h", 7200), ("90d", 90 * 86_400)] {
        let room = server.room_with(json!({"name": "pool", "ttl": ttl})).await;
        let token = room.maker.sign_in(&server).await;
        let body = json!({"room_id": room.id});
        let extended = server.post("/extend-room").bearer(&token).json(&body).send().await.json();
        assert_eq!(extended.as_object().unwrap().len(), 2, "{extended}");
        assert_eq!(extended["room_id"], json!(room.id));
        assert!((least - 10..=least).contains(&seconds_from_now(&extended["expires_at"])), "{ttl}: {extended}");
        let stored = expiry(&store, &room.id).await.unwrap().unix_seconds();
        assert_eq!(extended["expires_at"], json!(stored), "the store");
        assert_eq!(server.shown(&token, &room.id).await["expires_at"], json!(stored), "the list");
        let later = Peer::client(&server, &room, "laptop").await;
        assert_eq!(later.registered["expires_at"], json!(stored), "the live room");
    }
    let room = server.room_with(json!({"name": "pool", "ttl": "never"})).await;
    let body = json!({"room_id": room.id});
    assert_eq!(server.post("/extend-room").json(&body).send().await.json()["expires_at"], Value::Null);
}

#[tokio::test]
async fn an_extension_keeps_an_ephemeral_room_that_everybody_has_left() {
    let (server, store) = server_and_store(|_| {}).await;
    let room = server.room_with(Value::Null).await;
    drop(Peer::worker(&server, &room, "gpu1").await);
    eventually("left", || async { expiry(&store, &room.id).await.is_some_and(|at| at.since(now()) <= 60_000) }).await;
    let body = json!({"room_id": room.id});
    let extended = server.post("/extend-room").json(&body).send().await.json();
    assert!((7190..=7200).contains(&seconds_from_now(&extended["expires_at"])), "{extended}");
    let token = room.maker.sign_in(&server).await;
    assert_eq!(server.shown(&token, &room.id).await["expires_at"], extended["expires_at"]);
}

#[tokio::test]
async fn a_restart_of_the_server_is_nobodys_leaving() {
    let (server, _) = server_and_store(|config| config.room.grace_ms = 0).await;
    let room = server.room_with(Value::Null).await;
    let before = Peer::worker(&server, &room, "gpu1").await;
    let server = TestServer::on(server.stop().await, |config| config.room.grace_ms = 0, |ports| ports).await;
    drop(before);
    let after = Peer::worker(&server, &room, "gpu1").await;
    assert_eq!(text(&after.registered["room_id"]), room.id);
}
