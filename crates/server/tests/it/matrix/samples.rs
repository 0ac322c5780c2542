//! For each route a request that would succeed for whoever may make it.

use serde_json::{Value, json};
use sleap_rtc_server::Route;

use super::callers::Scene;
use crate::rig::{ELSEWHERE, Installation, Reply, Request, TestServer, text};

pub(super) struct Sample {
    method: &'static str,
    path: String,
    credential: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Sample {
    fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), credential: None, headers: Vec::new(), body: Vec::new() }
    }

    fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self
    }

    /// As a form of the server's own page.
    fn form(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.headers.push(("Content-Type", "application/x-www-form-urlencoded".to_owned()));
        self.headers.push(("Sec-Fetch-Site", "same-origin".to_owned()));
        self
    }

    pub(super) fn bearer(mut self, credential: &str) -> Self {
        self.credential = Some(credential.to_owned());
        self
    }

    fn request(self, server: &TestServer) -> Request {
        let mut request = Request::new(server.http, self.method, &self.path).from(ELSEWHERE).body(self.body);
        if let Some(credential) = &self.credential {
            request = request.bearer(credential);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request
    }

    pub(super) async fn send(self, server: &TestServer) -> Reply {
        self.request(server).send().await
    }

    /// Of the answer, which may be one that never ends.
    pub(super) async fn status(self, server: &TestServer) -> u16 {
        self.request(server).status().await
    }
}

