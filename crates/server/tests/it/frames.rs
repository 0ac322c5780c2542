//! A stranger gets nothing: every frame, from everybody who may not send it, and what comes of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sleap_rtc_wire::signal::{MeshKind, RelayKind, ReportKind};
use sleap_rtc_wire::{FromPeer, Text};

use crate::rig::{Account, Installation, MadeRoom, Peer, Socket, TestServer};

/// Every sort of frame by name: a new one does not compile until it stands here.
fn name(frame: &FromPeer) -> &'static str {
    match frame {
        FromPeer::Register(_) => "register",
        FromPeer::DiscoverPeers(_) => "discover_peers",
        FromPeer::UpdateMetadata(_) => "update_metadata",
        FromPeer::Claim(_) => "claim",
        FromPeer::Release(_) => "release",
        FromPeer::Withdraw(_) => "withdraw",
        FromPeer::ClaimUsed(_) => "claim_used",
        FromPeer::ClaimReleased(_) => "claim_released",
        FromPeer::Leave => "leave",
        FromPeer::Ping => "ping",
        FromPeer::Pong => "pong",
        FromPeer::Relay(relay) => match relay.kind {
            RelayKind::PeerMessage => "peer_message",
            RelayKind::Offer => "offer",
            RelayKind::Answer => "answer",
            RelayKind::Candidate => "candidate",
            RelayKind::Error => "error",
        },
        FromPeer::Report(report) => match report.kind {
            ReportKind::FsList => "fs_list_res",
            ReportKind::PathOk => "worker_path_ok",
            ReportKind::PathError => "worker_path_error",
            ReportKind::CheckVideos => "fs_check_videos_response",
            ReportKind::KeyExchange => "key_exchange_response",
            ReportKind::JobStatus => "job_status",
            ReportKind::JobProgress => "job_progress",
            ReportKind::Encrypted => "encrypted_relay",
        },
        FromPeer::Mesh(mesh) => match mesh.kind {
            MeshKind::Connect => "mesh_connect",
            MeshKind::Answer => "mesh_answer",
            MeshKind::Candidate => "ice_candidate",
        },
    }
}

/// How many names [`name`] has.
const SORTS: usize = 27;

/// A frame of every sort, from one peer about another.
fn frames(from: &str, to: &str, claim: &Value) -> Vec<Value> {
    let job = json!({"job_id": "job_1", "status": "complete"});
    let report = |kind: &str| {
        let mut frame = job.clone();
        frame["type"] = json!(kind);
        frame
    };
    let reports = [
        "fs_list_res",
        "worker_path_ok",
        "worker_path_error",
        "fs_check_videos_response",
        "key_exchange_response",
        "job_status",
        "job_progress",
        "encrypted_relay",
    ];
    let ended = json!({"claim_id": claim["claim_id"], "fence": claim["fence"], "outcome": "completed"});
    let of_claim = |kind: &str| {
        let mut frame = ended.clone();
        frame["type"] = json!(kind);
        frame
    };
    let mut frames = vec![
        json!({"type": "discover_peers", "from_peer_id": from}),
        json!({"type": "update_metadata", "peer_id": from, "metadata": {"properties": {"stolen": true}}}),
        json!({"type": "claim", "request_id": "theirs", "job_id": "stolen"}),
        of_claim("release"),
        json!({"type": "withdraw", "request_id": claim["request_id"]}),
        of_claim("claim_used"),
        of_claim("claim_released"),
        json!({"type": "ping"}),
        json!({"type": "pong"}),
        json!({"type": "peer_message", "from_peer_id": from, "to_peer_id": to, "payload": "psst"}),
        json!({"type": "offer", "sender": from, "target": to, "sdp": "psst"}),
        json!({"type": "answer", "sender": from, "target": to, "sdp": "psst"}),
        json!({"type": "candidate", "sender": from, "target": to, "candidate": "psst"}),
        json!({"type": "error", "sender": from, "target": to, "reason": "psst"}),
        json!({"type": "mesh_connect", "from_peer_id": from, "target_peer_id": to, "offer": {"sdp": "psst"}}),
        json!({"type": "mesh_answer", "from_peer_id": from, "target_peer_id": to, "answer": {"sdp": "psst"}}),
        json!({"type": "ice_candidate", "from_peer_id": from, "target_peer_id": to, "candidate": {"x": "psst"}}),
    ];
    frames.extend(reports.map(report));
    frames
}

