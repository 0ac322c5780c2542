//! What rooms there are.

use std::sync::Arc;

use serde_json::{Value, json};
use sleap_rtc_server::Ports;
use sleap_rtc_wire::record::{Change, MemberRole, MembershipRecord, RoomRecord};
use sleap_rtc_wire::{RoomId, Time};

use crate::rig::{ELSEWHERE, HERE, Installation, MadeRoom, Peer, Request, TestServer, text};

async fn listed(server: &TestServer, credential: &str, path: &str) -> Vec<Value> {
    let reply = server.get(path).bearer(credential).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!reply.body.contains("token"), "a list shows no secrets: {}", reply.body);
    reply.json()["rooms"].as_array().unwrap().clone()
}

fn ids(rooms: &[Value]) -> Vec<String> {
    rooms.iter().map(|room| text(&room["room_id"])).collect()
}

#[tokio::test]
async fn everybody_sees_the_rooms_that_are_theirs() {
    let server = TestServer::start().await;
    let (mine, other) = (server.room().await, server.room_with(json!({"name": "theirs", "ttl": "never"})).await);
    let me = mine.maker.sign_in(&server).await;
    assert_eq!(ids(&listed(&server, &me, "/rooms").await), std::slice::from_ref(&mine.id));
    let _worker = Peer::join(&server, &other, &mine.maker, json!({"peer_id": "gpu1", "role": "worker"})).await;
    let _client = Peer::client(&server, &other, "laptop").await;
    let rooms = listed(&server, &me, "/rooms").await;
    let mut expected = [mine.id.clone(), other.id.clone()];
    expected.sort();
    assert_eq!(ids(&rooms), expected);
    let [own, theirs] = [&mine.id, &other.id].map(|id| rooms.iter().find(|room| room["room_id"] == json!(id)).unwrap());
    assert_eq!((&own["role"], &own["name"], &own["kind"]), (&json!("owner"), &json!("pool"), &json!("named")));
    assert_eq!((&own["peers"], &own["taken"], &own["waiting"]), (&json!({}), &json!(0), &json!(0)));
    assert_eq!(own["ttl"], json!(30 * 86_400));
    assert_eq!(own["expires_at"].as_u64().unwrap() - own["created_at"].as_u64().unwrap(), 30 * 86_400);
    assert_eq!((&theirs["role"], &theirs["expires_at"]), (&json!("member"), &Value::Null));
    assert_eq!((&theirs["ttl"], &theirs["peers"]), (&Value::Null, &json!({"client": 1, "worker": 1})));
    let stranger = Installation::new().sign_in(&server).await;
    assert_eq!(listed(&server, &stranger, "/rooms").await, [Value::Null; 0]);
}

