//! Registering, finding, updating, handing on.

use futures_util::SinkExt;
use serde_json::{Value, json};

use crate::rig::{Installation, Peer, Socket, TestServer, register, text};

#[tokio::test]
async fn a_peer_registers_on_either_port_and_any_path() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let token = Installation::new().sign_in(&server).await;
    for (port, path) in [(server.ws, "/"), (server.http, "/"), (server.ws, "/ws/any?x=1"), (server.http, "/health")] {
        let mut socket = Socket::open(port, path).await;
        socket.send(register(&room, &token, json!({"peer_id": "gpu1", "role": "worker"}))).await;
        let auth = socket.expect("registered_auth").await;
        assert_eq!(auth["room_id"], json!(room.id));
        assert_eq!(auth["token"], json!(room.token));
        assert_eq!((&auth["peer_id"], &auth["admin_peer_id"]), (&json!("gpu1"), &json!("gpu1")));
        assert_eq!(auth["features"], json!(["claims/1"]));
        assert!(auth["server_version"].is_string());
    }
}

#[tokio::test]
async fn an_old_peer_registers_with_an_anonymous_token() {
    let server = TestServer::start().await;
    let signed_in = server.post("/anonymous-signin").send().await.json();
    let token = text(&signed_in["id_token"]);
    let made = server.post("/create-room").bearer(&token).send().await.json();
    let mut socket = Socket::open(server.ws, "").await;
    let frame = json!({
        "type": "register", "peer_id": signed_in["username"], "room_id": made["room_id"],
        "token": made["token"], "id_token": token,
    });
    socket.send(frame).await;
    let auth = socket.expect("registered_auth").await;
    assert_eq!(auth["peer_id"], signed_in["username"]);
}

#[tokio::test]
async fn each_refused_registration_says_why_and_leaves_the_socket_open() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let token = Installation::new().sign_in(&server).await;
    let good = register(&room, &token, json!({"peer_id": "gpu1"}));
    let with = |field: &str, value: Value| {
        let mut frame = good.clone();
        frame[field] = value;
        frame
    };
    let mut socket = Socket::open(server.ws, "/").await;
    for (frame, code, reason) in [
        (with("id_token", Value::Null), "AUTH_FAILED", "No authentication provided. Use api_key, jwt, or id_token."),
        (with("id_token", json!("nonsense")), "AUTH_FAILED", "Invalid token"),
        (with("token", json!("wrong")), "AUTH_FAILED", "Invalid token"),
        (with("token", Value::Null), "INVALID_MESSAGE", "Missing required fields during registration."),
        (with("peer_id", Value::Null), "INVALID_MESSAGE", "Missing required fields during registration."),
        (with("room_id", json!("00000000")), "ROOM_NOT_FOUND", "Room not found"),
    ] {
        socket.send(frame).await;
        assert_eq!(socket.error().await, (code.to_owned(), reason.to_owned()));
    }
    socket.send(good).await;
    socket.expect("registered_auth").await;
}

#[tokio::test]
async fn a_bad_id_token_is_told_in_the_oldest_shape_too() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(register(&room, "nonsense", json!({"peer_id": "gpu1"}))).await;
    assert_eq!(socket.frame().await["error"], "Invalid token");
}

#[tokio::test]
async fn a_forgotten_room_token_of_another_room_does_not_open_this_one() {
    let server = TestServer::start().await;
    let (mine, other) = (server.room().await, server.room().await);
    let token = Installation::new().sign_in(&server).await;
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(register(&mine, &token, json!({"peer_id": "gpu1", "room_id": other.id}))).await;
    assert_eq!(socket.error().await.0, "AUTH_FAILED");
}

#[tokio::test]
async fn frames_before_registering_are_answered_in_the_deployed_words() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.ws, "/").await;
    let message = json!({"type": "peer_message", "from_peer_id": "a", "to_peer_id": "b", "payload": 1});
    for (frame, reason) in [
        (json!({"type": "discover_peers", "from_peer_id": "a"}), "Peer not registered in any room"),
        (json!({"type": "update_metadata", "peer_id": "a", "metadata": {"x": 1}}), "Peer not in any room"),
        (message, "Sender not in any room"),
    ] {
        socket.send(frame).await;
        assert_eq!(socket.error().await, ("NOT_IN_ROOM".to_owned(), reason.to_owned()));
    }
}

#[tokio::test]
async fn no_bad_frame_ends_a_connection() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    let unknown = "UNKNOWN_MESSAGE_TYPE";
    for (text, code) in [
        ("", "INVALID_JSON"),
        ("{\"type\": \"offer", "INVALID_JSON"),
        ("{}", unknown),
        ("{\"type\": \"nonsense\"}", unknown),
        ("{\"type\": \"discover_peers\"}", "INVALID_MESSAGE"),
        ("{\"type\": \"peer_message\", \"from_peer_id\": \"laptop\"}", "INVALID_MESSAGE"),
    ] {
        client.socket.send_text(text).await;
        assert_eq!(client.socket.error().await.0, code, "{text}");
    }
    let binary = tokio_tungstenite::tungstenite::Message::binary(vec![0xff, 0xfe]);
    client.socket.0.send(binary).await.unwrap();
    assert_eq!(client.socket.error().await.0, "INVALID_JSON");
    // Silence for these, then an answer: nothing was lost or closed.
    for quiet in ["{\"type\": \"ping\"}", "{\"type\": \"offer\"}", "{\"type\": \"error\", \"target\": \"nobody\"}"] {
        client.socket.send_text(quiet).await;
    }
    assert_eq!(client.discover(json!({})).await, [""; 0]);
}

