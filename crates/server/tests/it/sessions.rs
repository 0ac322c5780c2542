//! Two sessions of one user of the deployed client, on one computer: both call themselves by the user's name.

use serde_json::{Value, json};

use crate::rig::{HERE, MadeRoom, Peer, TestServer};

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
    // As the deployed client ends: without a credential, by the name that both have.
    let reply = server.post("/delete-peer").json(&json!({"peer_id": "ana"})).send().await;
    assert_eq!(reply.status, 200);
    second.socket.close().await;
    assert_eq!(first.discover(json!({})).await, [""; 0], "it is still in its room, and alone");
}

/// Comes in as an anonymous identity of its own, from the same computer as the others.
async fn join(server: &TestServer, room: &MadeRoom, id: &str, role: &str) -> Peer {
    let identity = server.anonymous().await;
    let fields: Value = json!({"peer_id": id, "role": role, "features": []});
    Peer::join_from(server, room, &identity.id_token, fields, HERE).await
}
