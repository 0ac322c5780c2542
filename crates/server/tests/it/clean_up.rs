//! What goes by itself, and what a clean-up takes.

use std::sync::Arc;

use serde_json::{Value, json};
use sleap_rtc_server::{Config, Ports};
use sleap_rtc_store::Store;
use sleap_rtc_wire::record::{
    Change, IdentityKind, IdentityRecord, MemberRole, MembershipRecord, RoomKind, RoomRecord, Switches,
};
use sleap_rtc_wire::{MemberId, RoomId, Time};

use crate::rig::{
    Anonymous, ELSEWHERE, HERE, Installation, MadeRoom, Peer, Socket, TestServer, eventually, register, text,
};

/// A server over a store that already holds this, and the store.
async fn server_over(changes: Vec<Change>, set: impl FnOnce(&mut Config)) -> (TestServer, Arc<dyn Store>) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let ports = Ports::embedded(&folder.path().join("data")).unwrap();
    ports.store.apply(changes).await.unwrap();
    drop(ports);
    let mut kept = None;
    let server = TestServer::on(folder, set, |ports| {
        kept = Some(ports.store.clone());
        ports
    })
    .await;
    (server, kept.unwrap())
}

fn grace(ms: u64) -> impl FnOnce(&mut Config) {
    move |config| (config.identity_grace_ms, config.room.grace_ms) = (ms, ms)
}

fn member(name: &str) -> MemberId {
    MemberId::new(name).unwrap()
}

fn expired_room(id: &str) -> RoomRecord {
    RoomRecord {
        room_id: RoomId::new(id).unwrap(),
        token: "secret".to_owned(),
        created_by: member("alice"),
        created_at: Time(1),
        name: Some("old".to_owned()),
        kind: RoomKind::Named,
        ttl_ms: Some(60_000),
        expires_at: Some(Time(60_001)),
        epoch: 1,
        switches: Switches::default(),
    }
}

fn identity(name: &str, kind: IdentityKind, created_at: u64) -> Change {
    let (member, username) = (member(name), format!("{name}'s name"));
    Change::PutIdentity(IdentityRecord { member, kind, username, key: None, created_at: Time(created_at) })
}

async fn is_known(store: &Arc<dyn Store>, who: &MemberId) -> bool {
    store.identity(who).await.unwrap().is_some()
}

async fn is_room(store: &Arc<dyn Store>, room: &MadeRoom) -> bool {
    store.room(&RoomId::new(&room.id).unwrap()).await.unwrap().is_some()
}

async fn join(server: &TestServer, room: &MadeRoom, who: &Anonymous) -> Peer {
    let fields = json!({"peer_id": who.username, "role": "worker"});
    Peer::join_from(server, room, &who.id_token, fields, HERE).await
}

