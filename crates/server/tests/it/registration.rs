//! `register` by every credential, in the deployed server's order and words.

use serde_json::{Value, json};
use sleap_rtc_server::close_code;

use crate::rig::{Account, Installation, Peer, Socket, TestServer, register, text, worker_by};

async fn refused(server: &TestServer, frame: Value) -> (String, String) {
    let mut socket = Socket::open(server.ws, "/").await;
    refused_on(&mut socket, frame).await
}

async fn refused_on(socket: &mut Socket, mut frame: Value) -> (String, String) {
    frame["type"] = json!("register");
    socket.send(frame).await;
    socket.error().await
}

fn told(code: &str, text: &str) -> (String, String) {
    (code.to_owned(), text.to_owned())
}

#[tokio::test]
async fn the_key_of_an_account_opens_the_rooms_of_its_person() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let (room, key) = (ana.room(&server, "pool").await, ana.key(&server).await);
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(json!({"type": "register", "api_key": key, "room_id": room, "role": "worker"})).await;
    let registered = socket.expect("registered_auth").await;
    assert_eq!((&registered["room_id"], &registered["token"]), (&json!(room), &Value::Null));
    let id = text(&registered["peer_id"]);
    assert!(id.starts_with("worker-ana-") && id.len() == "worker-ana-0a1b".len(), "{id}");
    // One after the other, as the checks stand.
    let unknown = format!("slp_acct_{}", "A".repeat(32));
    assert_eq!(refused(&server, json!({"api_key": unknown})).await, told("AUTH_FAILED", "Invalid account key"));
    let nowhere = refused(&server, json!({"api_key": key})).await;
    assert_eq!(nowhere, told("INVALID_MESSAGE", "room_id required for account key auth"));
    let others = bob.key(&server).await;
    for place in [room.as_str(), "nowhere"] {
        let refusal = refused(&server, json!({"api_key": others, "room_id": place})).await;
        assert_eq!(refusal, told("FORBIDDEN", "No access to this room"), "{place}");
    }
}

#[tokio::test]
async fn the_token_of_an_account_opens_them_too() {
    let server = TestServer::start().await;
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "pool").await;
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(json!({"type": "register", "jwt": ana.token, "room_id": room, "role": "client"})).await;
    assert!(text(&socket.expect("registered_auth").await["peer_id"]).starts_with("client-ana-"));
    let (code, reason) = refused(&server, json!({"jwt": "forged", "room_id": room})).await;
    assert_eq!((code.as_str(), &reason[..15]), ("AUTH_FAILED", "Invalid token: "), "{reason}");
    let nowhere = refused(&server, json!({"jwt": ana.token})).await;
    assert_eq!(nowhere, told("INVALID_MESSAGE", "room_id required for JWT auth"));
    let stranger = refused(&server, json!({"jwt": bob.token, "room_id": room})).await;
    assert_eq!(stranger, told("FORBIDDEN", "No access to this room"));
    // An id token that names no account is none of an account.
    let id_token = Installation::new().sign_in(&server).await;
    let (code, _) = refused(&server, json!({"jwt": id_token, "room_id": room})).await;
    assert_eq!(code, "AUTH_FAILED");
}

#[tokio::test]
async fn a_workers_key_opens_its_own_room_and_no_other() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let (room, other) = (ana.room(&server, "pool").await, ana.room(&server, "other").await);
    let (token, _) = ana.worker_token(&server, &room, "gpu").await;
    let mut socket = Socket::open(server.ws, "/").await;
    // The room that it names is not looked at.
    socket.send(json!({"type": "register", "api_key": token, "room_id": other, "role": "worker"})).await;
    let registered = socket.expect("registered_auth").await;
    assert_eq!(registered["room_id"], json!(room));
    assert!(text(&registered["peer_id"]).starts_with("worker-gpu-"), "{registered}");
    let unknown = format!("slp_{}", "A".repeat(32));
    assert_eq!(refused(&server, json!({"api_key": unknown})).await, told("AUTH_FAILED", "Invalid API key"));
    assert_eq!(refused(&server, json!({"api_key": "slp_ä"})).await, told("AUTH_FAILED", "Invalid API key"));
}

#[tokio::test]
async fn a_computer_of_a_member_needs_no_token_of_the_room() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "pool").await;
    let frame = async |who: &Installation| json!({"type": "register", "id_token": who.sign_in(&server).await, "room_id": room, "peer_id": "laptop"});
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(frame(&ana.computer).await).await;
    assert_eq!(socket.expect("registered_auth").await["room_id"], json!(room));
    let stranger = refused(&server, frame(&Installation::new()).await).await;
    assert_eq!(stranger, told("INVALID_MESSAGE", "Missing required fields during registration."));
}

#[tokio::test]
async fn nothing_shown_is_told_so_and_what_is_no_key_is_as_good_as_nothing() {
    let server = TestServer::start().await;
    let nothing = told("AUTH_FAILED", "No authentication provided. Use api_key, jwt, or id_token.");
    assert_eq!(refused(&server, json!({})).await, nothing);
    assert_eq!(refused(&server, json!({"api_key": "sk_1", "jwt": "", "id_token": null})).await, nothing);
}

#[tokio::test]
async fn a_refusal_ends_no_connection_and_a_worker_registers_as_often_as_it_likes() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "pool").await;
    let (token, _) = ana.worker_token(&server, &room, "gpu").await;
    let key = ana.key(&server).await;
    for credential in [
        json!({"api_key": token}),
        json!({"api_key": key, "room_id": room}),
        json!({"jwt": ana.token, "room_id": room}),
    ] {
        let mut socket = Socket::open(server.ws, "/").await;
        assert_eq!(refused_on(&mut socket, json!({"api_key": "slp_no"})).await.1, "Invalid API key");
        let mut frame = json!({"type": "register", "peer_id": "gpu-1", "role": "worker"});
        frame.as_object_mut().unwrap().extend(credential.as_object().unwrap().clone());
        for _ in 0..3 {
            socket.send(frame.clone()).await;
            assert_eq!(socket.expect("registered_auth").await["peer_id"], "gpu-1");
        }
        socket.close().await;
    }
}

