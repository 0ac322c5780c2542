//! The original's own tests, by their names, over real sockets. Its peers know no claims: they sign in anonymously, look, ask a
//! worker by `job_request` inside `peer_message`, and a worker takes its slot by updating its status before it accepts.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::rig::{MadeRoom, Socket, TestServer, text};

/// A peer of the original's.
struct Plain {
    id: String,
    socket: Socket,
}

impl Plain {
    async fn join(server: &TestServer, room: &MadeRoom, id: &str, role: &str, properties: Value) -> Self {
        let who = server.anonymous().await;
        let mut socket = Socket::open(server.ws, "/").await;
        let frame = json!({
            "type": "register", "peer_id": id, "room_id": room.id, "token": room.token, "id_token": who.id_token,
            "role": role, "metadata": {"tags": ["sleap-rtc"], "properties": properties},
        });
        socket.send(frame).await;
        socket.expect("registered_auth").await;
        Self { id: id.to_owned(), socket }
    }

    async fn worker(server: &TestServer, room: &MadeRoom, id: &str) -> Self {
        let properties = json!({"status": "available", "gpu_memory_mb": 16384, "max_concurrent_jobs": 1});
        Self::join(server, room, id, "worker", properties).await
    }

    async fn client(server: &TestServer, room: &MadeRoom, id: &str) -> Self {
        Self::join(server, room, id, "client", json!({"platform": "linux"})).await
    }

    async fn send_update(&mut self, of: &str, properties: Value) {
        let metadata = json!({"properties": properties});
        self.socket.send(json!({"type": "update_metadata", "peer_id": of, "metadata": metadata})).await;
    }

    /// Updates its own metadata, and waits until that is confirmed.
    async fn update(&mut self, properties: Value) -> Value {
        self.send_update(&self.id.clone(), properties).await;
        self.socket.expect("metadata_updated").await
    }

    async fn discover(&mut self, filters: Value) -> Vec<String> {
        self.socket.send(json!({"type": "discover_peers", "from_peer_id": self.id, "filters": filters})).await;
        let list = self.socket.expect("peer_list").await;
        list["peers"].as_array().unwrap().iter().map(|peer| text(&peer["peer_id"])).collect()
    }

    async fn say(&mut self, to: &str, payload: Value) {
        let message = json!({"type": "peer_message", "from_peer_id": self.id, "to_peer_id": to, "payload": payload});
        self.socket.send(message).await;
    }

    /// The next message of a peer: who says it, and what.
    async fn hear(&mut self) -> (String, Value) {
        let message = self.socket.expect("peer_message").await;
        (text(&message["from_peer_id"]), message["payload"].clone())
    }
}

fn request(job: &str) -> Value {
    json!({"app_message_type": "job_request", "job_id": job, "job_type": "training", "config": {"epochs": 100}})
}

#[tokio::test]
async fn test_worker_status_update() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Plain::worker(&server, &room, "worker-1").await;
    let mut client = Plain::client(&server, &room, "client-1").await;
    assert_eq!(client.discover(json!({"status": "available"})).await, ["worker-1"]);
    let updated = worker.update(json!({"status": "busy", "current_job_id": "job-1"})).await;
    assert_eq!(updated["metadata"]["properties"]["status"], "busy");
    assert_eq!(client.discover(json!({"status": "busy"})).await, ["worker-1"]);
    worker.update(json!({"status": "available", "current_job_id": null})).await;
    assert_eq!(client.discover(json!({"status": "available"})).await, ["worker-1"]);
}

#[tokio::test]
async fn test_discovery_filters_busy_workers() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut one = Plain::worker(&server, &room, "worker-1").await;
    let _two = Plain::worker(&server, &room, "worker-2").await;
    let mut client = Plain::client(&server, &room, "client-1").await;
    one.update(json!({"status": "busy"})).await;
    assert_eq!(client.discover(json!({"status": "available"})).await, ["worker-2"]);
    let nested = json!({"role": "worker", "properties": {"status": "available"}});
    assert_eq!(client.discover(nested).await, ["worker-2"], "as the original's client writes it");
    assert_eq!(
        client.discover(json!({"role": "worker"})).await,
        ["worker-2", "worker-1"],
        "everyone, the free one first"
    );
}

/// A worker of the original's design: it takes its slot before it accepts, and says `busy` for as long as that is taken.
struct Worker {
    peer: Plain,
    minutes: u64,
    /// What was said while it waited for something else.
    inbox: VecDeque<(String, Value)>,
    /// Client and job that have the slot.
    held: Option<(String, String)>,
    completed: Vec<String>,
}

impl Worker {
    async fn join(server: &TestServer, room: &MadeRoom, id: &str, minutes: u64) -> Self {
        let peer = Plain::worker(server, room, id).await;
        Self { peer, minutes, inbox: VecDeque::new(), held: None, completed: Vec::new() }
    }

