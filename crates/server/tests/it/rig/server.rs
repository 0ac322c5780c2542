use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sleap_rtc_server::{Config, ExtraPort, Ports, Server};
use sleap_rtc_wire::MemberId;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::http::HERE;
use super::{Installation, Request};

/// A running server in a temporary folder.
pub(crate) struct TestServer {
    pub(crate) http: SocketAddr,
    pub(crate) ws: SocketAddr,
    pub(crate) folder: Arc<tempfile::TempDir>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

/// A room, as its maker knows it.
pub(crate) struct MadeRoom {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) maker: Installation,
}

/// A program without a key, as the deployed ones are.
pub(crate) struct Anonymous {
    pub(crate) id_token: String,
    pub(crate) username: String,
}

impl Anonymous {
    pub(crate) fn member(&self) -> MemberId {
        MemberId::new(&self.username).unwrap()
    }
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(set: impl FnOnce(&mut Config)) -> Self {
        Self::on(Arc::new(tempfile::tempdir().unwrap()), set, |ports| ports).await
    }

    /// On a folder that another server may have left, over adapters that may be other ones.
    pub(crate) async fn on(
        folder: Arc<tempfile::TempDir>,
        set: impl FnOnce(&mut Config),
        change: impl FnOnce(Ports) -> Ports,
    ) -> Self {
        let config = Self::config(folder.path(), set);
        let ports = change(Ports::embedded(&config.data).unwrap());
        let server = Server::bind_with(config, ports).await.unwrap();
        let (http, ws) = (server.http_addr, server.ws_addr);
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            server
                .serve(async {
                    let _ = stopped.await;
                })
                .await;
        });
        Self { http, ws, folder, stop: Some(stop), served }
    }

    fn config(folder: &Path, set: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::new(folder.join("data"));
        config.http = "127.0.0.1:0".parse().unwrap();
        config.ws = config.http;
        (config.relay, config.stun) = (ExtraPort::Off, ExtraPort::Off);
        config.rates.sign_ins = 100_000;
        config.rates.rooms = 100_000;
        config.rates.accounts = 100_000;
        set(&mut config);
        config
    }

    /// Ends it in order, and keeps its folder.
    pub(crate) async fn stop(mut self) -> Arc<tempfile::TempDir> {
        self.stop.take().unwrap().send(()).unwrap();
        self.served.await.unwrap();
        self.folder
    }

    /// A number that no other call gets.
    pub(crate) fn serial() -> u32 {
        static LAST: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    pub(crate) fn post(&self, path: &str) -> Request {
        Request::new(self.http, "POST", path)
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        Request::new(self.http, "GET", path)
    }

    pub(crate) async fn anonymous(&self) -> Anonymous {
        self.anonymous_from(HERE).await
    }

    pub(crate) async fn anonymous_from(&self, from: IpAddr) -> Anonymous {
        let signed_in = self.post("/anonymous-signin").from(from).send().await.json();
        Anonymous { id_token: text(&signed_in["id_token"]), username: text(&signed_in["username"]) }
    }

    /// A room without a body of this one's, who is not its `maker`: that is an installation which has nothing to do with it.
    pub(crate) async fn ephemeral_room(&self, of: &Anonymous) -> MadeRoom {
        let made = self.post("/create-room").bearer(&of.id_token).send().await.json();
        MadeRoom { id: text(&made["room_id"]), token: text(&made["token"]), maker: Installation::new() }
    }

    /// What is seen of a room by whoever has this credential.
    pub(crate) async fn shown(&self, credential: &str, room: &str) -> Value {
        let reply = self.get(&format!("/rooms/{room}")).bearer(credential).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }

    /// A named room of a fresh installation.
    pub(crate) async fn room(&self) -> MadeRoom {
        self.room_with(json!({"name": "pool"})).await
    }

    pub(crate) async fn room_with(&self, body: Value) -> MadeRoom {
        let maker = Installation::new();
        let token = maker.sign_in(self).await;
        let reply = self.post("/create-room").bearer(&token).json(&body).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let made = reply.json();
        MadeRoom { id: text(&made["room_id"]), token: text(&made["token"]), maker }
    }

    pub(crate) fn admin_secret(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("data/admin.secret")).unwrap().trim().to_owned()
    }

    pub(crate) async fn admin_stats(&self) -> Value {
        self.get("/admin/stats").bearer(&self.admin_secret()).send().await.json()
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Waits until a condition holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < Duration::from_secs(30), "still not: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
