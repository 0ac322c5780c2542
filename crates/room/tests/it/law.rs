//! What deployed programs say and hear, letter by letter: JSON in, JSON out.

use serde_json::{Value, json};
use sleap_rtc_room::{Effect, Input};
use sleap_rtc_wire::{ConnId, FromPeer, Text};

use crate::desk::*;

/// A frame as a peer writes it; what comes out for whom. The store takes everything at once.
#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn says_json(desk: &mut Desk, conn: ConnId, frame: Value) -> Vec<(ConnId, Value)> {
    let input = match FromPeer::decode(&Text::from(frame.to_string())) {
        Ok(FromPeer::Register(register)) => registers(conn, anonymous(&format!("id-{}", conn.n)), *register),
        Ok(frame) => says(conn, frame),
        Err(error) => return error.frame().into_iter().map(|error| (conn, told(&error))).collect(),
    };
    let sent = desk.go(input).into_iter();
    sent.map(|(conn, frame)| (conn, serde_json::from_str(&frame.encode()).unwrap())).collect()
}

fn told(error: &sleap_rtc_wire::ErrorFrame) -> Value {
    let text = sleap_rtc_wire::ToPeer::Error(error.clone()).encode();
    serde_json::from_str(&text).unwrap()
}

/// All of `type`, `code`, `reason` and `message`, the text in both.
fn error_json(code: &str, text: &str) -> Value {
    json!({"type": "error", "code": code, "reason": text, "message": text})
}

/// A worker as the deployed package registers it.
fn python_worker(name: &str) -> Value {
    json!({
        "type": "register", "peer_id": name, "room_id": "a7f3d2e1", "token": "f9g2h5", "id_token": "x.y.z",
        "role": "worker", "is_admin": true,
        "metadata": {
            "tags": ["sleap-rtc", "training-worker", "inference-worker"],
            "properties": {
                "gpu_memory_mb": 24576, "gpu_model": "RTX", "worker_name": null, "status": "available",
                "max_concurrent_jobs": 1, "supported_models": ["base", "centroid", "topdown"],
                "supported_job_types": ["training", "inference"],
            },
        },
    })
}

fn python_client(name: &str) -> Value {
    json!({
        "type": "register", "peer_id": name, "room_id": "a7f3d2e1", "token": "f9g2h5", "id_token": "x.y.z",
        "role": "client", "metadata": {"tags": ["sleap-rtc", "training-client"], "properties": {"platform": "linux"}},
    })
}

/// A client `ana` on connection 1 and a worker `w1` on connection 2.
fn python_pair() -> (Desk, ConnId, ConnId) {
    let mut desk = Desk::new();
    says_json(&mut desk, conn(1), python_client("ana"));
    says_json(&mut desk, conn(2), python_worker("w1"));
    (desk, conn(1), conn(2))
}

#[test]
fn a_client_finds_the_free_workers_with_enough_memory() {
    let (mut desk, c1, _) = python_pair();
    let find = json!({"type": "discover_peers", "from_peer_id": "ana", "filters": {
        "role": "worker", "room_id": "a7f3d2e1", "tags": ["training-worker"],
        "properties": {"gpu_memory_mb": {"$gte": 8000}, "status": "available"},
    }});
    let answer = says_json(&mut desk, c1, find);
    let metadata = python_worker("w1")["metadata"].clone();
    assert_eq!(
        answer,
        [(
            c1,
            json!({"type": "peer_list", "to_peer_id": "ana", "count": 1, "peers":
                [{"peer_id": "w1", "role": "worker", "metadata": metadata, "connected_at": 1.0}]})
        )]
    );
}

