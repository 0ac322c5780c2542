//! Two sessions of one user of the deployed client, on one computer: both call themselves by the user's name.

use serde_json::{Value, json};

use crate::rig::{Account, HERE, MadeRoom, Peer, TestServer};

#[tokio::test]
async fn hazard_15_two_sessions_of_one_user_work_side_by_side() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = join(&server, &room, "gpu1", "worker").await;
    let mut first = join(&server, &room, "ana", "client").await;
    let mut second = join(&server, &room, "ana", "client").await;
    let ids = [&first, &second].map(|session| session.registered["peer_id"].clone());
    assert_eq!(ids, [json!("ana"), json!("ana-2")]);
    for (session, id) in [(&mut first, "ana"), (&mut second, "ana-2")] {
        assert_eq!(session.discover(json!({"role": "worker"})).await, ["gpu1"]);
        session.say("gpu1", json!("hello")).await;
        let heard = worker.socket.expect("peer_message").await;
        assert_eq!(heard["from_peer_id"], id);
        worker.say(id, json!("to you")).await;
        let told = session.socket.expect("peer_message").await;
        assert_eq!((&told["to_peer_id"], &told["payload"]), (&json!("ana"), &json!("to you")));
    }
}

#[tokio::test]
async fn hazard_15_a_session_that_ends_leaves_the_other_alone() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut first = join(&server, &room, "ana", "client").await;
    let mut second = join(&server, &room, "ana", "client").await;
    // As the deployed client ends: its connection, and then twice, without a credential, by the name that both have.
    second.socket.close().await;
    while first.discover(json!({})).await != [""; 0] {}
    for _ in 0..2 {
        let reply = server.post("/delete-peer").json(&json!({"peer_id": "ana"})).send().await;
        assert_eq!(reply.status, 200);
    }
    assert_eq!(first.discover(json!({})).await, [""; 0], "it is still in its room, and alone");
}

#[tokio::test]
async fn hazard_15_a_session_that_ends_does_not_take_its_users_room_with_it() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "lab").await;
    let mut first = ana.client(&server, &room, "ana").await;
    let mut second = ana.client(&server, &room, "ana").await;
    second.close().await;
    // As the deployed client for tracking ends.
    let reply = server.post("/delete-peers-and-room").json(&json!({"peer_id": "ana"})).send().await;
    assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("peer not found")));
    first.send(json!({"type": "discover_peers", "from_peer_id": "ana"})).await;
    first.expect("peer_list").await;
    assert_eq!(ana.get(&server, &format!("/api/auth/rooms/{room}")).await.status, 200);
}

/// Comes in as an anonymous identity of its own, from the same computer as the others.
async fn join(server: &TestServer, room: &MadeRoom, id: &str, role: &str) -> Peer {
    let identity = server.anonymous().await;
    let fields: Value = json!({"peer_id": id, "role": role, "features": []});
    Peer::join_from(server, room, &identity.id_token, fields, HERE).await
}
