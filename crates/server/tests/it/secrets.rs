//! No secret of one peer ever reaches another: not in a frame, a list, an error, nor the log.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::rig::{Account, Installation, MadeRoom, Peer, Socket, TestServer, register, text, worker_by};

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What somebody has shown, and nobody else may see.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, secret: &str) -> String {
        assert!(secret.len() >= 16, "{what} is too short to be looked for: {secret}");
        self.0.push((what, secret.to_owned()));
        secret.to_owned()
    }

    fn are_not_in(&self, place: &str, told: &str) {
        for (what, secret) in &self.0 {
            assert!(!told.contains(secret.as_str()), "{what} is told in {place}: {told}");
        }
    }
}

async fn listed(server: &TestServer, who: &Account, room: &str, token: &str, secrets: &Secrets) {
    let paths = [
        "/rooms".to_owned(),
        format!("/rooms/{room}"),
        "/api/auth/rooms".to_owned(),
        format!("/api/auth/rooms/{room}"),
        format!("/api/auth/rooms/{room}/members"),
        "/api/auth/tokens".to_owned(),
        format!("/api/auth/tokens/{token}/workers"),
        "/api/auth/account".to_owned(),
        "/api/auth/account-keys".to_owned(),
        "/api/auth/public-keys".to_owned(),
        format!("/api/rooms/{room}/workers"),
        format!("/api/rooms/{room}/authorized-keys"),
    ];
    for path in paths {
        let reply = who.get(server, &path).await;
        secrets.are_not_in(&path, &reply.body);
    }
}

#[tokio::test]
async fn no_secret_of_one_peer_reaches_another() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(log.clone());
    // With only one subscriber in the program, what another test's thread logs first would be kept out of the log everywhere.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());
    let _logged = tracing::subscriber::set_default(subscriber.finish());
    let server = TestServer::start().await;
    let mut secrets = Secrets::default();
    secrets.add("the operator's secret", &server.admin_secret());

    let (ana, ben) = (Account::new(&server, "ana").await, Account::new(&server, "ben").await);
    let id = ana.room(&server, "lab").await;
    ben.joins(&server, &id, &ana).await;
    let password = text(&ana.get(&server, &format!("/api/auth/rooms/{id}")).await.json()["token"]);
    let room = MadeRoom { id: id.clone(), token: password, maker: Installation::new() };
    secrets.add("an account's token", &ana.token);
    let key = secrets.add("an account's key", &ana.key(&server).await);
    let (token, token_id) = ana.worker_token(&server, &id, "gpu1").await;
    let token = secrets.add("a worker's token", &token);
    let id_token = secrets.add("a computer's id token", &Installation::new().sign_in(&server).await);
    let anonymous = secrets.add("an anonymous id token", &server.anonymous().await.id_token);
    secrets.add("the room's password", &room.token);

    // Ben listens, from before the others come.
    let mut ben_socket = ben.client(&server, &id, "ben").await;
    let mut ben_worker =
        Peer::join(&server, &room, &ben.computer, json!({"peer_id": "ben-gpu", "role": "worker", "features": []}))
            .await;
    let mut peers: Vec<(&str, Socket)> = vec![("gpu1", worker_by(&server, &token, "gpu1").await)];
    let metadata = json!({"tags": ["sleap-rtc"], "properties": {"status": "available"}});
    for (peer, credential) in [
        ("gpu2", json!({"api_key": key, "room_id": id, "role": "worker"})),
        ("ana", json!({"jwt": ana.token, "room_id": id, "role": "client"})),
        ("gpu3", register(&room, &id_token, json!({"role": "worker"}))),
        ("gpu4", register(&room, &anonymous, json!({"role": "worker", "features": []}))),
    ] {
        let mut frame = json!({"type": "register", "peer_id": peer, "metadata": metadata});
        frame.as_object_mut().unwrap().extend(credential.as_object().unwrap().clone());
        let mut socket = Socket::open(server.ws, "/").await;
        socket.send(frame).await;
        socket.expect("registered_auth").await;
        peers.push((peer, socket));
    }
    // Each does what shows it to others.
    for (peer, socket) in &mut peers {
        socket.send(json!({"type": "update_metadata", "peer_id": peer, "metadata": {"properties": {"x": 1}}})).await;
        socket.expect("metadata_updated").await;
        for to in ["ben", "ben-gpu"] {
            socket
                .send(json!({"type": "peer_message", "from_peer_id": peer, "to_peer_id": to, "payload": "hello"}))
                .await;
        }
    }
    for socket in [&mut ben_socket, &mut ben_worker.socket] {
        for _ in 0..peers.len() {
            let told = socket.text().await;
            assert!(told.contains("hello"), "{told}");
            secrets.are_not_in("a message", &told);
        }
    }
    ben_socket.send(json!({"type": "discover_peers", "from_peer_id": "ben", "filters": {}, "absent": true})).await;
    let list = ben_socket.text().await;
    assert!(list.contains("gpu4") && list.contains(r#""count":6"#), "{list}");
    secrets.are_not_in("a list of peers", &list);
    // Every offence that names something of another's.
    for frame in [
        json!({"type": "update_metadata", "peer_id": "gpu1", "metadata": {"properties": {"x": 2}}}),
        json!({"type": "register", "peer_id": "gpu1", "role": "worker", "room_id": id, "jwt": ben.token}),
        json!({"type": "release", "claim_id": "0123456789abcdef"}),
        json!({"type": "nonsense"}),
    ] {
        ben_socket.send(frame).await;
        secrets.are_not_in("an error", &ben_socket.text().await);
    }

    listed(&server, &ben, &id, &token_id, &secrets).await;
    for path in ["/health", "/ready", "/metrics", "/metrics/prometheus"] {
        secrets.are_not_in(path, &server.get(path).send().await.body);
    }
    let operator = server.admin_secret();
    for path in ["/admin/stats", "/admin/rooms", "/admin/accounts"] {
        secrets.are_not_in(path, &server.get(path).bearer(&operator).send().await.body);
    }
    // What is refused is not quoted: neither to who shows it wrongly, nor in the log.
    for wrong in [format!("{token}x"), format!("{key}x"), format!("{}x", ana.token), format!("{id_token}x")] {
        let reply = server.get("/api/auth/account").bearer(&wrong).send().await;
        secrets.are_not_in("a refusal", &reply.body);
        let mut socket = Socket::open(server.ws, "/").await;
        let frame = json!({"type": "register", "peer_id": "x", "role": "worker", "room_id": id, "api_key": wrong, "jwt": wrong});
        socket.send(frame).await;
        secrets.are_not_in("a refusal", &socket.text().await);
    }
    ana.delete(&server, &format!("/api/auth/token/{token}")).await;
    ana.delete(&server, &format!("/api/auth/account-keys/{key}")).await;
    server.stop().await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("registered") && log.contains(&token_id), "it is logged, by its public name");
    for (what, secret) in &secrets.0 {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None::<&str>, "{what} is in the log");
    }
}
