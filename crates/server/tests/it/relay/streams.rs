//! Streams: who may read them, what they look like, and how they end.

use std::sync::Arc;

use serde_json::json;

use super::Lab;
use super::browser::Browser;
use crate::rig::{Account, TestServer, eventually};

#[tokio::test]
async fn nothing_can_be_published_from_outside() {
    let lab = Lab::new().await;
    let (browser, _worker) = (lab.browser(), lab.worker("gpu1").await);
    for path in ["/publish/worker:gpu1", "/relay/publish/worker:gpu1"] {
        assert_eq!(browser.post(path, json!({"type": "job_status"})).await.status, 404);
    }
    assert_eq!(browser.post("/stream/worker:gpu1", json!({"type": "job_status"})).await.status, 405);
    // Nor by a peer that is no worker.
    let mut client = lab.old_peer("laptop", "client").await;
    client.socket.send(json!({"type": "job_status", "job_id": "job_1", "status": "complete"})).await;
    client.discover(json!({})).await;
    assert_eq!(lab.channels().await, 0);
}

#[tokio::test]
async fn a_ticket_is_good_for_one_channel_of_one_room() {
    let lab = Lab::new().await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    let ticket = browser.ticket("worker:gpu1").await;
    let open = |channel: &str| lab.server.get(&format!("/stream/{channel}?ticket={ticket}")).send();
    assert_eq!(open("worker:gpu2").await.error(), (401, "AUTH_FAILED".to_owned()));
    assert_eq!(open("job_1").await.status, 401);
    // As often as it is shown in its time, and with the channel written as browsers do.
    let mut streams = Vec::new();
    for path in ["/stream/worker:gpu1", "/relay/stream/worker%3Agpu1"] {
        streams.push(browser.open(&format!("{path}?ticket={ticket}")).await);
    }
    // A worker of the same name in another room is not heard.
    let other = Lab::on(lab.server.clone()).await;
    let mut namesake = other.worker("gpu1").await;
    namesake.socket.send(json!({"type": "worker_path_ok", "path": "/other"})).await;
    namesake.discover(json!({})).await;
    worker.socket.send(json!({"type": "worker_path_ok", "path": "/mine"})).await;
    for stream in &mut streams {
        assert_eq!(stream.event().await, json!({"type": "worker_path_ok", "path": "/mine"}));
    }
    // Nor by a ticket that names another room, which nobody can make.
    let forged = ticket.replace(&lab.room.id, &other.room.id);
    assert_ne!(forged, ticket);
    let reply = lab.server.get(&format!("/stream/worker:gpu1?ticket={forged}")).send().await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn a_program_that_can_show_its_credential_needs_no_ticket() {
    let lab = Lab::new().await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    let request = format!("/stream/worker:gpu1?room_id={}", lab.room.id);
    let mut stream = browser.open_as(&request, Some(&lab.credential)).await;
    worker.socket.send(json!({"type": "worker_path_error", "error": "no"})).await;
    assert_eq!(stream.event().await, json!({"type": "worker_path_error", "error": "no"}));
}

#[tokio::test]
async fn a_stream_has_the_headers_and_the_form_that_browsers_and_proxies_need() {
    let server = TestServer::with(|config| config.keepalive_ms = 20).await;
    let lab = Lab::on(server.into()).await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    worker.socket.send(json!({"type": "worker_path_ok", "path": "/a\nb"})).await;
    worker.discover(json!({})).await;
    let mut stream = browser.watch("worker:gpu1").await;
    for line in ["content-type: text/event-stream", "cache-control: no-cache", "x-accel-buffering: no"] {
        assert!(stream.head.lines().any(|one| one == line), "{}", stream.head);
    }
    let event = stream.raw().await;
    let text = event.strip_prefix(r#"data: {"path":"/a\nb","type":"worker_path_ok","_ts":"#).expect(&event);
    let seconds: f64 = text.strip_suffix("}\n\n").expect(&event).parse().unwrap();
    assert!(seconds > 1.7e9, "Unix seconds: {seconds}");
    for _ in 0..2 {
        assert_eq!(stream.raw().await, ": keepalive\n\n");
    }
}

#[tokio::test]
async fn no_more_than_two_hundred_events_are_replayed() {
    let lab = Lab::new().await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    for n in 0..250 {
        worker.socket.send(json!({"type": "worker_path_ok", "path": n})).await;
    }
    worker.discover(json!({})).await;
    let mut stream = browser.watch("worker:gpu1").await;
    for n in 50..250 {
        assert_eq!(stream.event().await["path"], n);
    }
    worker.socket.send(json!({"type": "worker_path_ok", "path": "live"})).await;
    assert_eq!(stream.event().await["path"], "live");
}

#[tokio::test]
async fn a_slow_stream_is_dropped_and_delays_nobody() {
    let lab = Lab::new().await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    let mut slow = browser.watch("worker:gpu1").await;
    let mut quick = browser.watch("worker:gpu1").await;
    let text = "x".repeat(256 << 10);
    // Far more than is kept and than lies in the buffers of a socket.
    for n in 0..200 {
        worker.socket.send(json!({"type": "worker_path_error", "error": text, "n": n})).await;
        assert_eq!(quick.event().await["n"], n);
    }
    // Its connection is gone in the middle of something, although it has not read a byte meanwhile.
    assert!(slow.read_to_end().await < 200);
    eventually("only the quick one is counted", || async { lab.streams().await == 1 }).await;
}

#[tokio::test]
async fn streams_of_a_member_are_bounded_and_counted() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    let ticket = browser.ticket("job_1").await;
    let path = format!("/stream/job_1?ticket={ticket}");
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(browser.open(&path).await);
    }
    assert_eq!(lab.server.get(&path).send().await.error(), (429, "RATE_LIMITED".to_owned()));
    assert_eq!(lab.streams().await, 32);
    streams.pop();
    eventually("there is place again", || async { lab.streams().await == 31 }).await;
    streams.push(browser.open(&path).await);
}

