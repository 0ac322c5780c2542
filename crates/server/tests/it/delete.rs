//! Leaving, and cleaning up.

use serde_json::{Value, json};
use sleap_rtc_server::close_code;

use crate::rig::{Installation, Peer, Socket, TestServer, register, text};

async fn delete(server: &TestServer, path: &str, body: Value) -> Value {
    let reply = server.post(path).json(&body).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["status"].clone()
}

#[tokio::test]
async fn deleting_a_room_closes_everybody_in_it_and_leaves_nothing() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let status = delete(&server, "/delete-peers-and-room", json!({"room_id": room.id})).await;
    assert_eq!(status, "peer deleted successfully");
    assert_eq!(worker.socket.closed().await, close_code::ROOM_REMOVED);
    let again = delete(&server, "/delete-peers-and-room", json!({"room_id": room.id})).await;
    assert_eq!(again, "room not found");
    let mut socket = Socket::open(server.ws, "/").await;
    let token = room.maker.sign_in(&server).await;
    socket.send(register(&room, &token, json!({"peer_id": "gpu1", "role": "worker"}))).await;
    assert_eq!(socket.error().await, ("ROOM_NOT_FOUND".to_owned(), "Room not found".to_owned()));
}

#[tokio::test]
async fn a_room_is_named_by_any_peer_in_it() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let absent = delete(&server, "/delete-peers-and-room", json!({"peer_id": "gpu2"})).await;
    assert_eq!(absent, "peer not found");
    let status = delete(&server, "/delete-peers-and-room", json!({"peer_id": "gpu1"})).await;
    assert_eq!(status, "peer deleted successfully");
    assert_eq!(worker.socket.closed().await, close_code::ROOM_REMOVED);
}

#[tokio::test]
async fn a_room_that_is_not_loaded_is_deleted_by_its_token() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let server = TestServer::on(server.stop().await, |_| {}, |ports| ports).await;
    let wrong = json!({"room_id": room.id, "token": "0".repeat(32)});
    let refused = server.post("/delete-peers-and-room").json(&wrong).send().await;
    assert_eq!(refused.error(), (403, "FORBIDDEN".to_owned()));
    let none = server.post("/delete-peers-and-room").json(&json!({"room_id": room.id})).send().await;
    assert_eq!(none.error(), (401, "AUTH_FAILED".to_owned()));
    let right = json!({"room_id": room.id, "token": room.token});
    assert_eq!(delete(&server, "/delete-peers-and-room", right).await, "peer deleted successfully");
}

#[tokio::test]
async fn anybody_may_delete_where_the_server_was_told_so() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let server = TestServer::on(server.stop().await, |config| config.open_deletes = true, |ports| ports).await;
    let status = delete(&server, "/delete-peers-and-room", json!({"room_id": room.id})).await;
    assert_eq!(status, "peer deleted successfully");
}

#[tokio::test]
async fn a_peer_leaves_by_its_name_from_its_own_address() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let status = delete(&server, "/delete-peer", json!({"peer_id": "gpu1"})).await;
    assert_eq!(status, "peer deleted successfully. Room status: active");
    assert_eq!(worker.socket.closed().await, close_code::DELETED);
    let again = delete(&server, "/delete-peer", json!({"peer_id": "gpu1"})).await;
    assert_eq!(again, "peer deleted from Cognito (already removed from room)");
}

#[tokio::test]
async fn behind_a_proxy_an_address_says_nothing() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let _worker = Peer::worker(&server, &room, "gpu1").await;
    let body = json!({"peer_id": "gpu1"});
    let reply = server.post("/delete-peer").header("X-Forwarded-For", "10.0.0.1").json(&body).send().await;
    assert_eq!(reply.error(), (401, "AUTH_FAILED".to_owned()));
    let server = TestServer::with(|config| config.public_url = Some("https://rtc.lab.edu".to_owned())).await;
    let room = server.room().await;
    let reply = server.post("/delete-peers-and-room").json(&json!({"room_id": room.id})).send().await;
    assert_eq!(reply.error(), (401, "AUTH_FAILED".to_owned()));
}

#[tokio::test]
async fn an_ephemeral_room_goes_with_its_last_peer() {
    let server = TestServer::start().await;
    let room = server.room_with(Value::Null).await;
    let _worker = Peer::worker(&server, &room, "gpu1").await;
    let status = delete(&server, "/delete-peer", json!({"peer_id": "gpu1"})).await;
    assert_eq!(status, "peer deleted successfully. Room status: deleted");
    let gone = delete(&server, "/delete-peers-and-room", json!({"room_id": room.id})).await;
    assert_eq!(gone, "room not found");
}

#[tokio::test]
async fn a_bad_credential_is_as_good_as_none() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let server = TestServer::on(server.stop().await, |_| {}, |ports| ports).await;
    let body = json!({"room_id": room.id});
    let reply = server.post("/delete-peers-and-room").bearer("nonsense").json(&body).send().await;
    assert_eq!(reply.error(), (401, "AUTH_FAILED".to_owned()));
    let stranger = Installation::new().sign_in(&server).await;
    let reply = server.post("/delete-peers-and-room").bearer(&stranger).json(&body).send().await;
    assert_eq!(reply.error(), (403, "FORBIDDEN".to_owned()));
    let maker = room.maker.sign_in(&server).await;
    let reply = server.post("/delete-peers-and-room").bearer(&maker).json(&body).send().await;
    assert_eq!(text(&reply.json()["status"]), "peer deleted successfully");
}