/// The request for this route, about what is in the scene.
pub(super) async fn of(server: &TestServer, route: &Route, scene: &Scene) -> Sample {
    let Scene { room, .. } = scene;
    let path = filled(route.path, scene);
    let sample = Sample::new(route.method, path);
    let in_room = json!({"room_id": room});
    let with_worker = |more: Value| {
        let mut body = json!({"room_id": room, "peer_id": scene.worker()});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    match (route.method, route.path) {
        ("POST", "/key-signin") => sample.json(&json!({"public_key": Installation::new().key()})),
        ("POST", "/create-room" | "/api/auth/rooms" | "/admin/rooms") => sample.json(&json!({"name": "another"})),
        ("POST", "/extend-room" | "/delete-peers-and-room") => sample.json(&in_room),
        ("POST", "/delete-peer") => sample.json(&with_worker(json!({}))),
        ("POST", "/identities/cleanup") => sample.json(&json!({"older_than": 1_000_000, "dry_run": true})),
        // Whom it attaches says its body; who calls it must be an account.
        ("POST", "/api/auth/device") => {
            let id_token = Installation::new().sign_in(server).await;
            sample.json(&json!({"id_token": id_token, "device_name": "laptop"}))
        }
        ("POST", "/api/auth/account" | "/admin/accounts") => {
            sample.json(&json!({"username": format!("new-{}", Installation::new().key().member().as_str().replace(':', "-")).get(..20)}))
        }
        ("GET" | "POST", "/login" | "/login/github") => {
            let (state, _) = scene.login(server).await;
            if route.method == "GET" {
                return Sample::new("GET", format!("/login?cli_state={state}"));
            }
            sample.form(format!("cli_state={state}&account_key={}", scene.key))
        }
        ("GET", "/api/auth/cli/poll") => {
            let (state, _) = scene.login(server).await;
            Sample::new("GET", format!("/api/auth/cli/poll?state={state}"))
        }
        ("POST", "/api/auth/cli/deposit") => {
            let (state, _) = scene.login(server).await;
            sample.json(&json!({"state": state, "jwt": scene.owner.token, "user": {}}))
        }
        ("GET", "/api/auth/cli/asking") => {
            let (_, code) = scene.login(server).await;
            Sample::new("GET", format!("/api/auth/cli/asking?code={code}"))
        }
        ("POST", "/api/auth/cli/allow") => {
            let (_, code) = scene.login(server).await;
            sample.json(&json!({"code": code}))
        }
        ("POST", "/api/auth/github/callback") => sample.json(&json!({"code": "c"})),
        ("POST", "/api/auth/account-keys") => sample.json(&json!({"name": "hpc"})),
        ("POST", "/api/auth/public-keys") => {
            sample.json(&json!({"public_key": Installation::new().key(), "device_name": "laptop"}))
        }
        ("PATCH", "/api/auth/rooms/{room_id}") => sample.json(&json!({"name": "renamed"})),
        ("POST", "/api/auth/rooms/join") => {
            let path = format!("/api/auth/rooms/{room}/invite");
            let invited = scene.owner.post(server, &path, &json!({})).await;
            sample.json(&json!({"invite_code": text(&invited.json()["invite_code"])}))
        }
        ("POST", "/api/auth/rooms/{room_id}/verify-otp") => sample.json(&json!({"otp_code": "123456"})),
        ("POST", "/api/auth/token") => sample.json(&json!({"room_id": room, "worker_name": "gpu2"})),
        ("POST", "/api/jobs/submit") => sample.json(&with_worker(json!({"config": {"type": "train"}}))),
        ("POST", "/api/fs/list") => sample.json(&with_worker(json!({"path": "/", "req_id": "r"}))),
        ("POST", "/api/worker/message") => {
            sample.json(&with_worker(json!({"message": {"type": "fs_list_req", "req_id": "r", "path": "/"}})))
        }
        ("POST", "/api/worker/key") => {
            sample.json(&with_worker(json!({"message": {"type": "key_exchange", "session_id": "s", "public_key": "k"}})))
        }
        ("POST", "/api/worker/fs" | "/api/worker/job") => {
            sample.json(&with_worker(json!({"session_id": "s", "nonce": "n", "ciphertext": "c"})))
        }
        ("POST", "/api/jobs/{job_id}/cancel") => {
            let body = with_worker(json!({"config": {"type": "train"}}));
            let submitted = scene.owner.post(server, "/api/jobs/submit", &body).await;
            // Taken already by an earlier caller's sample, the worker has the first one's job.
            let job = submitted.json()["job_id"].as_str().map_or_else(|| scene.job(), str::to_owned);
            scene.set_job(&job);
            Sample::new("POST", format!("/api/jobs/{job}/cancel")).json(&with_worker(json!({})))
        }
        ("POST", "/api/stream-ticket") => {
            sample.json(&json!({"room_id": room, "channel": format!("worker:{}", scene.worker())}))
        }
        ("GET", "/stream/{channel}" | "/relay/stream/{channel}") => {
            let channel = format!("worker%3A{}", scene.worker());
            Sample::new("GET", format!("{}?room_id={room}", route.path.replace("{channel}", &channel)))
        }
        ("GET" | "DELETE", _)
        | ("POST", "/anonymous-signin" | "/api/auth/key-login" | "/api/auth/rooms/{room_id}/invite") => sample,
        _ => panic!("no sample request for {route:?}"),
    }
}

/// The path with what is in the scene.
fn filled(path: &str, scene: &Scene) -> String {
    let token = if path == "/api/auth/tokens/{token_id}" { &scene.old_token } else { &scene.token.1 };
    let key = if path.contains("public-keys") { scene.public_key.as_str() } else { scene.key.as_str() };
    let path = path.replace("{room_id}", &scene.room).replace("{user_id}", &scene.member.id);
    path.replace("{token_id}", token).replace("{key_id}", key)
}

/// The request of somebody who does not know the secret.
pub(super) fn guess(route: &Route, guess: &str, scene: &Scene) -> Sample {
    let sample = Sample::new(route.method, route.path);
    match (route.method, route.path) {
        ("POST", "/login") => sample.form(format!("cli_state={guess}&account_key={}", scene.key)),
        ("POST", "/login/github") => sample.form(format!("cli_state={guess}")),
        ("GET", "/login/github/callback") => Sample::new("GET", format!("{}?code=c&state={guess}", route.path)),
        ("GET", "/api/auth/cli/poll") => Sample::new("GET", format!("{}?state={guess}", route.path)),
        ("POST", "/api/auth/cli/deposit") => {
            sample.json(&json!({"state": guess, "jwt": scene.owner.token, "user": {}}))
        }
        ("POST", "/api/auth/github/callback") => sample.json(&json!({"code": guess})),
        _ => panic!("no request without the secret for {route:?}"),
    }
}