#[tokio::test]
async fn streams_end_with_the_server_and_with_the_room() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    let mut stream = browser.watch("worker:gpu1").await;
    let body = json!({"room_id": lab.room.id, "token": lab.room.token});
    assert_eq!(lab.server.post("/delete-peers-and-room").json(&body).send().await.status, 200);
    assert_eq!(stream.read_to_end().await, 0);
    let other = Lab::on(lab.server.clone()).await;
    let mut stream = other.browser().watch("worker:gpu1").await;
    drop(other);
    Arc::into_inner(lab.server).expect("nobody else has it").stop().await;
    assert_eq!(stream.read_to_end().await, 0);
}

#[tokio::test]
async fn a_stream_ends_with_the_key_that_opened_it_and_with_the_membership() {
    let server = Arc::new(TestServer::start().await);
    let (ana, bob) = (Account::new(&server, "ana").await, Account::new(&server, "bob").await);
    let room = ana.room(&server, "lab").await;
    bob.joins(&server, &room, &ana).await;
    let key = bob.key(&server).await;
    let (by_key, by_token) = (Browser::new(server.http, &room, &key), Browser::new(server.http, &room, &bob.token));
    let path = format!("/stream/worker:gpu1?room_id={room}");
    let mut shown = by_key.open_as(&path, Some(&key)).await;
    let ticket = by_key.ticket("worker:gpu1").await;
    let with_ticket = format!("/stream/worker:gpu1?ticket={ticket}");
    let mut ticketed = by_key.open(&with_ticket).await;
    let mut others = by_token.watch("worker:gpu1").await;
    assert_eq!(bob.delete(&server, &format!("/api/auth/account-keys/{key}")).await.status, 200);
    for stream in [&mut shown, &mut ticketed] {
        assert_eq!(stream.read_to_end().await, 0);
    }
    assert_eq!(server.get(&with_ticket).send().await.error(), (401, "AUTH_FAILED".to_owned()), "nor does its ticket");
    let health = server.get("/relay/health").send().await.json();
    assert_eq!(health["total_subscribers"], 1, "what came in by something else goes on");
    assert_eq!(ana.delete(&server, &format!("/api/auth/rooms/{room}/members/{}", bob.id)).await.status, 200);
    assert_eq!(others.read_to_end().await, 0);
}
