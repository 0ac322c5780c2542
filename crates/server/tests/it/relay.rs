//! Workers of the deployed kind through the server, as a browser sees them.

mod browser;
mod sealed;
mod streams;

use serde_json::{Value, json};

use crate::rig::{Installation, MadeRoom, Peer, Request, TestServer, eventually, register};
use browser::Browser;

#[tokio::test]
async fn a_dashboard_lists_a_folder_submits_a_job_watches_it_and_cancels() {
    let lab = Lab::new().await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    let mut of_worker = browser.watch("worker:gpu1").await;

    let body = json!({"peer_id": "gpu1", "path": "/data", "req_id": "r1", "offset": 20});
    assert_eq!(browser.ok("/api/fs/list", body).await, json!({"status": "request_forwarded"}));
    let asked = worker.socket.frame().await;
    assert_eq!(asked, json!({"type": "fs_list_req", "req_id": "r1", "path": "/data", "offset": 20}));
    let entries = json!([{"name": "a.slp", "type": "file", "size": 1, "modified": 1.5}]);
    let listed = json!({"type": "fs_list_res", "req_id": "r1", "path": "/data", "entries": entries, "total_count": 1, "has_more": false});
    worker.socket.send(listed.clone()).await;
    assert_eq!(of_worker.event().await, listed);

    let (job, mut of_job) = browser.submit("gpu1", &mut worker).await;
    let progress = [
        json!({"type": "job_status", "job_id": job, "status": "accepted"}),
        json!({"type": "job_progress", "job_id": job, "event": "epoch_end", "epoch": 1, "logs": {"train/loss": 0.5}}),
        json!({"type": "job_status", "job_id": job, "status": "running", "message": "Epoch 1"}),
    ];
    for said in &progress {
        worker.socket.send(said.clone()).await;
        assert_eq!(of_job.event().await, *said);
    }
    // Who comes later reads it all from the beginning.
    let mut late = browser.watch(&job).await;
    assert_eq!(late.event().await["status"], "submitted");
    for said in &progress {
        assert_eq!(late.event().await, *said);
    }

    let path = format!("/api/jobs/{job}/cancel");
    for (mode, sent) in [(json!({}), json!({})), (json!({"mode": "stop"}), json!({"mode": "stop"}))] {
        let mut body = json!({"peer_id": "gpu1"});
        body.as_object_mut().unwrap().extend(mode.as_object().unwrap().clone());
        assert_eq!(browser.ok(&path, body).await, json!({"status": "cancel_sent"}));
        let mut expected = json!({"type": "job_cancel", "job_id": job});
        expected.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
        assert_eq!(worker.socket.frame().await, expected);
    }
    let failed = json!({"type": "job_status", "job_id": job, "status": "failed", "message": "Job cancelled by user"});
    worker.socket.send(failed.clone()).await;
    assert_eq!(of_job.event().await, failed);
}

#[tokio::test]
async fn a_worker_that_runs_a_job_gets_no_second_one() {
    let lab = Lab::new().await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    let (job, _) = browser.submit("gpu1", &mut worker).await;
    let body = json!({"peer_id": "gpu1", "config": {"type": "train"}});
    assert_eq!(browser.post("/api/jobs/submit", body.clone()).await.error(), (409, "WORKER_BUSY".to_owned()));
    // The refused one has left nothing behind: only the worker's own job and its channel are there.
    assert_eq!(lab.channels().await, 1);
    worker.socket.send(json!({"type": "job_status", "job_id": job, "status": "rejected", "errors": []})).await;
    eventually("the worker is free", || async { browser.post("/api/jobs/submit", body.clone()).await.status == 200 })
        .await;
}

