//! What a stranger, a peer and a person may cost, each with the error that names the limit.

use std::net::SocketAddr;

use serde_json::json;
use sleap_rtc_server::{Limits, close_code};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rig::{ELSEWHERE, Installation, Peer, Socket, TestServer, register};

async fn limited(set: impl FnOnce(&mut Limits)) -> TestServer {
    TestServer::with(|config| set(&mut config.limits)).await
}

fn rate_limited() -> (u16, String) {
    (429, "RATE_LIMITED".to_owned())
}

/// Everything that the server says to these bytes until it closes.
async fn answer(to: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The code with which a socket is closed, and the reason.
async fn farewell(socket: &mut Socket) -> (u16, String) {
    loop {
        if let Err(frame) = socket.next().await {
            let frame = frame.expect("a close frame");
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}

#[tokio::test]
async fn a_request_whose_head_does_not_end_is_closed() {
    let server = limited(|limits| limits.head_ms = 50).await;
    assert_eq!(answer(server.http, "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow").await, "");
}

#[tokio::test]
async fn a_body_that_does_not_end_is_408_and_names_the_limit() {
    let server = limited(|limits| limits.body_ms = 50).await;
    let head = "POST /delete-peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{";
    let answer = answer(server.http, head).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("did not arrive within 50 ms"), "{answer}");
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_operator_says() {
    let server = limited(|limits| limits.body = 10).await;
    let reply = server.post("/delete-peer").json(&json!({"peer_id": "somebody"})).send().await;
    assert_eq!(reply.error(), (413, "TOO_LARGE".to_owned()));
    assert!(reply.body.contains("at most 10 bytes"), "{reply:?}");
}

#[tokio::test]
async fn a_peer_that_sends_too_fast_is_told_once_and_then_dropped() {
    let server = limited(|limits| (limits.frames_per_second, limits.frame_burst) = (1, 20)).await;
    let room = server.room().await;
    let mut fast = Peer::client(&server, &room, "fast").await;
    let mut other = Peer::client(&server, &room, "other").await;
    // More than it takes: the server does not read them all.
    for _ in 0..60 {
        if fast.socket.try_send_text(r#"{"type":"pong"}"#).await.is_err() {
            break;
        }
    }
    let (code, text) = fast.socket.error().await;
    assert_eq!(code, "RATE_LIMITED");
    assert!(text.contains("more than 1 frames a second, or 20 at once"), "{text}");
    let (code, reason) = farewell(&mut fast.socket).await;
    assert_eq!((code, reason.as_str()), (close_code::POLICY, "more than 1 frames a second"));
    while other.discover(json!({"role": "client"})).await.contains(&"fast".to_owned()) {}
}

#[tokio::test]
async fn a_peer_that_pings_too_fast_is_dropped_as_well() {
    let server = limited(|limits| (limits.frames_per_second, limits.frame_burst) = (1, 20)).await;
    let mut socket = Socket::open(server.ws, "/").await;
    for _ in 0..60 {
        if socket.ping().await.is_err() {
            break;
        }
    }
    assert_eq!(farewell(&mut socket).await.0, close_code::POLICY);
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_ends_the_connection_with_the_limit() {
    let server = limited(|limits| limits.frame = 100_000).await;
    let room = server.room().await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    client.socket.send_text(&" ".repeat(100_001)).await;
    let (code, reason) = farewell(&mut client.socket).await;
    assert_eq!((code, reason.as_str()), (close_code::TOO_LARGE, "a frame of more than 100000 bytes"));
}

#[tokio::test]
async fn a_strangers_frame_is_not_read_beyond_the_limit() {
    let server = limited(|limits| limits.first_frame = 1000).await;
    let mut socket = Socket::open(server.ws, "/").await;
    // Small ones pass, however many.
    for _ in 0..30 {
        socket.send_text(&format!(r#"{{"type":"claim","x":"{}"}}"#, "x".repeat(500))).await;
        socket.expect("error").await;
    }
    socket.send_text(&" ".repeat(1001)).await;
    let (code, text) = socket.error().await;
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("TOO_LARGE", "frame of 1001 bytes, at most 1000 before you are registered")
    );
    // One that is begun and never ends is not waited for.
    let begun = [0x81, 0xFF, 0, 0, 0, 0, 0, 0x0F, 0xFF, 0xFF, 0, 0, 0, 0].into_iter().chain([b' '; 9700]);
    socket.send_bytes(&begun.collect::<Vec<u8>>()).await;
    assert_eq!(farewell(&mut socket).await, (close_code::TOO_LARGE, "a frame of more than 1000 bytes".to_owned()));
}

#[tokio::test]
async fn a_registered_peer_may_send_larger_frames() {
    let server = limited(|limits| limits.first_frame = 1000).await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    client.say("gpu1", json!("x".repeat(500_000))).await;
    worker.socket.expect("peer_message").await;
}

#[tokio::test]
async fn who_does_not_register_in_time_is_told_the_limit() {
    let server = limited(|limits| limits.unregistered_ms = 50).await;
    let mut socket = Socket::open(server.ws, "/").await;
    assert_eq!(farewell(&mut socket).await, (close_code::POLICY, "not registered within 50 ms".to_owned()));
}

#[tokio::test]
async fn an_address_registers_so_often_a_minute() {
    let server = limited(|limits| limits.registrations = 2).await;
    let room = server.room().await;
    let who = Installation::new();
    let mut client = Peer::join(&server, &room, &who, json!({"peer_id": "a", "role": "client"})).await;
    let token = who.sign_in(&server).await;
    let again = register(&room, &token, json!({"peer_id": "a", "role": "client"}));
    client.socket.send(again.clone()).await;
    client.socket.expect("registered_auth").await;
    client.socket.send(again.clone()).await;
    let (code, text) = client.socket.error().await;
    assert_eq!(code, "RATE_LIMITED");
    assert!(text.contains("more than 2 registrations a minute"), "{text}");
    let mut elsewhere = Socket::open_from(server.ws, "/", ELSEWHERE).await;
    elsewhere.send(again).await;
    elsewhere.expect("registered_auth").await;
}

#[tokio::test]
async fn an_address_guesses_so_many_credentials_a_minute() {
    let server = limited(|limits| limits.guesses = 2).await;
    let good = Installation::new().sign_in(&server).await;
    let rooms = |credential: &str| server.get("/rooms").bearer(credential).send();
    for _ in 0..5 {
        assert_eq!(rooms("an old one").await.status, 401, "the same again is no guess");
    }
    assert_eq!(rooms(&good).await.status, 200);
    assert_eq!(rooms("another").await.status, 401);
    let refused = rooms(&good).await;
    assert_eq!(refused.error(), rate_limited());
    assert!(refused.body.contains("too many wrong credentials from this address"), "{refused:?}");
    assert_eq!(server.get("/health").send().await.status, 200);
    assert_eq!(server.get("/rooms").bearer(&good).from(ELSEWHERE).send().await.status, 200);
}

#[tokio::test]
async fn guesses_in_a_register_count_with_the_others() {
    let server = limited(|limits| limits.guesses = 2).await;
    let room = server.room().await;
    let who = Installation::new();
    let token = who.sign_in(&server).await;
    let mut socket = Socket::open(server.ws, "/").await;
    for n in 0..2 {
        let guess = json!({"peer_id": "a", "role": "client", "token": format!("{n:06x}")});
        socket.send(register(&room, &token, guess)).await;
        assert_eq!(socket.error().await.0, "AUTH_FAILED");
    }
    socket.send(register(&room, &token, json!({"peer_id": "a", "role": "client"}))).await;
    assert_eq!(socket.error().await.0, "RATE_LIMITED", "even the right one");
    assert_eq!(server.get("/rooms").bearer(&token).send().await.error(), rate_limited());
}

#[tokio::test]
async fn a_person_owns_so_many_rooms() {
    let server = limited(|limits| limits.rooms = 2).await;
    let who = Installation::new().sign_in(&server).await;
    let make = || server.post("/create-room").bearer(&who).json(&json!({"name": "pool"})).send();
    assert_eq!([make().await.status, make().await.status], [200, 200]);
    let third = make().await;
    assert_eq!(third.error(), (409, "TOO_LARGE".to_owned()));
    assert!(third.body.contains("at most 2"), "{third:?}");
    let other = Installation::new().sign_in(&server).await;
    let theirs = server.post("/create-room").bearer(&other).json(&json!({"name": "pool"})).send().await;
    assert_eq!(theirs.status, 200);
}

#[tokio::test]
async fn a_form_of_the_logins_page_has_no_more_time_than_other_bodies() {
    let server = limited(|limits| limits.body_ms = 50).await;
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let head =
        format!("POST /login HTTP/1.1\r\nHost: x\r\n{kind}\r\nConnection: close\r\nContent-Length: 100\r\n\r\nc");
    let answer = answer(server.http, &head).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("did not arrive within 50 ms"), "{answer}");
}

#[tokio::test]
async fn guesses_at_a_rooms_password_count_with_the_others() {
    for path in ["/extend-room", "/delete-peers-and-room", "/delete-peer"] {
        let server = limited(|limits| limits.guesses = 2).await;
        let room = server.room().await;
        let _worker = Peer::worker(&server, &room, "gpu1").await;
        let call = |token: &str| {
            let body = json!({"room_id": room.id, "peer_id": "gpu1", "token": token});
            server.post(path).from(ELSEWHERE).json(&body).send()
        };
        for guess in ["000001", "000002"] {
            assert_eq!(call(guess).await.error(), (403, "FORBIDDEN".to_owned()), "{path}");
        }
        assert_eq!(call(&room.token).await.error(), rate_limited(), "{path}: even the right one");
    }
}

#[tokio::test]
async fn who_shows_nothing_guesses_nothing() {
    let server = limited(|limits| limits.guesses = 2).await;
    let room = server.room().await;
    let _worker = Peer::worker(&server, &room, "gpu1").await;
    let good = Installation::new().sign_in(&server).await;
    // As deployed programs take their leave, here from behind a proxy.
    for _ in 0..3 {
        let reply = server.post("/delete-peer").from(ELSEWHERE).json(&json!({"peer_id": "gpu1"})).send().await;
        assert_eq!(reply.status, 401);
    }
    assert_eq!(server.get("/rooms").bearer(&good).from(ELSEWHERE).send().await.status, 200);
}