/// The answer to a clean-up of all that signed in longer ago than nothing.
async fn clean_up(server: &TestServer, credential: Option<&str>, dry_run: bool) -> Value {
    let body = json!({"older_than": 0, "dry_run": dry_run});
    let mut request = server.post("/identities/cleanup").json(&body);
    if let Some(credential) = credential {
        request = request.bearer(credential);
    }
    let reply = request.send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// The metrics, once this one is counted so far.
async fn counted(server: &TestServer, name: &str, count: u64) -> Value {
    let metrics = || async { server.get("/metrics").send().await.json() };
    eventually(name, || async { metrics().await[name] == json!(count) }).await;
    metrics().await
}

#[tokio::test]
async fn expired_rooms_are_removed_at_the_start_and_counted() {
    let rooms: Vec<String> = (0..600).map(|n| format!("room-{n}")).collect();
    let changes = rooms.iter().map(|id| Change::PutRoom(expired_room(id))).collect();
    let (server, store) = server_over(changes, |_| {}).await;
    eventually("all expired rooms gone", || async { store.rooms(None, 1).await.unwrap().is_empty() }).await;
    let metrics = counted(&server, "swept_rooms", 600).await;
    assert_eq!(metrics["rooms_removed"], json!(600));
    assert!(metrics["sweeps"].as_u64().unwrap() >= 1);
    let text = server.get("/metrics/prometheus").send().await.body;
    assert!(text.contains("\nsleap_rtc_swept_rooms_total 600\n"), "{text}");
}

#[tokio::test]
async fn an_ephemeral_room_whose_grace_ended_while_the_server_was_down_is_gone() {
    let (server, store) = server_over(Vec::new(), grace(500)).await;
    let (left, used, fresh) =
        (server.room_with(Value::Null).await, server.room_with(Value::Null).await, server.room_with(Value::Null).await);
    drop(Peer::worker(&server, &left, "gpu1").await);
    let ends = || async { store.room(&RoomId::new(&left.id).unwrap()).await.unwrap().unwrap().expires_at };
    let made = ends().await;
    eventually("its grace is written down", || async { ends().await < made }).await;
    let ended = ends().await.unwrap();
    let crashed = Peer::worker(&server, &used, "gpu1").await;
    drop(store);
    let folder = server.stop().await;
    while Time::from_unix_seconds(0).plus_ms(unix_ms()) <= ended {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut store = None;
    let keep = |ports: Ports| {
        store = Some(ports.store.clone());
        ports
    };
    let server = TestServer::on(folder, grace(500), keep).await;
    let store = store.unwrap();
    eventually("swept", || async { !is_room(&store, &left).await }).await;
    drop(crashed);
    assert!(is_room(&store, &used).await, "its peers come back");
    assert!(is_room(&store, &fresh).await, "nobody has joined it yet");
    Peer::worker(&server, &used, "gpu1").await;
}

fn unix_ms() -> u64 {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(unix.as_millis()).unwrap()
}

#[tokio::test]
async fn an_expired_room_lets_nobody_in() {
    let (server, store) = server_over(Vec::new(), |_| {}).await;
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
    let (server, store) = server_over(Vec::new(), grace(100)).await;
    let who = server.anonymous().await;
    let room = server.ephemeral_room(&who).await;
    let peer = join(&server, &room, &who).await;
    assert!(is_known(&store, &who.member()).await);
    drop(peer);
    eventually("the room is gone", || async { !is_room(&store, &room).await }).await;
    eventually("the identity is gone", || async { !is_known(&store, &who.member()).await }).await;
    let reply = server.post("/create-room").bearer(&who.id_token).send().await;
    assert_eq!(reply.error(), (401, "AUTH_FAILED".to_owned()), "its token is good for nothing");
}

#[tokio::test]
async fn an_anonymous_identity_goes_with_its_room_at_the_latest() {
    // The grace would last longer than this test.
    let (server, store) = server_over(Vec::new(), |_| {}).await;
    for body in [Value::Null, json!({"name": "pool", "ttl": "never"})] {
        let (maker, guest, owner) = (server.anonymous().await, server.anonymous().await, server.anonymous().await);
        let made = server.post("/create-room").bearer(&maker.id_token).json(&body).send().await.json();
        let room = MadeRoom { id: text(&made["room_id"]), token: text(&made["token"]), maker: Installation::new() };
        let _elsewhere = server.ephemeral_room(&owner).await;
        drop(join(&server, &room, &guest).await);
        drop(join(&server, &room, &owner).await);
        let deleted = server.post("/delete-peers-and-room").json(&json!({"room_id": room.id})).send().await;
        assert_eq!(deleted.status, 200, "{deleted:?}");
        for who in [&maker, &guest] {
            eventually("gone", || async { !is_known(&store, &who.member()).await }).await;
        }
        assert!(is_known(&store, &owner.member()).await, "it has a room of its own still");
    }
}

#[tokio::test]
async fn a_key_and_a_named_room_stay() {
    let (server, store) = server_over(Vec::new(), grace(100)).await;
    let named = server.room().await;
    let fleeting = server.room_with(Value::Null).await;
    let who = fleeting.maker.clone();
    drop(Peer::join(&server, &named, &who, json!({"peer_id": "gpu1"})).await);
    drop(Peer::join(&server, &fleeting, &who, json!({"peer_id": "gpu1"})).await);
    eventually("the ephemeral room is gone", || async { !is_room(&store, &fleeting).await }).await;
    // An anonymous identity that comes and goes now is forgotten by a later look at those that are due.
    let passer_by = server.anonymous().await;
    drop(join(&server, &named, &passer_by).await);
    eventually("the passer-by is forgotten", || async { !is_known(&store, &passer_by.member()).await }).await;
    assert!(is_known(&store, &who.key().member()).await);
    Peer::join(&server, &named, &who, json!({"peer_id": "gpu1"})).await;
}

#[tokio::test]
async fn identities_that_a_crash_left_behind_are_forgotten_at_the_start_and_counted() {
    let left = (0..600).map(|n| identity(&format!("old-{n}"), IdentityKind::Anonymous, 1));
    let others = [identity("young", IdentityKind::Anonymous, u64::MAX / 4), identity("key", IdentityKind::Key, 1)];
    let (server, store) = server_over(left.chain(others).collect(), |_| {}).await;
    let page = || store.identities_before(IdentityKind::Anonymous, Time(2), None, 1);
    eventually("the old ones are gone", || async { page().await.unwrap().is_empty() }).await;
    assert!(is_known(&store, &member("young")).await && is_known(&store, &member("key")).await);
    let metrics = counted(&server, "swept_identities", 600).await;
    assert_eq!(metrics["identities_forgotten"], json!(600));
}

#[tokio::test]
async fn one_that_was_never_used_goes_at_the_age_that_the_operator_sets() {
    let never_used = identity("never-used", IdentityKind::Anonymous, unix_ms() - 10_000);
    let (_server, store) = server_over(vec![never_used.clone()], |_| {}).await;
    assert!(is_known(&store, &member("never-used")).await);
    let age = |config: &mut Config| (config.identity_age_ms, config.identity_grace_ms) = (5000, 0);
    let (_server, store) = server_over(vec![never_used], age).await;
    eventually("gone", || async { !is_known(&store, &member("never-used")).await }).await;
}

#[tokio::test]
async fn a_clean_up_takes_whoever_is_not_connected_and_owns_no_room() {
    let (server, store) = server_over(Vec::new(), |_| {}).await;
    let secret = server.admin_secret();
    let [unused, connected, gone, owner] = [(); 4].map(|()| server.anonymous());
    let (unused, connected, gone, owner) = tokio::join!(unused, connected, gone, owner);
    let room = server.ephemeral_room(&owner).await;
    let _peer = join(&server, &room, &connected).await;
    // Within its grace.
    drop(join(&server, &room, &gone).await);
    let key = Installation::new();
    key.sign_in(&server).await;

    let expected = json!({"users": [unused.username], "deleted": 1, "kept_connected": 2, "kept_owners": 1});
    // A millisecond after the last one has signed in all of them are older than nothing.
    eventually("a rehearsal", || async { clean_up(&server, Some(&secret), true).await == expected }).await;
    assert!(is_known(&store, &unused.member()).await, "a rehearsal");
    assert_eq!(clean_up(&server, Some(&secret), false).await, expected);
    assert!(!is_known(&store, &unused.member()).await);
    for kept in [connected.member(), gone.member(), owner.member(), key.key().member()] {
        assert!(is_known(&store, &kept).await, "{kept}");
    }
    // With its room gone its owner goes as well, and so does whoever was there.
    server.post("/delete-peers-and-room").json(&json!({"room_id": room.id})).send().await;
    let nobody = json!({"users": [], "deleted": 0, "kept_connected": 0, "kept_owners": 0});
    assert_eq!(clean_up(&server, Some(&secret), false).await, nobody);
}

#[tokio::test]
async fn a_clean_up_takes_only_those_that_are_old_enough() {
    let (server, store) = server_over(Vec::new(), |_| {}).await;
    // After the first sweep, or it would take it.
    counted(&server, "sweeps", 1).await;
    let two_hours = unix_ms() - 7_200_000;
    store.apply(vec![identity("old", IdentityKind::Anonymous, two_hours)]).await.unwrap();
    let young = server.anonymous().await;
    let body = |older_than: u64| json!({"older_than": older_than});
    let secret = server.admin_secret();
    let ask = |older_than| server.post("/identities/cleanup").bearer(&secret).json(&body(older_than)).send();
    assert_eq!(ask(10_800).await.json()["deleted"], json!(0));
    let cleaned = ask(3600).await.json();
    assert_eq!((&cleaned["users"], &cleaned["deleted"]), (&json!(["old's name"]), &json!(1)));
    assert!(is_known(&store, &young.member()).await);
    assert_eq!(ask(u64::MAX).await.json()["deleted"], json!(0), "older than everything");
}

#[tokio::test]
async fn anybody_cleans_up_after_its_own_address_and_the_operator_after_everybody() {
    let (server, store) = server_over(Vec::new(), |_| {}).await;
    let theirs = server.anonymous_from(ELSEWHERE).await;
    let who = Installation::new().sign_in(&server).await;
    for credential in [None, Some(&*who)] {
        let mine = server.anonymous_from(HERE).await;
        let gone = json!({"users": [mine.username], "deleted": 1, "kept_connected": 0, "kept_owners": 0});
        eventually("cleaned up", || async { clean_up(&server, credential, false).await == gone }).await;
        assert!(!is_known(&store, &mine.member()).await);
        assert!(is_known(&store, &theirs.member()).await);
    }
    let body = json!({"older_than": 0});
    let forged = server.post("/identities/cleanup").header("X-Forwarded-For", "127.0.0.2").json(&body).send().await;
    assert_eq!(forged.error(), (401, "AUTH_FAILED".to_owned()));
    let all = clean_up(&server, Some(&server.admin_secret()), false).await;
    assert_eq!(all["users"], json!([theirs.username]));
    assert_eq!(server.post("/identities/cleanup").json(&json!({})).send().await.error().0, 422);
}

#[tokio::test]
async fn a_clean_up_names_a_thousand_and_counts_all() {
    let (server, store) = server_over(Vec::new(), |_| {}).await;
    // After the first sweep, or it would take them.
    counted(&server, "sweeps", 1).await;
    let old = (0..1300).map(|n| identity(&format!("old-{n}"), IdentityKind::Anonymous, 1));
    store.apply(old.collect()).await.unwrap();
    let answer = clean_up(&server, Some(&server.admin_secret()), false).await;
    assert_eq!(answer["deleted"], json!(1300));
    assert_eq!(answer["users"].as_array().unwrap().len(), 1000);
    assert_eq!(store.identities_before(IdentityKind::Anonymous, Time(2), None, 1).await.unwrap(), []);
}

#[tokio::test]
async fn the_owner_of_a_room_that_lives_is_kept_by_the_sweep_too() {
    let room = RoomRecord { expires_at: None, ttl_ms: None, ..expired_room("pool") };
    let membership = MembershipRecord {
        room_id: room.room_id.clone(),
        member: member("alice"),
        role: MemberRole::Owner,
        joined_at: Time(1),
    };
    let changes = vec![
        Change::PutRoom(room),
        Change::PutMembership(membership),
        identity("alice", IdentityKind::Anonymous, 1),
        identity("bob", IdentityKind::Anonymous, 1),
    ];
    let (_server, store) = server_over(changes, |_| {}).await;
    eventually("bob is gone", || async { !is_known(&store, &member("bob")).await }).await;
    assert!(is_known(&store, &member("alice")).await);
}