/// What ends a connection or moves it comes last, and is looked at on its own.
fn last_frames() -> [Value; 2] {
    [json!({"type": "register", "peer_id": "x"}), json!({"type": "leave"})]
}

#[test]
fn there_is_a_sample_of_every_sort() {
    let claim = json!({"claim_id": "0123456789abcdef", "fence": 1, "request_id": "r"});
    let all = frames("a", "b", &claim).into_iter().chain(last_frames());
    let names: BTreeSet<_> = all
        .map(|frame| {
            let decoded = FromPeer::decode(&Text::from(frame.to_string()));
            let decoded = decoded.unwrap_or_else(|error| panic!("{error}: {frame}"));
            assert_eq!(name(&decoded), frame["type"]);
            name(&decoded)
        })
        .collect();
    assert_eq!(names.len(), SORTS);
}

/// A room with a worker that a client has claimed, one with a worker of the deployed kind, and a client.
struct Pool {
    room: MadeRoom,
    worker: Peer,
    old: Peer,
    client: Peer,
    claim: Value,
}

impl Pool {
    async fn new(server: &TestServer, mesh: &str) -> Self {
        let owner = Account::new(server, &format!("ana-{mesh}-{}", TestServer::serial())).await;
        let id = owner.room(server, "pool").await;
        let changed = owner.patch(server, &format!("/api/auth/rooms/{id}"), &json!({"mesh": mesh})).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let token = crate::rig::text(&owner.get(server, &format!("/api/auth/rooms/{id}")).await.json()["token"]);
        let room = MadeRoom { id, token, maker: owner.computer };
        let old = json!({"peer_id": "old", "role": "worker", "features": [], "metadata": {"properties": {"status": "available"}}});
        let old = Peer::join(server, &room, &Installation::new(), old).await;
        let mut worker = Peer::worker(server, &room, "gpu1").await;
        let mut client = Peer::client(server, &room, "laptop").await;
        let asks = json!({"type": "claim", "request_id": "mine", "job_id": "job-1"});
        client.socket.send(asks).await;
        let mut claim = worker.socket.expect("claim_granted").await;
        claim["request_id"] = client.socket.expect("claimed").await["request_id"].clone();
        Self { room, worker, old, client, claim }
    }

    /// That none of the peers has been told anything, and that the worker is as it was.
    async fn is_untouched(&mut self, after: &Value) {
        for peer in [&mut self.worker, &mut self.old, &mut self.client] {
            let id = peer.id.clone();
            peer.socket
                .send(
                    json!({"type": "discover_peers", "from_peer_id": id, "filters": {"properties": {"stolen": true}}}),
                )
                .await;
            let next = peer.socket.frame().await;
            assert_eq!(
                (&next["type"], &next["count"]),
                (&json!("peer_list"), &json!(0)),
                "{id} was told after {after}"
            );
        }
    }

    /// That the claim is the client's still.
    async fn claim_is_good(&mut self) {
        let ended = json!({"type": "release", "claim_id": self.claim["claim_id"]});
        self.client.socket.send(ended).await;
        assert_eq!(self.worker.socket.expect("claim_ended").await["claim_id"], self.claim["claim_id"]);
    }
}

/// Sends a frame and says what is answered. What is sent behind it is answered in any case, so that nothing is waited for in vain.
async fn answers(socket: &mut Socket, frame: &Value) -> Vec<Value> {
    socket.send(frame.clone()).await;
    socket.send(json!({"type": "so far"})).await;
    let mut answers = Vec::new();
    loop {
        let answer = socket.frame().await;
        if answer["reason"] == "Unknown message type: so far" {
            return answers;
        }
        answers.push(answer);
    }
}

