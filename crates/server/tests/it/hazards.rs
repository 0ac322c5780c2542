//! What the deployed programs trip over, and that our server does not put it in their way.

use serde_json::{Value, json};
use sleap_rtc_wire::limits;

use crate::rig::{Installation, Peer, TestServer};

/// A worker as the deployed one is.
fn old_worker(id: &str, metadata: &Value) -> Value {
    json!({"peer_id": id, "role": "worker", "features": [], "is_admin": true, "metadata": metadata})
}

#[tokio::test]
async fn hazard_07_tags_survive_an_update_of_the_status() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let metadata =
        json!({"tags": ["sleap-rtc", "training-worker"], "properties": {"status": "available", "gpu_memory_mb": 8}});
    let mut worker = Peer::join(&server, &room, &Installation::new(), old_worker("gpu1", &metadata)).await;
    let update = json!({"type": "update_metadata", "peer_id": "gpu1", "metadata": {"properties": {"status": "busy"}}});
    worker.socket.send(update).await;
    worker.socket.expect("metadata_updated").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    assert_eq!(client.discover(json!({"role": "worker", "tags": ["training-worker"]})).await, ["gpu1"]);
    assert_eq!(client.discover(json!({"properties": {"gpu_memory_mb": {"$gte": 8}}})).await, ["gpu1"]);
}

#[tokio::test]
async fn hazard_08_a_confirmation_has_properties_whatever_was_told() {
    let server = TestServer::start().await;
    let room = server.room().await;
    for (n, metadata) in [json!({}), Value::Null, json!({"tags": ["x"]}), json!([])].into_iter().enumerate() {
        let id = format!("gpu{n}");
        let mut worker = Peer::join(&server, &room, &Installation::new(), old_worker(&id, &metadata)).await;
        worker.socket.send(json!({"type": "update_metadata", "peer_id": id, "metadata": {"tags": ["y"]}})).await;
        let updated = worker.socket.expect("metadata_updated").await;
        assert!(updated["metadata"]["properties"].is_object(), "{metadata}: {updated}");
    }
}

#[tokio::test]
async fn hazard_09_a_filter_by_room_changes_nothing() {
    let server = TestServer::start().await;
    let (room, other) = (server.room().await, server.room().await);
    let _worker = Peer::worker(&server, &room, "gpu1").await;
    let _theirs = Peer::worker(&server, &other, "gpu2").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    for asked in [&room.id, &other.id] {
        assert_eq!(client.discover(json!({"role": "worker", "room_id": asked})).await, ["gpu1"]);
    }
}

#[tokio::test]
async fn hazard_11_no_frame_to_a_peer_is_above_a_mebibyte() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let who = Installation::new();
    // Nothing but control characters, which JSON writes in six bytes each.
    let full = json!({"tags": ["sleap-rtc"], "properties": {"x": "\u{1}".repeat(limits::METADATA / 6 - 200)}});
    let mut largest = 0;
    let mut workers = Vec::new();
    for n in 0..20 {
        workers.push(Peer::join(&server, &room, &who, old_worker(&format!("gpu{n}"), &full)).await);
    }
    let mut client = Peer::client(&server, &room, "laptop").await;
    client.socket.send(json!({"type": "discover_peers", "from_peer_id": "laptop"})).await;
    let list = client.socket.text().await;
    assert!(list.contains(r#""total":20"#), "it was cut");
    largest = largest.max(list.len());
    // What a peer says of itself comes back: at most once, and cut.
    let long = "\u{1}".repeat(limits::FRAME / 6 - 100);
    for frame in [
        json!({"type": "update_metadata", "peer_id": "gpu0", "metadata": {"tags": ["x"]}, "request_id": long}),
        json!({"type": "update_metadata", "peer_id": long, "metadata": {"tags": ["x"]}}),
        json!({"type": "discover_peers", "from_peer_id": long}),
        json!({"type": "peer_message", "from_peer_id": "gpu0", "to_peer_id": long, "payload": 1}),
        json!({"type": long}),
        json!({"type": "claim", "request_id": long, "job_id": "j"}),
        json!({"type": "claim", "request_id": "r", "job_id": long}),
        json!({"type": "release", "claim_id": long}),
        json!({"type": "claim_used", "claim_id": long, "fence": 1}),
        json!({"type": "update_metadata", "peer_id": "gpu0", "metadata": {"properties": {"y": "x".repeat(limits::METADATA)}}}),
    ] {
        let worker = &mut workers[0].socket;
        worker.send(frame.clone()).await;
        let answer = worker.text().await;
        assert!(answer.starts_with(r#"{"type":"error""#), "{}", &answer[..100]);
        assert!(answer.len() < 8 << 10, "{} bytes to {}", answer.len(), &frame.to_string()[..60]);
    }
    workers[0]
        .socket
        .send(json!({"type": "update_metadata", "peer_id": "gpu0", "metadata": {"tags": ["sleap-rtc"]}}))
        .await;
    largest = largest.max(workers[0].socket.text().await.len());
    assert!(largest <= limits::FRAME, "{largest}");
}