#[tokio::test]
async fn discovery_finds_those_who_match_in_the_order_of_joining() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let _one = Peer::worker(&server, &room, "gpu1").await;
    let _two = Peer::worker(&server, &room, "gpu2").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    let original = json!({
        "room_id": room.id, "role": "worker", "tags": ["sleap-rtc"],
        "properties": {"gpu_memory_mb": {"$gte": 8192}, "status": "available"},
    });
    assert_eq!(client.discover(original).await, ["gpu1", "gpu2"]);
    assert_eq!(client.discover(json!({"properties": {"gpu_memory_mb": {"$gte": 80_000}}})).await, [""; 0]);
    assert_eq!(client.discover(Value::Null).await, ["gpu1", "gpu2"]);
}

#[tokio::test]
async fn a_room_does_not_see_another() {
    let server = TestServer::start().await;
    let (one, other) = (server.room().await, server.room().await);
    let _worker = Peer::worker(&server, &one, "gpu1").await;
    let mut client = Peer::client(&server, &other, "laptop").await;
    assert_eq!(client.discover(json!({})).await, [""; 0]);
    client.say("gpu1", json!("hello")).await;
    assert_eq!(client.socket.error().await.0, "PEER_NOT_FOUND");
}

#[tokio::test]
async fn a_confirmed_update_is_seen_by_every_later_discovery() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    for round in 0..100 {
        let status = if round % 2 == 0 { "busy" } else { "available" };
        let metadata = json!({"properties": {"status": status}});
        worker.socket.send(json!({"type": "update_metadata", "peer_id": "gpu1", "metadata": metadata})).await;
        let confirmed = worker.socket.expect("metadata_updated").await;
        assert_eq!(confirmed["metadata"]["properties"]["status"], status);
        assert_eq!(confirmed["metadata"]["tags"], json!(["sleap-rtc"]), "tags survive");
        let found = client.discover(json!({"status": "available"})).await;
        assert_eq!(found.len(), round % 2, "round {round}");
    }
}

#[tokio::test]
async fn a_confirmation_comes_before_the_answer_to_the_next_frame() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let _other = Peer::worker(&server, &room, "gpu2").await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    for round in 0..50 {
        let metadata = json!({"properties": {"round": round}});
        let update = json!({"type": "update_metadata", "peer_id": "gpu1", "metadata": metadata});
        let discover = json!({"type": "discover_peers", "from_peer_id": "gpu1"});
        worker.socket.send(update).await;
        worker.socket.send(discover).await;
        assert_eq!(worker.socket.expect("metadata_updated").await["metadata"]["properties"]["round"], round);
        worker.socket.expect("peer_list").await;
    }
}

#[tokio::test]
async fn frames_sent_right_behind_a_registration_wait_for_it() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let token = Installation::new().sign_in(&server).await;
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(register(&room, &token, json!({"peer_id": "gpu1", "role": "worker"}))).await;
    socket.send(json!({"type": "discover_peers", "from_peer_id": "gpu1"})).await;
    socket.expect("registered_auth").await;
    socket.expect("peer_list").await;
}

#[tokio::test]
async fn messages_and_descriptions_are_handed_on_as_they_came() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    client.say("gpu1", json!({"big": 1.0e300, "text": "\u{1f41d}\n", "null": null})).await;
    let message = worker.socket.expect("peer_message").await;
    assert_eq!(message["payload"], json!({"big": 1.0e300, "text": "\u{1f41d}\n", "null": null}));
    for kind in ["offer", "answer", "candidate"] {
        let frame = json!({"type": kind, "sender": "laptop", "target": "gpu1", "sdp": "v=0\r\n", "candidate": {}, "extra": [1]});
        client.socket.send(frame.clone()).await;
        assert_eq!(worker.socket.expect(kind).await, frame);
    }
    worker.socket.send(json!({"type": "error", "target": "laptop", "reason": "worker_busy"})).await;
    assert_eq!(client.socket.frame().await["reason"], "worker_busy");
}

#[tokio::test]
async fn nobody_speaks_for_another() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    let forged = json!({"type": "peer_message", "from_peer_id": "gpu1", "to_peer_id": "gpu1", "payload": 1});
    client.socket.send(forged).await;
    assert_eq!(client.socket.error().await.0, "FORBIDDEN");
    let update = json!({"type": "update_metadata", "peer_id": "gpu1", "metadata": {"properties": {"status": "busy"}}});
    client.socket.send(update).await;
    assert_eq!(client.socket.error().await.0, "FORBIDDEN");
    assert_eq!(client.discover(json!({"status": "available"})).await, ["gpu1"]);
    client.say("gpu1", json!("really me")).await;
    assert_eq!(worker.socket.expect("peer_message").await["from_peer_id"], "laptop");
}

#[tokio::test]
async fn messages_are_counted() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    client.say("gpu1", json!(1)).await;
    worker.socket.expect("peer_message").await;
    let metrics = server.get("/metrics").send().await.json();
    assert_eq!(metrics["peers_by_role"], json!({"client": 1, "worker": 1}));
    let counts = [&metrics["active_rooms"], &metrics["active_connections"], &metrics["total_messages"]];
    assert_eq!(counts, [&json!(1), &json!(2), &json!(1)]);
    assert_eq!((&metrics["total_connections"], &metrics["rooms_created"]), (&json!(2), &json!(1)));
}