#[test]
fn filters_of_every_form_match_or_not_and_nobody_is_disconnected() {
    let (mut desk, c1, _) = python_pair();
    let of_w1 = |properties: Value| json!({"role": "worker", "properties": properties});
    for (filters, count) in [
        (json!(null), 1),
        (json!({}), 1),
        (json!({"role": "worker"}), 1),
        (json!({"role": "client"}), 0),
        (json!({"role": null}), 0),
        (json!({"tags": []}), 0),
        (json!({"tags": ["x", "inference-worker"]}), 1),
        (json!({"status": "available"}), 1),
        (json!({"room_id": "another"}), 1),
        (json!({"limit": 0}), 0),
        (of_w1(json!({"worker_name": null})), 1),
        (of_w1(json!({"never_said": null})), 1),
        (of_w1(json!({"never_said": {"$eq": null}})), 1),
        (of_w1(json!({"never_said": {"$gte": 0}})), 0),
        (of_w1(json!({"worker_name": {"$lte": 0}})), 0),
        (of_w1(json!({"max_concurrent_jobs": 1.0})), 1),
        (of_w1(json!({"max_concurrent_jobs": true})), 1),
        (of_w1(json!({"max_concurrent_jobs": "1"})), 0),
        (of_w1(json!({"supported_models": ["base", "centroid", "topdown"]})), 1),
        (of_w1(json!({"supported_models": "base"})), 0),
        (of_w1(json!({"supported_models": {"$all": ["topdown", "base"]}})), 1),
        (of_w1(json!({"gpu_memory_mb": {"$gte": "8000"}})), 0),
        (of_w1(json!({"gpu_memory_mb": {"$gte": 8000, "$lte": 24576}})), 1),
        (of_w1(json!({"gpu_memory_mb": {"$gt": 24576}})), 0),
        (of_w1(json!({"gpu_memory_mb": {"max": 1}})), 1),
        (of_w1(json!({"gpu_model": {"$in": ["A100", "RTX"]}})), 1),
        (of_w1(json!({"gpu_model": {"$nin": ["A100", "RTX"]}})), 0),
        (of_w1(json!({"gpu_model": {"$in": "RTX"}})), 0),
        (of_w1(json!({"gpu_model": {"$exists": true}, "worker_name": {"$exists": false}})), 1),
    ] {
        let find = json!({"type": "discover_peers", "from_peer_id": "ana", "filters": filters});
        let (to, answer) = says_json(&mut desk, c1, find).remove(0);
        assert_eq!((to, &answer["type"], &answer["count"]), (c1, &json!("peer_list"), &json!(count)), "{filters}");
    }
}

#[test]
fn a_worker_that_tells_only_its_status_keeps_its_tags() {
    let (mut desk, c1, w1) = python_pair();
    let busy = json!({"type": "update_metadata", "peer_id": "w1",
        "metadata": {"properties": {"status": "reserved", "pending_job_id": "j1"}}});
    let mut merged = python_worker("w1")["metadata"].clone();
    merged["properties"]["status"] = json!("reserved");
    merged["properties"]["pending_job_id"] = json!("j1");
    assert_eq!(
        says_json(&mut desk, w1, busy),
        [(w1, json!({"type": "metadata_updated", "peer_id": "w1", "metadata": merged}))]
    );
    let find = |tag: &str, status: &str| json!({"type": "discover_peers", "from_peer_id": "ana", "filters": {"tags": [tag], "status": status}});
    let count = |desk: &mut Desk, find: Value| says_json(desk, c1, find).remove(0).1["count"].clone();
    assert_eq!(count(&mut desk, find("training-worker", "available")), json!(0));
    assert_eq!(count(&mut desk, find("training-worker", "reserved")), json!(1));
}

#[test]
fn refusals_of_a_registered_peer() {
    let (mut desk, c1, w1) = python_pair();
    for (frame, code, text) in [
        (json!({"type": "dance"}), "UNKNOWN_MESSAGE_TYPE", "Unknown message type: dance"),
        (json!(["discover_peers"]), "INVALID_JSON", "Invalid JSON format"),
        (json!({"type": "discover_peers"}), "INVALID_MESSAGE", "Missing required fields: from_peer_id"),
        (
            json!({"type": "peer_message", "from_peer_id": "ana", "payload": {}}),
            "INVALID_MESSAGE",
            "Missing required fields: to_peer_id, payload",
        ),
        (
            json!({"type": "peer_message", "from_peer_id": "ana", "to_peer_id": "x", "payload": {"a": 1}}),
            "PEER_NOT_FOUND",
            "Target peer x not found",
        ),
        (
            json!({"type": "peer_message", "from_peer_id": "w1", "to_peer_id": "w1", "payload": {"a": 1}}),
            "FORBIDDEN",
            "Peer w1 is not registered on this connection",
        ),
        (
            json!({"type": "update_metadata", "peer_id": "w1", "metadata": {"properties": {"status": "busy"}}}),
            "FORBIDDEN",
            "Peer w1 is not registered on this connection",
        ),
    ] {
        assert_eq!(says_json(&mut desk, c1, frame.clone()), [(c1, error_json(code, text))], "{frame}");
    }
    let _ = w1;
}