    /// Sets its status, and goes on when that is confirmed.
    async fn set(&mut self, properties: Value) {
        self.peer.send_update(&self.peer.id.clone(), properties).await;
        loop {
            let frame = self.peer.socket.frame().await;
            if frame["type"] == "metadata_updated" {
                return;
            }
            assert_eq!(frame["type"], "peer_message", "{frame}");
            self.inbox.push_back((text(&frame["from_peer_id"]), frame["payload"].clone()));
        }
    }

    /// Works until it is told to stop, and says which jobs it has done.
    async fn run(mut self) -> Vec<String> {
        loop {
            let (from, payload) = match self.inbox.pop_front() {
                Some(message) => message,
                None => self.peer.hear().await,
            };
            let job = (from, payload["job_id"].as_str().unwrap_or_default().to_owned());
            match payload["app_message_type"].as_str() {
                Some("job_request") => self.requested(job).await,
                Some("job_cancel") if self.held.as_ref() == Some(&job) => self.free().await,
                Some("job_assignment") => self.assigned(job).await,
                Some("stop") => return self.completed,
                other => panic!("{other:?} about {job:?} while {:?} has the slot", self.held),
            }
        }
    }

    async fn requested(&mut self, (client, job): (String, String)) {
        let mut answer = json!({"app_message_type": "job_response", "job_id": job, "accepted": self.held.is_none()});
        if self.held.is_none() {
            self.held = Some((client.clone(), job.clone()));
            self.set(json!({"status": "reserved", "pending_job_id": job})).await;
            answer["estimated_duration_minutes"] = json!(self.minutes);
        } else {
            answer["reason"] = json!("busy");
        }
        self.peer.say(&client, answer).await;
    }

    async fn assigned(&mut self, job: (String, String)) {
        assert_eq!(self.held.as_ref(), Some(&job), "only who was accepted is served");
        self.set(json!({"status": "busy", "current_job_id": job.1})).await;
        self.completed.push(job.1.clone());
        self.free().await;
        let done = json!({"app_message_type": "job_complete", "job_id": job.1, "status": "completed"});
        self.peer.say(&job.0, done).await;
    }

    async fn free(&mut self) {
        self.held = None;
        self.set(json!({"status": "available", "pending_job_id": null, "current_job_id": null})).await;
    }
}

/// Asks all workers, takes the one with the smallest estimate and lets the others go, until one has done the job: which one, and
/// the estimates of all that accepted then.
async fn book(client: &mut Plain, workers: &[&str], job: &str) -> (String, Vec<u64>) {
    let about = |kind: &str| json!({"app_message_type": kind, "job_id": job, "initiate_connection": true});
    loop {
        for worker in workers {
            client.say(worker, request(job)).await;
        }
        let mut accepted = Vec::new();
        for _ in workers {
            let (worker, answer) = client.hear().await;
            assert_eq!((&answer["app_message_type"], &answer["job_id"]), (&json!("job_response"), &json!(job)));
            if answer["accepted"] == true {
                accepted.push((answer["estimated_duration_minutes"].as_u64().unwrap(), worker));
            } else {
                assert_eq!(answer["reason"], "busy");
            }
        }
        accepted.sort();
        let Some(((_, best), others)) = accepted.split_first() else { continue };
        for (_, other) in others {
            client.say(other, about("job_cancel")).await;
        }
        client.say(best, about("job_assignment")).await;
        let (worker, answer) = client.hear().await;
        assert_eq!((&worker, &answer["app_message_type"]), (best, &json!("job_complete")));
        return (worker, accepted.iter().map(|(minutes, _)| *minutes).collect());
    }
}

#[tokio::test]
async fn test_multi_client_scenario() {
    const WORKERS: [&str; 3] = ["worker-1", "worker-2", "worker-3"];
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut workers = JoinSet::new();
    for (id, minutes) in WORKERS.into_iter().zip([30, 10, 20]) {
        workers.spawn(Worker::join(&server, &room, id, minutes).await.run());
    }
    let mut alone = Plain::client(&server, &room, "client-0").await;
    let (best, estimates) = book(&mut alone, &WORKERS, "job-0").await;
    assert_eq!((best.as_str(), estimates.as_slice()), ("worker-2", &[10, 20, 30][..]), "the smallest estimate wins");

    let mut clients = JoinSet::new();
    for n in 1..=5 {
        let mut client = Plain::client(&server, &room, &format!("client-{n}")).await;
        clients.spawn(async move {
            for round in 0..5 {
                book(&mut client, &WORKERS, &format!("job-{n}-{round}")).await;
            }
        });
    }
    clients.join_all().await;
    for worker in WORKERS {
        alone.say(worker, json!({"app_message_type": "stop"})).await;
    }
    let mut done: Vec<String> = workers.join_all().await.into_iter().flatten().collect();
    done.sort();
    let mut asked: Vec<String> = (1..=5).flat_map(|n| (0..5).map(move |round| format!("job-{n}-{round}"))).collect();
    asked.push("job-0".to_owned());
    asked.sort();
    assert_eq!(done, asked, "each job is done once");
}

