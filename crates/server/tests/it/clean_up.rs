//! What goes by itself.

use std::sync::Arc;

use serde_json::{Value, json};
use sleap_rtc_server::Ports;
use sleap_rtc_store::Store;
use sleap_rtc_wire::record::{Change, IdentityKind, IdentityRecord, RoomKind, RoomRecord};
use sleap_rtc_wire::{MemberId, RoomId, Time};

use crate::rig::{Installation, MadeRoom, Peer, Socket, TestServer, eventually, register, text};

/// A server over a store that already holds this, and the store.
async fn server_over(changes: Vec<Change>, grace_ms: u64) -> (TestServer, Arc<dyn Store>) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let ports = Ports::embedded(&folder.path().join("data")).unwrap();
    ports.store.apply(changes).await.unwrap();
    drop(ports);
    let mut kept = None;
    let set = |config: &mut sleap_rtc_server::Config| {
        config.identity_grace_ms = grace_ms;
        config.room.grace_ms = grace_ms;
    };
    let server = TestServer::on(folder, set, |ports| {
        kept = Some(ports.store.clone());
        ports
    })
    .await;
    (server, kept.unwrap())
}

fn expired_room(id: &str) -> RoomRecord {
    RoomRecord {
        room_id: RoomId::new(id).unwrap(),
        token: "secret".to_owned(),
        created_by: MemberId::new("alice").unwrap(),
        created_at: Time(1),
        name: Some("old".to_owned()),
        kind: RoomKind::Named,
        ttl_ms: Some(60_000),
        expires_at: Some(Time(60_001)),
        epoch: 1,
    }
}

#[tokio::test]
async fn expired_rooms_are_removed_at_the_start() {
    let rooms: Vec<String> = (0..600).map(|n| format!("room-{n}")).collect();
    let changes = rooms.iter().map(|id| Change::PutRoom(expired_room(id))).collect();
    let (_server, store) = server_over(changes, 60_000).await;
    eventually("all expired rooms gone", || async { store.rooms(None, 1).await.unwrap().is_empty() }).await;
}

#[tokio::test]
async fn an_expired_room_lets_nobody_in() {
    let (server, store) = server_over(Vec::new(), 60_000).await;
    // After the first sweep, so that it is the registration that notices.
    store.apply(vec![Change::PutRoom(expired_room("old"))]).await.unwrap();
    let room = MadeRoom { id: "old".to_owned(), token: "secret".to_owned(), maker: Installation::new() };
    let token = room.maker.sign_in(&server).await;
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(register(&room, &token, json!({"peer_id": "gpu1"}))).await;
    let (code, reason) = socket.error().await;
    assert!(matches!((&*code, &*reason), ("ROOM_EXPIRED", "Room expired") | ("ROOM_NOT_FOUND", _)), "{code} {reason}");
    let extended = server.post("/extend-room").json(&json!({"room_id": "old"})).send().await;
    assert!(extended.status != 200, "an expired room is not brought back: {extended:?}");
}

#[tokio::test]
async fn an_ephemeral_room_and_its_anonymous_identities_go_after_the_grace() {
    let (server, store) = server_over(Vec::new(), 100).await;
    let signed_in = server.post("/anonymous-signin").send().await.json();
    let token = text(&signed_in["id_token"]);
    let made = server.post("/create-room").bearer(&token).send().await.json();
    let room = MadeRoom { id: text(&made["room_id"]), token: text(&made["token"]), maker: Installation::new() };
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(register(&room, &token, json!({"peer_id": signed_in["username"]}))).await;
    socket.expect("registered_auth").await;
    let member = MemberId::new(signed_in["username"].as_str().unwrap()).unwrap();
    assert!(store.identity(&member).await.unwrap().is_some());
    drop(socket);
    let id = RoomId::new(&room.id).unwrap();
    eventually("the room is gone", || async { store.room(&id).await.unwrap().is_none() }).await;
    eventually("the identity is gone", || async { store.identity(&member).await.unwrap().is_none() }).await;
    let reply = server.post("/create-room").bearer(&token).send().await;
    assert_eq!(reply.error(), (401, "AUTH_FAILED".to_owned()), "its token is good for nothing");
}

#[tokio::test]
async fn a_key_and_a_named_room_stay() {
    let (server, store) = server_over(Vec::new(), 100).await;
    let named = server.room().await;
    let fleeting = server.room_with(Value::Null).await;
    let who = fleeting.maker.clone();
    drop(Peer::join(&server, &named, &who, json!({"peer_id": "gpu1"})).await);
    drop(Peer::join(&server, &fleeting, &who, json!({"peer_id": "gpu1"})).await);
    let id = RoomId::new(&fleeting.id).unwrap();
    eventually("the ephemeral room is gone", || async { store.room(&id).await.unwrap().is_none() }).await;
    // An anonymous identity that comes and goes now is forgotten by a later look at those that are due.
    let signed_in = server.post("/anonymous-signin").send().await.json();
    let member = MemberId::new(signed_in["username"].as_str().unwrap()).unwrap();
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(register(&named, &text(&signed_in["id_token"]), json!({"peer_id": "passer-by"}))).await;
    socket.expect("registered_auth").await;
    drop(socket);
    eventually("the passer-by is forgotten", || async { store.identity(&member).await.unwrap().is_none() }).await;
    assert!(store.identity(&who.key().member()).await.unwrap().is_some());
    Peer::join(&server, &named, &who, json!({"peer_id": "gpu1"})).await;
}

#[tokio::test]
async fn identities_that_a_crash_left_behind_are_forgotten_at_the_start() {
    let left = |name: &str, created_at: u64| {
        let member = MemberId::new(name).unwrap();
        let username = name.to_owned();
        let created_at = Time(created_at);
        Change::PutIdentity(IdentityRecord { member, kind: IdentityKind::Anonymous, username, key: None, created_at })
    };
    let (_server, store) = server_over(vec![left("old", 1), left("young", u64::MAX / 4)], 60_000).await;
    let find = async |name: &str| store.identity(&MemberId::new(name).unwrap()).await.unwrap().is_some();
    eventually("the old one is gone", || async { !find("old").await }).await;
    assert!(find("young").await);
}