#[tokio::test]
async fn the_operator_sees_all_rooms_page_by_page() {
    let server = TestServer::start().await;
    let (one, two) = (server.room().await, server.room().await);
    let mut all = [one.id.clone(), two.id.clone()];
    all.sort();
    let secret = server.admin_secret();
    let rooms = listed(&server, &secret, "/rooms").await;
    assert_eq!(ids(&rooms), all);
    assert!(rooms[0].get("role").is_none());
    assert_eq!(ids(&listed(&server, &secret, &format!("/rooms?after={}", all[0])).await), all[1..]);
    for path in ["/rooms?after=no%20room%20id", "/rooms?after=a&after=b", "/admin/rooms?after=no%20room%20id"] {
        assert_eq!(
            server.get(path).bearer(&secret).send().await.error(),
            (422, "INVALID_MESSAGE".to_owned()),
            "{path}"
        );
    }
    let reply = server.post("/admin/rooms/no%20room%20id").bearer(&secret).send().await;
    assert_eq!(reply.status, 405, "{reply:?}");
    let nowhere = Request::new(server.http, "DELETE", "/admin/rooms/no%20room%20id").bearer(&secret).send().await;
    assert_eq!(nowhere.error(), (404, "ROOM_NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn a_page_of_rooms_says_where_the_next_one_begins() {
    let mut store = None;
    let keep = |ports: Ports| {
        store = Some(ports.store.clone());
        ports
    };
    let server = TestServer::on(Arc::new(tempfile::tempdir().unwrap()), |_| {}, keep).await;
    let made = server.room().await;
    let me = made.maker.key().member();
    let store = store.unwrap();
    let record = store.room(&RoomId::new(&made.id).unwrap()).await.unwrap().unwrap();
    let mut changes = Vec::new();
    for n in 0..1000 {
        let room_id = RoomId::new(&format!("room-{n}")).unwrap();
        let role = MemberRole::Member;
        changes.push(Change::PutRoom(RoomRecord { room_id: room_id.clone(), ..record.clone() }));
        changes.push(Change::PutMembership(MembershipRecord { room_id, member: me.clone(), role, joined_at: Time(1) }));
    }
    store.apply(changes).await.unwrap();
    for credential in [made.maker.sign_in(&server).await, server.admin_secret()] {
        let page = async |path: &str| server.get(path).bearer(&credential).send().await.json();
        let first = page("/rooms").await;
        assert_eq!(first["rooms"].as_array().unwrap().len(), 1000);
        let second = page(&format!("/rooms?after={}", text(&first["next"]))).await;
        assert_eq!((second["rooms"].as_array().unwrap().len(), second.get("next")), (1, None));
    }
}

#[tokio::test]
async fn a_rooms_token_is_for_its_owner_and_the_operator() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let (who, guest) = (Installation::new(), server.anonymous().await);
    let fields = |id: &str| json!({"peer_id": id, "role": "worker"});
    let _member = Peer::join(&server, &room, &who, fields("gpu1")).await;
    let inside = Peer::join_from(&server, &room, &guest.id_token, fields("gpu2"), ELSEWHERE).await;
    let (owner, member) = (room.maker.sign_in(&server).await, who.sign_in(&server).await);
    for (credential, role, sees) in [
        (&owner, Some("owner"), true),
        (&server.admin_secret(), None, true),
        (&member, Some("member"), false),
        (&guest.id_token, Some("member"), false),
    ] {
        let shown = server.shown(credential, &room.id).await;
        assert_eq!(shown.get("role").and_then(Value::as_str), role);
        assert_eq!(shown.get("token").map(text), sees.then(|| room.token.clone()), "{role:?}");
        assert_eq!((&shown["room_id"], &shown["peers"]), (&json!(room.id), &json!({"worker": 2})));
    }
    drop(inside);
    // Who was let in without a key belongs to the room for as long as it is there.
    let mut status = 200;
    while status == 200 {
        status = server.get(&format!("/rooms/{}", room.id)).bearer(&guest.id_token).send().await.status;
    }
    assert_eq!(status, 403);
}

#[tokio::test]
async fn a_claim_shows_in_the_counts() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let _worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    let claim = json!({"type": "claim", "request_id": "r1", "filters": {"role": "worker"}, "job_id": "job-1"});
    client.socket.send(claim).await;
    client.socket.expect("claimed").await;
    let mut other = Peer::client(&server, &room, "desktop").await;
    let claim = json!({
        "type": "claim", "request_id": "r2", "filters": {"role": "worker"}, "job_id": "job-2", "wait_ms": 60_000,
    });
    other.socket.send(claim).await;
    other.socket.expect("claim_waiting").await;
    let owner = room.maker.sign_in(&server).await;
    let shown = server.shown(&owner, &room.id).await;
    assert_eq!((&shown["taken"], &shown["waiting"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn whoever_does_not_belong_to_a_room_does_not_see_it() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let stranger = Installation::new().sign_in(&server).await;
    let path = format!("/rooms/{}", room.id);
    let (missing, nowhere) = ((422, "INVALID_MESSAGE".to_owned()), (404, "ROOM_NOT_FOUND".to_owned()));
    for path in ["/rooms", &path] {
        assert_eq!(server.get(path).from(HERE).send().await.error(), missing, "the maker's address tells nothing");
        assert_eq!(server.get(path).bearer("nonsense").send().await.error(), (401, "AUTH_FAILED".to_owned()));
        assert_eq!(server.get(path).header("Authorization", &stranger).send().await.error().0, 401, "no Bearer");
    }
    assert_eq!(server.get(&path).bearer(&stranger).send().await.error(), (403, "FORBIDDEN".to_owned()));
    for path in ["/rooms/00000000", "/rooms/no%20room%20id"] {
        assert_eq!(server.get(path).bearer(&stranger).send().await.error(), nowhere);
    }
    let maker = room.maker.sign_in(&server).await;
    server.post("/delete-peers-and-room").bearer(&maker).json(&json!({"room_id": room.id})).send().await;
    assert_eq!(server.get(&path).bearer(&maker).send().await.error(), nowhere);
    assert_eq!(listed(&server, &maker, "/rooms").await, [Value::Null; 0]);
}

#[tokio::test]
async fn the_operator_chooses_a_rooms_id_and_token() {
    let server = TestServer::start().await;
    let secret = server.admin_secret();
    let body = json!({"name": "pool", "ttl": "never", "room_id": "a7f3d2e1", "token": "f9g2h5"});
    let made = server.post("/admin/rooms").bearer(&secret).json(&body).send().await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!((&made.json()["room_id"], &made.json()["token"]), (&body["room_id"], &body["token"]));
    let room = MadeRoom { id: "a7f3d2e1".to_owned(), token: "f9g2h5".to_owned(), maker: Installation::new() };
    let _worker = Peer::worker(&server, &room, "gpu1").await;
    let again = server.post("/admin/rooms").bearer(&secret).json(&body).send().await;
    assert_eq!(again.error(), (409, "CONFLICT".to_owned()), "a room that machines use is not replaced");
    for bad in [json!({"token": "short"}), json!({"token": "with space"}), json!({"room_id": "no room id"})] {
        let refused = server.post("/admin/rooms").bearer(&secret).json(&bad).send().await;
        assert_eq!(refused.error(), (422, "INVALID_MESSAGE".to_owned()), "{bad}");
    }
    // Anybody else's room has an id and a token that are drawn, whatever the body says.
    let who = Installation::new().sign_in(&server).await;
    let other = json!({"name": "pool", "room_id": "b7f3d2e1", "token": "f9g2h5"});
    let made = server.post("/create-room").bearer(&who).json(&other).send().await.json();
    assert!(made["room_id"] != "b7f3d2e1" && made["token"] != "f9g2h5", "{made}");
    assert_eq!(server.post("/admin/rooms").bearer(&who).json(&other).send().await.error().0, 401);
}