/// Of the original's timing document: an update is seen by a discovery that starts after its confirmation.
#[tokio::test]
async fn test_basic_update() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Plain::worker(&server, &room, "worker-1").await;
    let mut client = Plain::client(&server, &room, "client-1").await;
    for _ in 0..50 {
        worker.update(json!({"status": "busy"})).await;
        assert_eq!(client.discover(json!({"role": "worker", "status": "available"})).await, [""; 0]);
        worker.update(json!({"status": "available"})).await;
        assert_eq!(client.discover(json!({"role": "worker", "status": "available"})).await, ["worker-1"]);
    }
}

/// Of the original's timing document: both clients see the worker free and ask at once; the worker says yes to one.
#[tokio::test]
async fn test_race_second_is_answered_busy() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let worker = Worker::join(&server, &room, "worker-1", 10).await;
    let mut clients =
        [Plain::client(&server, &room, "client-1").await, Plain::client(&server, &room, "client-2").await];
    let work = tokio::spawn(worker.run());
    for round in 0..20 {
        let job = format!("job-{round}");
        for client in &mut clients {
            assert_eq!(client.discover(json!({"status": "available"})).await, ["worker-1"], "both see it");
        }
        let [one, two] = &mut clients;
        tokio::join!(one.say("worker-1", request(&job)), two.say("worker-1", request(&job)));
        let answers = tokio::join!(one.hear(), two.hear());
        let (winner, loser) = match (answers.0.1, answers.1.1) {
            (yes, no) if yes["accepted"] == true => (one, no),
            (no, yes) if yes["accepted"] == true => (two, no),
            both => panic!("round {round}: nobody is accepted: {both:?}"),
        };
        assert_eq!((&loser["accepted"], &loser["reason"]), (&json!(false), &json!("busy")), "round {round}");
        assert_eq!(winner.discover(json!({"status": "available"})).await, [""; 0]);
        winner.say("worker-1", json!({"app_message_type": "job_assignment", "job_id": job})).await;
        assert_eq!(winner.hear().await.1["app_message_type"], "job_complete");
    }
    clients[0].say("worker-1", json!({"app_message_type": "stop"})).await;
    assert_eq!(work.await.unwrap().len(), 20);
}

/// Of the original's timing document: a worker that disconnects is in no list, whatever its status was.
#[tokio::test]
async fn test_disconnect() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut client = Plain::client(&server, &room, "client-1").await;
    for status in ["available", "reserved", "busy"] {
        let mut worker = Plain::worker(&server, &room, "worker-1").await;
        worker.update(json!({"status": status})).await;
        assert_eq!(client.discover(json!({})).await, ["worker-1"]);
        worker.socket.close().await;
        assert_eq!(client.discover(json!({})).await, [""; 0], "{status}: at once");
        client.say("worker-1", request("job-1")).await;
        assert_eq!(client.socket.error().await.0, "PEER_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_closed_or_crashed_worker_is_in_no_peer_list_at_once() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut client = Plain::client(&server, &room, "client-1").await;
    let mut closed = Plain::worker(&server, &room, "closed").await;
    let crashed = Plain::worker(&server, &room, "crashed").await;
    closed.socket.close().await;
    assert_eq!(client.discover(json!({})).await, ["crashed"]);
    assert_eq!(client.discover(json!({"status": "available"})).await, ["crashed"]);
    // The system of a program that dies resets its connections.
    crashed.socket.reset();
    let mut asked = 0;
    while !client.discover(json!({})).await.is_empty() {
        asked += 1;
        assert!(asked < 10_000, "still there");
    }
}

#[tokio::test]
async fn any_peer_may_update_its_own_metadata_and_only_its_own() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Plain::worker(&server, &room, "worker-1").await;
    let mut client = Plain::client(&server, &room, "client-1").await;
    client.update(json!({"waiting_for": "job-1"})).await;
    assert_eq!(worker.discover(json!({"waiting_for": "job-1"})).await, ["client-1"], "a client as well");
    for other in ["worker-1", "nobody"] {
        client.send_update(other, json!({"status": "busy"})).await;
        assert_eq!(client.socket.error().await.0, "FORBIDDEN", "{other}");
    }
    worker.send_update("client-1", json!({"waiting_for": "nothing"})).await;
    assert_eq!(worker.socket.error().await.0, "FORBIDDEN");
    assert_eq!(client.discover(json!({"status": "available"})).await, ["worker-1"]);
    assert_eq!(worker.discover(json!({"waiting_for": "job-1"})).await, ["client-1"]);
}