fn codes(answers: &[Value]) -> Vec<&str> {
    answers.iter().map(|answer| answer["code"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))).collect()
}

/// Those that are never answered by an error: old programs expect silence, and no error answers an error.
const SILENT: [&str; 6] = ["offer", "answer", "candidate", "error", "ping", "pong"];

/// Those that name their sender, and are answered where that is somebody else.
const SPOKEN_FOR: [&str; 6] = ["peer_message", "offer", "answer", "candidate", "discover_peers", "update_metadata"];

#[tokio::test]
async fn who_has_not_registered_is_told_nothing_and_heard_by_nobody() {
    let server = TestServer::start().await;
    for mesh in ["off", "reference"] {
        let mut pool = Pool::new(&server, mesh).await;
        let mut stranger = Socket::open(server.ws, "/").await;
        for frame in frames("laptop", "gpu1", &pool.claim).into_iter().chain(last_frames()) {
            let answers = answers(&mut stranger, &frame).await;
            let kind = frame["type"].as_str().unwrap();
            match kind {
                "register" => assert_eq!(codes(&answers), ["AUTH_FAILED"]),
                kind if SILENT.contains(&kind) => assert!(answers.is_empty(), "{frame}: {answers:?}"),
                _ => assert!(codes(&answers).iter().all(|code| *code == "NOT_IN_ROOM"), "{frame}: {answers:?}"),
            }
            pool.is_untouched(&frame).await;
        }
        pool.claim_is_good().await;
    }
}

#[tokio::test]
async fn a_peer_of_another_room_reaches_nobody_here() {
    let server = TestServer::start().await;
    for mesh in ["off", "reference"] {
        let mut pool = Pool::new(&server, mesh).await;
        let elsewhere = server.room().await;
        for role in ["client", "worker"] {
            let fields = json!({"peer_id": "eve", "role": role});
            let mut eve = Peer::join(&server, &elsewhere, &Installation::new(), fields).await;
            for frame in frames("eve", "gpu1", &pool.claim) {
                answers(&mut eve.socket, &frame).await;
                pool.is_untouched(&frame).await;
            }
        }
        pool.claim_is_good().await;
    }
}

#[tokio::test]
async fn nobody_speaks_as_another_or_ends_what_is_anothers() {
    let server = TestServer::start().await;
    for mesh in ["off", "reference"] {
        let mut pool = Pool::new(&server, mesh).await;
        for role in ["client", "worker"] {
            let fields = json!({"peer_id": "eve", "role": role, "features": []});
            let mut eve = Peer::join(&server, &pool.room, &Installation::new(), fields).await;
            // A mesh tells its members who has come.
            if mesh == "reference" && role == "worker" {
                pool.forget_what_was_told().await;
            }
            for frame in frames("laptop", "old", &pool.claim).into_iter().chain(frames("gpu1", "laptop", &pool.claim)) {
                // Asking for a worker is nobody else's business.
                if frame["type"] == "claim" {
                    continue;
                }
                let answers = answers(&mut eve.socket, &frame).await;
                let kind = frame["type"].as_str().unwrap();
                assert!(answers.iter().all(|one| one["type"] == "error"), "{frame}: {answers:?}");
                // A deployed worker that does not lead its mesh ends itself at any error.
                let is_led = mesh == "reference" && role == "worker";
                if is_led {
                    assert!(answers.is_empty(), "{frame}: {answers:?}");
                } else if SPOKEN_FOR.contains(&kind) {
                    assert_eq!(codes(&answers), ["FORBIDDEN"], "{frame} by a {role}, mesh {mesh}");
                }
                pool.is_untouched(&frame).await;
            }
        }
        pool.claim_is_good().await;
    }
}

