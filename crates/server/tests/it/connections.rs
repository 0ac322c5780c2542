//! Connections that overlap, stall, or never say who they are.

use std::time::Duration;

use serde_json::json;
use sleap_rtc_server::close_code;
use tokio::time::timeout;
use tokio_tungstenite::{connect_async, tungstenite};

use crate::rig::{ELSEWHERE, HERE, Installation, Peer, Socket, TestServer, eventually, register};

#[tokio::test]
async fn a_later_connection_supersedes_the_earlier_and_its_close_removes_nothing() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let who = Installation::new();
    let fields = json!({"peer_id": "gpu1", "role": "worker"});
    let mut earlier = Peer::join(&server, &room, &who, fields.clone()).await;
    let mut later = Peer::join(&server, &room, &who, fields).await;
    assert_eq!(earlier.socket.closed().await, close_code::SUPERSEDED);
    drop(earlier);
    let mut client = Peer::client(&server, &room, "laptop").await;
    assert_eq!(client.discover(json!({})).await, ["gpu1"]);
    client.say("gpu1", json!("hello")).await;
    later.socket.expect("peer_message").await;
}

#[tokio::test]
async fn nobody_takes_the_name_of_a_connected_peer() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut first = Peer::worker(&server, &room, "gpu1").await;
    let mut socket = Socket::open(server.ws, "/").await;
    let token = Installation::new().sign_in(&server).await;
    socket.send(register(&room, &token, json!({"peer_id": "gpu1", "role": "worker"}))).await;
    assert_eq!(socket.error().await.0, "FORBIDDEN");
    drop(socket);
    assert_eq!(first.discover(json!({})).await, [""; 0]);
}

#[tokio::test]
async fn a_closed_connection_leaves_the_room() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    assert_eq!(client.discover(json!({})).await, ["gpu1"]);
    // Not closed in any orderly way.
    drop(worker);
    let mut left = false;
    while !left {
        left = client.discover(json!({})).await.is_empty();
    }
}

#[tokio::test]
async fn a_connection_may_move_to_another_room() {
    let server = TestServer::start().await;
    let (one, other) = (server.room().await, server.room().await);
    let who = Installation::new();
    let mut worker = Peer::join(&server, &one, &who, json!({"peer_id": "gpu1", "role": "worker"})).await;
    let mut here = Peer::client(&server, &one, "laptop").await;
    let mut there = Peer::client(&server, &other, "laptop").await;
    worker
        .socket
        .send(register(&other, &who.sign_in(&server).await, json!({"peer_id": "gpu1", "role": "worker"})))
        .await;
    worker.socket.expect("registered_auth").await;
    assert_eq!(here.discover(json!({})).await, [""; 0]);
    assert_eq!(there.discover(json!({})).await, ["gpu1"]);
}

