//! The server, and a room in it.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sleap_rtc_server::{Config, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::Error;
use crate::load::{Pair, Socket, connect};
use crate::process::Process;

/// Peers that join at once.
const AT_ONCE: usize = 50;

/// The server, in a temporary folder, until it is killed.
pub(crate) async fn serve() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let mut config = Config::new(folder.path().join("data"));
    (config.http, config.ws) = ("127.0.0.1:0".parse()?, "127.0.0.1:0".parse()?);
    let server = Server::bind(config).await?;
    println!("{}", server.http_addr);
    server.serve(std::future::pending()).await;
    Ok(())
}

/// A room, and an anonymous identity that may join it under any name.
pub(crate) struct Room {
    address: SocketAddr,
    id: Value,
    token: Value,
    id_token: Value,
}

async fn post(address: SocketAddr, path: &str, credential: &str) -> Result<Value, Error> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {credential}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
    Ok(serde_json::from_str(body)?)
}

impl Room {
    pub(crate) async fn make(server: &Process) -> Result<Self, Error> {
        let address = server.address;
        let id_token = post(address, "/anonymous-signin", "").await?["id_token"].take();
        let mut made = post(address, "/create-room", id_token.as_str().unwrap_or_default()).await?;
        Ok(Self { address, id: made["room_id"].take(), token: made["token"].take(), id_token })
    }

    /// A peer with the metadata of a usual worker.
    pub(crate) async fn join(&self, name: &str, role: &str) -> Result<Socket, Error> {
        let mut socket = connect(self.address, "/").await?;
        let register = json!({
            "type": "register", "peer_id": name, "role": role, "room_id": self.id, "token": self.token,
            "id_token": self.id_token, "features": ["claims/1"],
            "metadata": {
                "tags": ["sleap-rtc", "training-worker", "inference-worker"],
                "properties": {
                    "status": "available", "gpu_memory_mb": 24576, "gpu_model": "NVIDIA RTX A5000", "hostname": "gpu-box",
                    "sleap_nn_version": "0.1.0", "cuda_version": "12.8", "worker_name": name, "max_concurrent_jobs": 1,
                    "supported_models": ["base", "centroid", "topdown"], "supported_job_types": ["training", "inference"],
                },
            },
        });
        socket.send(Message::text(register.to_string())).await?;
        let answer = socket.next().await.ok_or("closed")??;
        let answer: Value = serde_json::from_str(answer.to_text()?)?;
        if answer["type"] == "registered_auth" { Ok(socket) } else { Err(answer.to_string().into()) }
    }

    pub(crate) async fn pair(&self) -> Result<Pair, Error> {
        Ok(Pair { from: self.join("a", "client").await?, to: self.join("b", "worker").await? })
    }

    pub(crate) async fn join_many(&self, peers: usize) -> Result<Vec<Socket>, Error> {
        let names: Vec<String> = (0..peers).map(|n| format!("worker-{n}")).collect();
        let mut sockets = Vec::with_capacity(peers);
        for some in names.chunks(AT_ONCE) {
            sockets
                .extend(futures_util::future::try_join_all(some.iter().map(|name| self.join(name, "worker"))).await?);
        }
        Ok(sockets)
    }
}