#[tokio::test]
async fn a_browser_says_what_it_has_to_say_and_nothing_else() {
    let lab = Lab::new().await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    for message in [
        json!({"type": "use_worker_path", "path": "/data/a.slp"}),
        json!({"type": "fs_check_videos"}),
        json!({"type": "fs_list_req", "req_id": 1, "path": "/"}),
        json!({"type": "key_exchange", "session_id": "s", "public_key": "k"}),
        json!({"type": "encrypted_relay", "session_id": "s", "nonce": "n", "ciphertext": "c"}),
    ] {
        let body = json!({"peer_id": "gpu1", "message": message});
        assert_eq!(browser.post("/api/worker/message", body).await.status, 200);
        assert_eq!(worker.socket.frame().await, message);
    }
    for kind in ["job_assigned", "offer", "error", "quit", "peer_message", "registered_auth", ""] {
        for path in ["/api/worker/message", "/api/worker/key"] {
            let body = json!({"peer_id": "gpu1", "message": {"type": kind, "job_id": "job_00000000"}});
            assert_eq!(browser.post(path, body).await.error(), (403, "FORBIDDEN".to_owned()), "{kind} {path}");
        }
    }
    // Of two types the last is meant, here and by whoever reads it.
    let twice = format!(
        r#"{{"room_id":"{}","peer_id":"gpu1","message":{{"type":"fs_check_videos","type":"offer"}}}}"#,
        lab.room.id
    );
    let reply = lab.server.post("/api/worker/message").bearer(&lab.credential).body(twice).send().await;
    assert_eq!(reply.error(), (403, "FORBIDDEN".to_owned()));
}