#[tokio::test]
async fn a_connection_that_is_refused_elsewhere_stays_where_it_is() {
    let server = TestServer::start().await;
    let (one, other) = (server.room().await, server.room().await);
    let who = Installation::new();
    let mut worker = Peer::join(&server, &one, &who, json!({"peer_id": "gpu1", "role": "worker"})).await;
    let mut here = Peer::client(&server, &one, "laptop").await;
    let mut there = Peer::client(&server, &other, "laptop").await;
    // The token is right, and so `access` lets it in; but the name is somebody else's there.
    let token = who.sign_in(&server).await;
    worker.socket.send(register(&other, &token, json!({"peer_id": "laptop", "role": "worker"}))).await;
    assert_eq!(worker.socket.error().await.0, "FORBIDDEN");
    assert_eq!(here.discover(json!({})).await, ["gpu1"]);
    here.say("gpu1", json!("still there?")).await;
    assert_eq!(worker.socket.expect("peer_message").await["payload"], "still there?");
    assert_eq!(worker.discover(json!({})).await, ["laptop"]);
    drop(worker);
    while !here.discover(json!({})).await.is_empty() {}
    assert_eq!(there.discover(json!({})).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_moves_is_nowhere_else_when_it_hears_so() {
    let server = TestServer::start().await;
    let rooms = [server.room().await, server.room().await];
    let who = Installation::new();
    let token = who.sign_in(&server).await;
    let fields = json!({"peer_id": "gpu1", "role": "worker"});
    let mut worker = Peer::join(&server, &rooms[1], &who, fields.clone()).await;
    let mut seen = [Peer::client(&server, &rooms[0], "laptop").await, Peer::client(&server, &rooms[1], "laptop").await];
    for to in [0, 1, 0, 1, 0, 1] {
        worker.socket.send(register(&rooms[to], &token, fields.clone())).await;
        worker.socket.expect("registered_auth").await;
        assert_eq!(seen[1 - to].discover(json!({})).await, [""; 0]);
        assert_eq!(seen[to].discover(json!({})).await, ["gpu1"]);
    }
}

#[tokio::test]
async fn a_worker_that_signs_in_anew_takes_its_name_from_its_half_open_connection() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let (before, after) = (server.anonymous().await, server.anonymous().await);
    // As deployed ones are: without claims.
    let fields = json!({"peer_id": "gpu1", "role": "worker", "features": []});
    // Its link is broken, and the server does not know yet.
    let mut half_open = Peer::join_from(&server, &room, &before.id_token, fields.clone(), HERE).await;
    let mut back = Peer::join_from(&server, &room, &after.id_token, fields.clone(), HERE).await;
    assert_eq!(half_open.socket.closed().await, close_code::SUPERSEDED);
    let mut client = Peer::client(&server, &room, "laptop").await;
    assert_eq!(client.discover(json!({})).await, ["gpu1"]);
    client.say("gpu1", json!("hello")).await;
    back.socket.expect("peer_message").await;

    // From elsewhere, or with a key, it is somebody else.
    let stranger = server.anonymous().await;
    let mut socket = Socket::open_from(server.ws, "/", ELSEWHERE).await;
    socket.send(register(&room, &stranger.id_token, fields.clone())).await;
    assert_eq!(socket.error().await.0, "FORBIDDEN");
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(register(&room, &Installation::new().sign_in(&server).await, fields)).await;
    assert_eq!(socket.error().await.0, "FORBIDDEN");
    let mut socket = Socket::open(server.ws, "/").await;
    let theirs = json!({"peer_id": "laptop", "role": "client"});
    socket.send(register(&room, &stranger.id_token, theirs)).await;
    assert_eq!(socket.error().await.0, "FORBIDDEN", "a name with a key behind it");
    // The name of one that takes part in claims is kept for it while it is away.
    let booked = json!({"peer_id": "gpu2", "role": "worker"});
    let mut holder = Peer::join_from(&server, &room, &after.id_token, booked.clone(), HERE).await;
    socket.send(register(&room, &stranger.id_token, booked)).await;
    assert_eq!(socket.error().await.0, "FORBIDDEN");
    assert_eq!(holder.discover(json!({"role": "client"})).await, ["laptop"], "and its connection is not touched");
}

#[tokio::test]
async fn a_slow_reader_is_dropped_and_delays_nobody() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let slow = Peer::worker(&server, &room, "slow").await;
    let mut quick = Peer::worker(&server, &room, "quick").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    let megabyte = "x".repeat(1_000_000);
    let mut sent = 0;
    while client.discover(json!({})).await.contains(&"slow".to_owned()) {
        sent += 1;
        assert!(sent < 200, "200 MB wait for one peer");
        client.say("slow", json!(megabyte)).await;
        client.say("quick", json!(sent)).await;
        assert_eq!(quick.socket.expect("peer_message").await["payload"], sent);
    }
    assert!(sent > 8, "8 MiB may wait");
    eventually("counted", || async { server.admin_stats().await["sleap_rtc_slow_readers_total"] == 1 }).await;
    drop(slow);
}

#[tokio::test]
async fn frames_of_the_largest_size_pass_and_larger_ones_do_not() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    let empty = json!({"type": "peer_message", "from_peer_id": "laptop", "to_peer_id": "gpu1", "payload": ""});
    let payload = "x".repeat((1 << 20) - empty.to_string().len());
    client.say("gpu1", json!(payload)).await;
    assert_eq!(worker.socket.expect("peer_message").await["payload"], json!(payload));
    client.say("gpu1", json!(payload + "x")).await;
    assert!(client.socket.next().await.is_err(), "a frame that cannot be read ends the connection");
}

#[tokio::test]
async fn a_large_frame_before_registering_is_refused() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send_text(&" ".repeat((80 << 10) + 1)).await;
    assert_eq!(socket.error().await.0, "TOO_LARGE");
}

#[tokio::test]
async fn who_does_not_register_within_ten_seconds_is_closed() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.ws, "/").await;
    let closed = timeout(Duration::from_secs(25), socket.closed()).await.unwrap();
    assert_eq!(closed, close_code::POLICY);
}

#[tokio::test]
async fn only_so_many_sockets_wait_to_register() {
    let server = TestServer::with(|config| config.unregistered = 1).await;
    let room = server.room().await;
    let token = Installation::new().sign_in(&server).await;
    let mut waiting = Socket::open(server.ws, "/").await;
    let refused = connect_async(format!("ws://{}", server.ws)).await;
    let Err(tungstenite::Error::Http(reply)) = refused else { panic!("not refused: {refused:?}") };
    assert_eq!(reply.status(), 503);
    waiting.send(register(&room, &token, json!({"peer_id": "gpu1"}))).await;
    waiting.expect("registered_auth").await;
    Socket::open(server.ws, "/").await;
}

#[tokio::test]
async fn only_so_many_sockets_are_open() {
    let server = TestServer::with(|config| config.connections = 2).await;
    let _one = Socket::open(server.ws, "/").await;
    let _two = Socket::open(server.ws, "/").await;
    let third = connect_async(format!("ws://{}", server.ws)).await;
    assert!(third.is_err(), "turned away");
}