#[tokio::test]
async fn nobody_is_shown_what_another_came_in_by() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "pool").await;
    let (token, name) = ana.worker_token(&server, &room, "gpu").await;
    let _worker = worker_by(&server, &token, "gpu-1").await;
    let mut client = ana.client(&server, &room, "viewer").await;
    client.send(json!({"type": "discover_peers", "from_peer_id": "viewer"})).await;
    let list = client.expect("peer_list").await.to_string();
    assert!(list.contains("gpu-1"), "{list}");
    for secret in [&token, &name, &ana.token, "_token_id", "_account_key_id", "api_key"] {
        assert!(!list.contains(secret), "{list}");
    }
}

#[tokio::test]
async fn a_revoked_key_ends_with_everything_that_it_opened() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let (room, key) = (ana.room(&server, "pool").await, ana.key(&server).await);
    let mut by_key = worker_frame(&server, json!({"api_key": key, "room_id": room, "peer_id": "gpu-1"})).await;
    let mut by_token = worker_frame(&server, json!({"jwt": ana.token, "room_id": room, "peer_id": "gpu-2"})).await;
    let (token, _) = ana.worker_token(&server, &room, "gpu").await;
    let mut by_worker_key = worker_by(&server, &token, "gpu-3").await;
    // Registering again keeps it known by what it came in by.
    by_key
        .send(json!({"type": "register", "api_key": key, "room_id": room, "peer_id": "gpu-1", "role": "worker"}))
        .await;
    by_key.expect("registered_auth").await;

    assert_eq!(ana.delete(&server, &format!("/api/auth/account-keys/{key}")).await.status, 200);
    assert_eq!(by_key.closed().await, close_code::REVOKED);
    let again = refused(&server, json!({"api_key": key, "room_id": room})).await;
    assert_eq!(again, told("AUTH_FAILED", "Account key revoked"));

    assert_eq!(ana.delete(&server, &format!("/api/auth/token/{token}")).await.status, 200);
    assert_eq!(by_worker_key.closed().await, close_code::REVOKED);
    assert_eq!(refused(&server, json!({"api_key": token})).await, told("AUTH_FAILED", "Token revoked"));

    by_token.send(json!({"type": "discover_peers", "from_peer_id": "gpu-2"})).await;
    assert_eq!(by_token.expect("peer_list").await["count"], 0, "what came in otherwise stays");
}

async fn worker_frame(server: &TestServer, mut frame: Value) -> Socket {
    (frame["type"], frame["role"]) = (json!("register"), json!("worker"));
    let mut socket = Socket::open(server.ws, "/").await;
    socket.send(frame).await;
    socket.expect("registered_auth").await;
    socket
}

#[tokio::test]
async fn a_connection_that_changes_its_credential_is_known_by_the_new_one() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let (room, key) = (ana.room(&server, "pool").await, ana.key(&server).await);
    let mut socket = worker_frame(&server, json!({"api_key": key, "room_id": room, "peer_id": "gpu-1"})).await;
    socket
        .send(json!({"type": "register", "jwt": ana.token, "room_id": room, "peer_id": "gpu-1", "role": "worker"}))
        .await;
    socket.expect("registered_auth").await;
    ana.delete(&server, &format!("/api/auth/account-keys/{key}")).await;
    socket.send(json!({"type": "discover_peers", "from_peer_id": "gpu-1"})).await;
    socket.expect("peer_list").await;
}

#[tokio::test]
async fn a_computer_that_is_taken_from_its_account_is_out_of_the_accounts_rooms() {
    let server = TestServer::start().await;
    let ana = Account::new(&server, "ana").await;
    let room = ana.room(&server, "pool").await;
    let id_token = ana.computer.sign_in(&server).await;
    let frame = json!({"type": "register", "id_token": id_token, "room_id": room, "peer_id": "laptop"});
    let mut socket = worker_frame(&server, frame.clone()).await;
    let devices = ana.get(&server, "/api/auth/public-keys").await.json();
    let device = text(&devices["public_keys"][0]["key_id"]);
    assert_eq!(ana.delete(&server, &format!("/api/auth/public-keys/{device}")).await.status, 200);
    assert_eq!(socket.closed().await, close_code::REVOKED);
    let again = refused(&server, frame).await;
    assert_eq!(again, told("INVALID_MESSAGE", "Missing required fields during registration."));
}

#[tokio::test]
async fn who_guesses_too_often_is_not_heard_even_with_the_right_one() {
    let server = TestServer::with(|config| config.limits.guesses = 3).await;
    let room = server.room().await;
    let mut inside = Peer::worker(&server, &room, "gpu-1").await;
    for n in 0..3 {
        assert_eq!(refused(&server, json!({"api_key": format!("slp_{n}")})).await.0, "AUTH_FAILED");
    }
    let id_token = Installation::new().sign_in(&server).await;
    let (code, _) = refused(&server, register(&room, &id_token, json!({"peer_id": "gpu-2"}))).await;
    assert_eq!(code, "RATE_LIMITED");
    assert!(inside.discover(json!({})).await.is_empty(), "who is in stays in");
    // The same wrong one over and over is a program that does not know better.
    let server = TestServer::with(|config| config.limits.guesses = 3).await;
    for _ in 0..10 {
        assert_eq!(refused(&server, json!({"api_key": "slp_old"})).await.0, "AUTH_FAILED");
    }
}
