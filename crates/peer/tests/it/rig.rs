//! A server and installations, each in a folder of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use sleap_rtc_peer::api::{Api, SignedIn};
use sleap_rtc_peer::home::Home;
use sleap_rtc_server::{Config, ExtraPort, Server};
use sleap_rtc_session::KeyPair;
use sleap_rtc_wire::http::CreateRoom;
use sleap_rtc_wire::{PeerId, RoomId};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server that can be stopped and started again at the same address.
pub(crate) struct TestServer {
    _folder: tempfile::TempDir,
    data: PathBuf,
    address: SocketAddr,
    change: Box<dyn Fn(&mut Config) + Send + Sync>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings.
    pub(crate) async fn with(change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let mut server = Self { _folder: folder, data, address, change: Box::new(change), running: None };
        server.again().await;
        server
    }

    pub(crate) async fn stop(&mut self) {
        if let Some((stop, task)) = self.running.take() {
            stop.send(()).unwrap();
            task.await.unwrap();
        }
    }

    pub(crate) async fn again(&mut self) {
        let mut config = Config::new(self.data.clone());
        config.http = self.address;
        config.ws = SocketAddr::new(self.address.ip(), 0);
        (config.relay, config.stun) = (ExtraPort::Off, ExtraPort::Off);
        (self.change)(&mut config);
        let server = Server::bind(config).await.unwrap();
        self.address = server.http_addr;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(async move {
            stopped.await.ok();
        }));
        self.running = Some((stop, task));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(self.url().parse().unwrap())
    }

    pub(crate) async fn room(&self) -> Room {
        let owner = Installation::new();
        let who = owner.sign_in(&self.api()).await;
        let named = CreateRoom { name: Some("pool".to_owned()), ttl: None };
        let made = self.api().create_room(&who.id_token, &named).await.unwrap();
        Room { id: made.room_id, token: made.token }
    }
}

pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) token: String,
}

/// One user's machine.
pub(crate) struct Installation {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) key: KeyPair,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = Home::at(folder.path()).installation_key().unwrap();
        Self { folder, key }
    }

    pub(crate) async fn sign_in(&self, api: &Api) -> SignedIn {
        api.sign_in(&self.key).await.unwrap()
    }
}

pub(crate) fn peer(id: &str) -> PeerId {
    PeerId::new(id).unwrap()
}