#[tokio::test]
async fn only_the_job_that_a_worker_runs_is_cancelled() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    let (mut one, mut two) = (lab.worker("gpu1").await, lab.worker("gpu2").await);
    let (job, _) = browser.submit("gpu1", &mut one).await;
    let (other, _) = browser.submit("gpu2", &mut two).await;
    for (job, worker) in [(other.as_str(), "gpu1"), ("job_00000000", "gpu1"), (&job, "gpu2")] {
        let path = format!("/api/jobs/{job}/cancel");
        let reply = browser.post(&path, json!({"peer_id": worker})).await;
        assert_eq!(reply.error(), (404, "NOT_FOUND".to_owned()));
        let message = json!({"type": "job_cancel", "job_id": job});
        let reply = browser.post("/api/worker/message", json!({"peer_id": worker, "message": message})).await;
        assert_eq!(reply.error(), (404, "NOT_FOUND".to_owned()));
    }
    // A job that is over does not stand for the client that has the worker since.
    one.socket.send(json!({"type": "job_status", "job_id": job, "status": "rejected", "errors": []})).await;
    one.discover(json!({})).await;
    let mut client = lab.old_peer("laptop", "client").await;
    client.socket.send(json!({"type": "offer", "sender": "laptop", "target": "gpu1", "sdp": "v=0"})).await;
    one.socket.expect("offer").await;
    let reply = browser.post(&format!("/api/jobs/{job}/cancel"), json!({"peer_id": "gpu1"})).await;
    assert_eq!(reply.error(), (404, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn who_is_not_there_and_who_reads_no_such_frames_is_told() {
    let lab = Lab::new().await;
    let browser = lab.browser();
    let list = |peer: &str| json!({"peer_id": peer, "path": "/", "req_id": "1"});
    assert_eq!(browser.post("/api/fs/list", list("gone")).await.error(), (404, "PEER_NOT_FOUND".to_owned()));
    let _ours = Peer::worker(&lab.server, &lab.room, "ours").await;
    let _client = lab.old_peer("laptop", "client").await;
    for peer in ["ours", "laptop"] {
        assert_eq!(browser.post("/api/fs/list", list(peer)).await.error(), (409, "UNSUPPORTED".to_owned()));
        let job = json!({"peer_id": peer, "config": {}});
        assert_eq!(browser.post("/api/jobs/submit", job).await.error(), (409, "UNSUPPORTED".to_owned()));
    }
    assert_eq!(browser.post("/api/fs/list", json!({"peer_id": "ours"})).await.error().0, 422);
    assert_eq!(browser.post("/api/jobs/submit", json!({"peer_id": "ours", "config": []})).await.error().0, 422);
    let mode = json!({"peer_id": "ours", "mode": "explode"});
    assert_eq!(browser.post("/api/jobs/job_1/cancel", mode).await.error().0, 422);
    assert_eq!(lab.channels().await, 0);
}

#[tokio::test]
async fn a_job_larger_than_other_bodies_goes_through_and_one_larger_than_a_frame_does_not() {
    let lab = Lab::new().await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    let config = |bytes: usize| json!({"peer_id": "gpu1", "config": {"config_content": "x".repeat(bytes)}});
    assert_eq!(browser.post("/api/jobs/submit", config(600 << 10)).await.error().0, 413);
    assert_eq!(browser.post("/api/jobs/submit", config(400 << 10)).await.status, 200);
    let assigned = worker.socket.expect("job_assigned").await;
    assert_eq!(assigned["config"]["config_content"].as_str().unwrap().len(), 400 << 10);
}

#[tokio::test]
async fn a_stranger_and_another_room_get_nothing() {
    let lab = Lab::new().await;
    let mut worker = lab.worker("gpu1").await;
    let other = lab.server.room().await;
    let stranger = other.maker.sign_in(&lab.server).await;
    let anonymous = lab.server.anonymous().await.id_token;
    let message = json!({"type": "fs_check_videos"});
    for (path, body) in [
        ("/api/jobs/submit", json!({"peer_id": "gpu1", "config": {}})),
        ("/api/jobs/job_1/cancel", json!({"peer_id": "gpu1"})),
        ("/api/fs/list", json!({"peer_id": "gpu1", "path": "/", "req_id": "1"})),
        ("/api/worker/message", json!({"peer_id": "gpu1", "message": message})),
        ("/api/worker/key", json!({"peer_id": "gpu1", "message": {"type": "key_exchange"}})),
        ("/api/worker/fs", json!({"peer_id": "gpu1", "session_id": "s", "nonce": "n", "ciphertext": "c"})),
        ("/api/worker/job", json!({"peer_id": "gpu1", "session_id": "s", "nonce": "n", "ciphertext": "c"})),
        ("/api/stream-ticket", json!({"channel": "worker:gpu1"})),
    ] {
        let mut body = body;
        body["room_id"] = json!(lab.room.id);
        let call = |credential: &str| lab.server.post(path).bearer(credential).json(&body).send();
        assert_eq!(lab.server.post(path).json(&body).send().await.status, 422, "{path} without a credential");
        assert_eq!(call("nonsense").await.status, 401, "{path}");
        for credential in [&stranger, &anonymous] {
            assert_eq!(call(credential).await.error(), (403, "FORBIDDEN".to_owned()), "{path}");
        }
        // A member of another room reaches no worker of this one through theirs.
        body["room_id"] = json!(other.id);
        let reply = lab.server.post(path).bearer(&stranger).json(&body).send().await;
        assert!(path == "/api/stream-ticket" && reply.status == 200 || reply.status == 404, "{path} {reply:?}");
    }
    for path in ["/stream/worker:gpu1", "/relay/stream/job_1"] {
        let get = |query: &str| lab.server.get(&format!("{path}{query}"));
        assert_eq!(get("").send().await.status, 401);
        assert_eq!(get("?ticket=1.2.3.4").send().await.status, 401);
        let query = format!("?room_id={}", lab.room.id);
        assert_eq!(get(&query).send().await.status, 401);
        assert_eq!(get(&query).bearer(&stranger).send().await.error(), (403, "FORBIDDEN".to_owned()));
        assert_eq!(get("").bearer(&stranger).send().await.status, 422);
    }
    // Nothing of all this has reached the worker: what comes next is for itself.
    worker.socket.send(json!({"type": "discover_peers", "from_peer_id": "gpu1"})).await;
    worker.socket.expect("peer_list").await;
}

#[tokio::test]
async fn who_watches_a_job_hears_when_its_worker_goes_and_comes_back() {
    let lab = Lab::new().await;
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    let (job, mut watch) = browser.submit("gpu1", &mut worker).await;
    worker.socket.send(json!({"type": "job_status", "job_id": job, "status": "accepted"})).await;
    assert_eq!(watch.event().await["status"], "accepted");
    // On its own socket it registers again after each client: nobody hears of that.
    worker.socket.send(lab.registration("gpu1", "worker").await).await;
    worker.socket.expect("registered_auth").await;
    worker.socket.reset();
    let away = watch.event().await;
    assert_eq!(
        (&away["type"], &away["job_id"], &away["status"]),
        (&json!("job_status"), &json!(job), &json!("running"))
    );
    assert!(away["message"].as_str().unwrap().contains("lost its connection"), "{away}");
    let mut worker = lab.worker("gpu1").await;
    assert_eq!(watch.event().await["message"], "the worker is connected again");
    worker.socket.send(json!({"type": "job_status", "job_id": job, "status": "running", "epoch": 2})).await;
    assert_eq!(watch.event().await["epoch"], 2);
    let body = json!({"peer_id": "gpu1", "room_id": lab.room.id, "token": lab.room.token});
    assert_eq!(lab.server.post("/delete-peer").json(&body).send().await.status, 200);
    let failed = watch.event().await;
    assert_eq!((&failed["status"], &failed["message"]), (&json!("failed"), &json!("the worker has left")));
}

#[tokio::test]
async fn after_a_restart_a_job_is_watched_and_cancelled_as_before() {
    let folder = {
        let lab = Lab::new().await;
        let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
        let (job, _) = browser.submit("gpu1", &mut worker).await;
        let Lab { server, room, credential } = lab;
        drop((browser, worker));
        (std::sync::Arc::into_inner(server).expect("nobody else has it").stop().await, room, credential, job)
    };
    let (folder, room, credential, job) = folder;
    let server = TestServer::on(folder, |_| {}, |ports| ports).await;
    let lab = Lab { server: server.into(), room, credential };
    let (browser, mut worker) = (lab.browser(), lab.worker("gpu1").await);
    let mut watch = browser.watch(&job).await;
    worker.socket.send(json!({"type": "job_status", "job_id": job, "status": "running", "epoch": 3})).await;
    assert_eq!(watch.event().await["epoch"], 3);
    browser.ok(&format!("/api/jobs/{job}/cancel"), json!({"peer_id": "gpu1"})).await;
    worker.socket.expect("job_cancel").await;
}

/// A room, and somebody who owns it.
struct Lab {
    server: std::sync::Arc<TestServer>,
    room: MadeRoom,
    credential: String,
}

impl Lab {
    async fn new() -> Self {
        Self::on(TestServer::start().await.into()).await
    }

    async fn on(server: std::sync::Arc<TestServer>) -> Self {
        let room = server.room().await;
        let credential = room.maker.sign_in(&server).await;
        Self { server, room, credential }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.server.http, &self.room.id, &self.credential)
    }

    /// A worker of the deployed kind.
    async fn worker(&self, id: &str) -> Peer {
        self.old_peer(id, "worker").await
    }

    async fn old_peer(&self, id: &str, role: &str) -> Peer {
        let fields = fields(id, role);
        Peer::join(&self.server, &self.room, &Installation::of(id), fields).await
    }

    async fn registration(&self, id: &str, role: &str) -> Value {
        let token = Installation::of(id).sign_in(&self.server).await;
        register(&self.room, &token, fields(id, role))
    }

    async fn health(&self) -> Value {
        let reply = Request::new(self.server.http, "GET", "/relay/health").send().await;
        let health = reply.json();
        assert_eq!((reply.status, &health["status"]), (200, &json!("ok")));
        health
    }

    async fn channels(&self) -> u64 {
        self.health().await["channels"].as_u64().unwrap()
    }

    async fn streams(&self) -> u64 {
        self.health().await["total_subscribers"].as_u64().unwrap()
    }
}

fn fields(id: &str, role: &str) -> Value {
    let metadata = json!({"tags": ["sleap-rtc"], "properties": {"status": "available"}});
    json!({"peer_id": id, "role": role, "metadata": metadata, "features": []})
}
