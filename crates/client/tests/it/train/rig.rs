//! A server, a user's machine and a network, all in this process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sleap_rtc_client::{Config, Controls, TrainError, TrainEvent, TrainOutcome, TrainRequest, train};
use sleap_rtc_link::Connector;
use sleap_rtc_link::memory::Network;
use sleap_rtc_link::webrtc::{self, WebRtcConnector};
use sleap_rtc_peer::api::Api;
use sleap_rtc_peer::env::{Environment, ROOM_ID, ROOM_TOKEN, SERVER};
use sleap_rtc_peer::home::Home;
use sleap_rtc_peer::settings::{Flags, Settings};
use sleap_rtc_server::{ExtraPort, Server};
use sleap_rtc_session::ClientTimes;
use sleap_rtc_wire::RoomId;
use sleap_rtc_wire::http::CreateRoom;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::worker::Files;
use crate::data;

/// What every test has: a server with a room, a network, a user's machine.
pub(crate) struct Lab {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) network: Network,
    /// Links are WebRTC's instead of the network's.
    pub(crate) webrtc: bool,
    pub(crate) room: RoomId,
    pub(crate) token: String,
    /// After how long a worker that is missed counts as lost.
    pub(crate) lost_ms: u64,
    address: SocketAddr,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (network, room) = (Network::new(), RoomId::new("none").unwrap());
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let token = String::new();
        let mut lab = Self { folder, network, webrtc: false, room, token, lost_ms: 600_000, address, running: None };
        lab.start_server().await;
        let api = lab.api();
        let key = Home::at(lab.folder.path().join("owner")).installation_key().unwrap();
        let who = api.sign_in(&key).await.unwrap();
        let made =
            api.create_room(&who.id_token, &CreateRoom { name: Some("pool".to_owned()), ttl: None }).await.unwrap();
        (lab.room, lab.token) = (made.room_id, made.token);
        lab
    }

    /// Starts the server, again at the same address if it was there before.
    pub(crate) async fn start_server(&mut self) {
        let mut config = sleap_rtc_server::Config::new(self.folder.path().join("server"));
        config.http = self.address;
        config.ws = SocketAddr::new(self.address.ip(), 0);
        (config.relay, config.stun) = (ExtraPort::Off, ExtraPort::Off);
        config.room.lost_ms = self.lost_ms;
        let server = Server::bind(config).await.unwrap();
        self.address = server.http_addr;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(async move {
            stopped.await.ok();
        }));
        self.running = Some((stop, task));
    }

    pub(crate) async fn stop_server(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        stop.send(()).unwrap();
        task.await.unwrap();
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(format!("http://{}", self.address).parse().unwrap())
    }

    pub(crate) fn connector(&self) -> Arc<dyn Connector> {
        if self.webrtc {
            Arc::new(WebRtcConnector::new(webrtc::Config::default()))
        } else {
            Arc::new(self.network.connector())
        }
    }

    pub(crate) fn home(&self) -> Home {
        Home::at(self.folder.path().join("laptop"))
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    pub(crate) fn config(&self) -> Config {
        self.config_with(self.room.as_str(), &self.token)
    }

    pub(crate) fn config_with(&self, room: &str, token: &str) -> Config {
        let server = format!("http://{}", self.address);
        let environment = Environment::of([(SERVER, server.as_str()), (ROOM_ID, room), (ROOM_TOKEN, token)]);
        let settings = Settings::load(&Flags::default(), &environment, &self.home(), self.folder.path()).unwrap();
        let mut config = Config::new(self.home(), settings, self.connector());
        config.times = ClientTimes { connect_ms: 10_000, lost_ms: 10_000 };
        config.link_timeout = Duration::from_secs(5);
        config
    }

    pub(crate) fn request(&self) -> TrainRequest {
        TrainRequest {
            labels: data("tiny.pkg.slp"),
            run_name: Some("run".to_owned()),
            models: self.models(),
            ..TrainRequest::default()
        }
    }

    /// What lies in the folder of the models, partial landings and their locks too.
    pub(crate) fn landings(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.models()) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Starts a training.
pub(crate) fn start(config: Config, request: TrainRequest) -> Training {
    // So small that nothing happens before the test has seen what was told.
    let (events, told) = mpsc::channel(1);
    let controls = Controls::new();
    let hand = controls.clone();
    let task = tokio::spawn(async move { train(&config, request, events, hand).await });
    Training { told, controls, task, seen: Vec::new() }
}

/// A training that runs.
pub(crate) struct Training {
    told: mpsc::Receiver<TrainEvent>,
    pub(crate) controls: Controls,
    pub(crate) task: JoinHandle<Result<TrainOutcome, TrainError>>,
    pub(crate) seen: Vec<TrainEvent>,
}

impl Training {
    /// Waits until something is told.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&TrainEvent) -> bool) {
        loop {
            let event = self.told.recv().await.unwrap_or_else(|| panic!("never told; before: {:#?}", self.seen));
            let found = wanted(&event);
            self.seen.push(event);
            if found {
                return;
            }
        }
    }

    /// Waits for the end.
    pub(crate) async fn end(&mut self) -> Result<TrainOutcome, TrainError> {
        while let Some(event) = self.told.recv().await {
            self.seen.push(event);
        }
        (&mut self.task).await.unwrap()
    }

    /// How often something was told.
    pub(crate) fn count(&self, wanted: impl Fn(&TrainEvent) -> bool) -> usize {
        self.seen.iter().filter(|event| wanted(event)).count()
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Files {
    fn walk(root: &Path, folder: &Path, into: &mut Files) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, into);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                into.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut into = Files::new();
    walk(folder, folder, &mut into);
    into
}