#[tokio::test]
async fn a_peer_that_means_itself_reaches_nobody_else() {
    let server = TestServer::start().await;
    let mut pool = Pool::new(&server, "off").await;
    let mut eve =
        Peer::join(&server, &pool.room, &Installation::new(), json!({"peer_id": "eve", "role": "client"})).await;
    for frame in frames("eve", "eve", &pool.claim) {
        // It may say of itself what it likes.
        if frame["type"] == "update_metadata" {
            continue;
        }
        let answers = answers(&mut eve.socket, &frame).await;
        if frame["type"] == "error" {
            assert!(answers.is_empty(), "no error comes back to who sent it: {answers:?}");
        }
        pool.is_untouched(&frame).await;
    }
    pool.claim_is_good().await;
}

impl Pool {
    async fn forget_what_was_told(&mut self) {
        for peer in [&mut self.worker, &mut self.old, &mut self.client] {
            answers(&mut peer.socket, &json!({"type": "pong"})).await;
        }
    }
}

#[tokio::test]
async fn hazard_02_a_worker_gets_errors_about_its_own_frames_and_no_others() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let fields = |id: &str, role: &str| json!({"peer_id": id, "role": role, "features": []});
    let mut worker = Peer::join(&server, &room, &Installation::new(), fields("gpu1", "worker")).await;
    let mut other = Peer::join(&server, &room, &Installation::new(), fields("gpu2", "worker")).await;
    let mut client = Peer::join(&server, &room, &Installation::new(), fields("laptop", "client")).await;
    // What goes wrong for others does not reach it, nor does an error that is sent to it.
    for sender in [&mut client, &mut other] {
        let id = sender.id.clone();
        for frame in [
            json!({"type": "error", "sender": id, "target": "gpu1", "reason": "worker_busy"}),
            json!({"type": "error", "target": "gpu1", "reason": "worker_busy"}),
            json!({"type": "peer_message", "from_peer_id": id, "to_peer_id": "nobody", "payload": 1}),
            json!({"type": "peer_message", "from_peer_id": "gpu1", "to_peer_id": id, "payload": 1}),
            json!({"type": "offer", "sender": "gpu1", "target": "gpu1", "sdp": "x"}),
        ] {
            answers(&mut sender.socket, &frame).await;
        }
    }
    assert_eq!(answers(&mut worker.socket, &json!({"type": "pong"})).await, [Value::Null; 0]);
    // A worker's own error goes to its client, who is not answered and answers nothing.
    let busy = json!({"type": "error", "target": "laptop", "reason": "worker_busy"});
    assert_eq!(answers(&mut worker.socket, &busy).await, [Value::Null; 0]);
    assert_eq!(client.socket.expect("error").await, busy);
    // About its own.
    let own = json!({"type": "peer_message", "from_peer_id": "gpu1", "to_peer_id": "nobody", "payload": 1});
    assert_eq!(codes(&answers(&mut worker.socket, &own).await), ["PEER_NOT_FOUND"]);
}

#[tokio::test]
async fn hazard_03_a_client_gets_nothing_that_it_did_not_ask_for() {
    let server = TestServer::with(|config| config.room.ping_ms = 20).await;
    for mesh in ["off", "reference"] {
        let mut pool = Pool::new(&server, mesh).await;
        let old = json!({"peer_id": "tui", "role": "client", "features": []});
        let mut client = Peer::join(&server, &pool.room, &Installation::new(), old.clone()).await;
        // Others come, change, serve and go.
        let worker = json!({"peer_id": "gpu9", "role": "worker", "features": []});
        let mut worker = Peer::join(&server, &pool.room, &Installation::new(), worker).await;
        let update =
            json!({"type": "update_metadata", "peer_id": "gpu9", "metadata": {"properties": {"status": "reserved"}}});
        worker.socket.send(update).await;
        worker.socket.expect("metadata_updated").await;
        worker.socket.send(json!({"type": "job_status", "job_id": "j", "status": "running"})).await;
        pool.claim_is_good().await;
        worker.socket.next_ping().await;
        worker.socket.close().await;
        let body = json!({"room_id": pool.room.id, "token": pool.room.token});
        assert_eq!(server.post("/extend-room").json(&body).send().await.status, 200);
        client.socket.send(json!({"type": "discover_peers", "from_peer_id": "tui"})).await;
        assert_eq!(client.socket.any_text().await["type"], "peer_list", "not even a ping");
    }
}