#[test]
fn refusals_of_a_connection_that_is_no_peer() {
    let (mut desk, ..) = python_pair();
    let stranger = conn(9);
    for (frame, text) in [
        (json!({"type": "discover_peers", "from_peer_id": "ana"}), Some("Peer not registered in any room")),
        (
            json!({"type": "update_metadata", "peer_id": "ana", "metadata": {"tags": ["x"]}}),
            Some("Peer not in any room"),
        ),
        (
            json!({"type": "peer_message", "from_peer_id": "ana", "to_peer_id": "w1", "payload": 1}),
            Some("Sender not in any room"),
        ),
        (json!({"type": "claim", "request_id": "r1", "job_id": "j1"}), Some("Peer not in any room")),
        (json!({"type": "release", "claim_id": "c1000-1"}), Some("Peer not in any room")),
        (json!({"type": "offer", "sender": "ana", "target": "w1", "sdp": "v=0"}), None),
        (json!({"type": "error", "target": "w1", "reason": "x"}), None),
        (json!({"type": "pong"}), None),
    ] {
        let expected: Vec<_> = text.map(|text| (stranger, error_json("NOT_IN_ROOM", text))).into_iter().collect();
        assert_eq!(says_json(&mut desk, stranger, frame.clone()), expected, "{frame}");
    }
}

#[test]
fn a_peers_name_is_not_taken_by_another_identity() {
    let (mut desk, ..) = python_pair();
    let text = "Peer w1 belongs to somebody else";
    assert_eq!(says_json(&mut desk, conn(3), python_worker("w1")), [(conn(3), error_json("FORBIDDEN", text))]);
}

#[test]
fn a_worker_registers_again_on_its_connection_and_is_listed_once() {
    let (mut desk, c1, w1) = python_pair();
    let (to, answer) = says_json(&mut desk, w1, python_worker("w1")).remove(0);
    assert_eq!((to, &answer["type"], &answer["admin_peer_id"]), (w1, &json!("registered_auth"), &json!("w1")));
    let find = json!({"type": "discover_peers", "from_peer_id": "ana"});
    assert_eq!(says_json(&mut desk, c1, find).remove(0).1["count"], json!(1));
}

/// The token goes back to the peer that showed it, and nowhere else.
#[test]
fn the_rooms_password_reaches_nobody_who_did_not_send_it() {
    let mut desk = Desk::new();
    let token = "f9g2h5";
    for (n, register) in [(1, python_client("ana")), (2, python_worker("w1"))] {
        let answer = says_json(&mut desk, conn(n), register);
        assert_eq!(answer.len(), 1, "nobody else hears of a newcomer: {answer:?}");
        assert_eq!((answer[0].0, &answer[0].1["token"]), (conn(n), &json!(token)));
    }
    let mut without = python_client("bob");
    without.as_object_mut().unwrap().remove("token");
    assert_eq!(says_json(&mut desk, conn(3), without)[0].1["token"], Value::Null);
    let find = json!({"type": "discover_peers", "from_peer_id": "ana"});
    let list = says_json(&mut desk, conn(1), find);
    assert!(!list[0].1.to_string().contains(token));
    assert!(!format!("{:?}", desk.room).contains(token), "a room that is printed does not show it");
}

/// Three Python clients read exactly one frame after each of theirs.
#[test]
fn nothing_comes_unasked_to_a_client_that_knows_no_claims() {
    let (mut desk, c1, w1) = python_pair();
    let mut heard = Vec::new();
    let mut put = |desk: &mut Desk, input: Input| heard.extend(desk.go(input).into_iter().map(|(conn, _)| conn));
    let ours = desk.worker("w2", 5);
    let booker = desk.client("c2", 6);
    let id = desk.claimed(booker, claim("r1")).claim_id;
    put(&mut desk, uses(ours, &id));
    put(&mut desk, frees(ours, &id));
    put(&mut desk, closes(w1));
    for _ in 0..10 {
        desk.wait(30_000);
        put(&mut desk, Input::Tick);
    }
    put(&mut desk, closes(ours));
    assert!(!heard.is_empty() && !heard.contains(&c1), "{heard:?}");
}

/// A worker that knows no claims hears pings and what others send it.
#[test]
fn an_old_worker_hears_pings_in_time_and_nothing_of_claims() {
    let (mut desk, _, w1) = python_pair();
    let booker = desk.client("c2", 6);
    desk.go(says(booker, FromPeer::Claim(claim("r1"))));
    let mut pings = 0;
    for _ in 0..6 {
        desk.wait(15_000);
        for effect in desk.tick() {
            if let Effect::Send { conn, frame } = effect {
                assert_eq!((conn, frame.encode().to_string()), (w1, r#"{"type":"ping"}"#.to_owned()));
                pings += 1;
            }
        }
    }
    // It reconnects after 90 s of silence.
    assert_eq!(pings, 3);
}
