//! Claims over real sockets.

use serde_json::{Value, json};

use crate::rig::{Peer, TestServer};

fn claim(request: &str, job: &str) -> Value {
    json!({"type": "claim", "request_id": request, "filters": {"role": "worker"}, "lease_ms": 60_000, "job_id": job})
}

#[tokio::test]
async fn a_claim_goes_its_way_and_shows_in_the_status() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    client.socket.send(claim("r1", "job-1")).await;
    let claimed = client.socket.expect("claimed").await;
    assert_eq!((&claimed["request_id"], &claimed["worker"]), (&json!("r1"), &json!("gpu1")));
    let granted = worker.socket.expect("claim_granted").await;
    assert_eq!((&granted["claim_id"], &granted["fence"]), (&claimed["claim_id"], &claimed["fence"]));
    assert_eq!((&granted["client"], &granted["job_id"]), (&json!("laptop"), &json!("job-1")));
    assert!(granted["client_key"].is_string() && claimed["worker_key"].is_string());
    assert_eq!(client.discover(json!({"status": "reserved"})).await, ["gpu1"]);
    worker.socket.send(json!({"type": "claim_used", "claim_id": claimed["claim_id"]})).await;
    let mut busy = false;
    while !busy {
        busy = client.discover(json!({"status": "busy"})).await == ["gpu1"];
    }
    worker.socket.send(json!({"type": "claim_released", "claim_id": claimed["claim_id"]})).await;
    let ended = client.socket.expect("claim_ended").await;
    assert_eq!(ended["reason"], "finished");
    assert_eq!(client.discover(json!({"status": "available"})).await, ["gpu1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_clients_that_claim_one_worker_at_once_one_gets_it_200_times() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut clients = [Peer::client(&server, &room, "laptop").await, Peer::client(&server, &room, "desktop").await];
    let mut last_fence = (0, 0);
    for round in 0..200 {
        let [one, two] = &mut clients;
        let ask = async |client: &mut Peer| {
            client.socket.send(claim(&format!("r{round}"), &format!("job-{round}-{}", client.id))).await;
            client.socket.frame().await
        };
        let answers = tokio::join!(ask(one), ask(two));
        let (winner, claimed, refused) = match (answers.0["type"].as_str(), answers.1["type"].as_str()) {
            (Some("claimed"), Some("claim_refused")) => (0, answers.0, answers.1),
            (Some("claim_refused"), Some("claimed")) => (1, answers.1, answers.0),
            _ => panic!("round {round}: {answers:?}"),
        };
        assert_eq!((&refused["code"], &refused["reason"]), (&json!("NO_FREE_WORKER"), &json!("all_matching_busy")));
        let fence = (claimed["fence"][0].as_u64().unwrap(), claimed["fence"][1].as_u64().unwrap());
        assert!(fence > last_fence, "round {round}: {fence:?} after {last_fence:?}");
        last_fence = fence;
        let granted = worker.socket.expect("claim_granted").await;
        assert_eq!(granted["client"], json!(clients[winner].id), "round {round}");
        // Once as a client gives up, once as a worker ends: who ends it itself is not told.
        if round % 2 == 0 {
            clients[winner].socket.send(json!({"type": "release", "claim_id": claimed["claim_id"]})).await;
            worker.socket.expect("claim_ended").await;
        } else {
            worker.socket.send(json!({"type": "claim_used", "claim_id": claimed["claim_id"]})).await;
            worker.socket.send(json!({"type": "claim_released", "claim_id": claimed["claim_id"]})).await;
        }
        clients[winner].socket.expect("claim_ended").await;
    }
}

#[tokio::test]
async fn a_worker_that_comes_back_after_a_restart_keeps_its_claim_and_fences_grow() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Peer::worker(&server, &room, "gpu1").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    client.socket.send(claim("r1", "job-1")).await;
    client.socket.expect("claimed").await;
    let mut held = worker.socket.expect("claim_granted").await;
    held["state"] = json!("used");
    let epoch = held["fence"][0].as_u64().unwrap();
    let server = TestServer::on(server.stop().await, |_| {}, |ports| ports).await;
    let fields = json!({"peer_id": "gpu1", "role": "worker", "claims": [held]});
    let _worker = Peer::join(&server, &room, &crate::rig::Installation::of("gpu1"), fields).await;
    let _other = Peer::worker(&server, &room, "gpu2").await;
    let mut client = Peer::client(&server, &room, "laptop").await;
    assert_eq!(client.discover(json!({"status": "busy"})).await, ["gpu1"]);
    // It waits until every worker that was here has had the time to say what it holds.
    let mut waiting = claim("r2", "job-2");
    waiting["wait_ms"] = json!(60_000);
    client.socket.send(waiting).await;
    let mut claimed = client.socket.frame().await;
    while claimed["type"] == "claim_waiting" {
        assert_eq!(claimed["reason"], "recovering");
        claimed = client.socket.frame().await;
    }
    assert_eq!((&claimed["type"], &claimed["worker"]), (&json!("claimed"), &json!("gpu2")));
    assert!(claimed["fence"][0].as_u64().unwrap() > epoch);
}

/// The next word about a claim in line, or its worker.
async fn told(client: &mut Peer) -> Value {
    let frame = client.socket.frame().await;
    assert!(frame["type"] == "claim_waiting" || frame["type"] == "claimed", "{frame}");
    frame
}

#[tokio::test]
async fn a_seat_brings_a_place_in_line_over_a_restart_of_the_server() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let owner = crate::rig::Installation::new();
    let fields = json!({"peer_id": "laptop", "role": "client"});
    let mut first = Peer::join(&server, &room, &owner, fields.clone()).await;
    let mut wanted = claim("r1", "job-1");
    wanted["wait_ms"] = json!(600_000);
    first.socket.send(wanted.clone()).await;
    wanted["seat"] = told(&mut first).await["seat"].clone();
    assert!(wanted["seat"].is_object());
    let server = TestServer::on(server.stop().await, |_| {}, |ports| ports).await;
    // Somebody else is faster.
    let mut second = Peer::client(&server, &room, "desktop").await;
    let mut other = claim("r2", "job-2");
    other["wait_ms"] = json!(600_000);
    second.socket.send(other).await;
    assert_eq!(told(&mut second).await["place"], json!(1));
    let mut first = Peer::join(&server, &room, &owner, fields).await;
    first.socket.send(wanted).await;
    assert_eq!(told(&mut first).await["place"], json!(1));
    let _worker = Peer::worker(&server, &room, "gpu1").await;
    let mut answer = told(&mut first).await;
    while answer["type"] == "claim_waiting" {
        answer = told(&mut first).await;
    }
    assert_eq!(answer["worker"], json!("gpu1"), "it asked first");
}
