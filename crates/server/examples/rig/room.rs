//! A room of a server, and peers that join it.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::Error;
use super::socket::{Socket, connect};

/// A room, and an anonymous identity that may join it under any name.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) address: SocketAddr,
    pub(crate) id: String,
    pub(crate) token: String,
    id_token: String,
}

/// One HTTP call with a JSON body.
pub(crate) async fn post(address: SocketAddr, path: &str, credential: &str, body: &Value) -> Result<Value, Error> {
    let mut stream = TcpStream::connect(address).await?;
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {credential}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
    Ok(serde_json::from_str(body)?)
}

/// A text in a JSON object.
pub(crate) fn text(value: &Value, key: &str) -> Result<String, Error> {
    Ok(value[key].as_str().ok_or_else(|| format!("no {key} in {value}"))?.to_owned())
}

/// The metadata of a usual worker.
pub(crate) fn worker_metadata(name: &str, gpu: &str) -> Value {
    json!({
        "tags": ["sleap-rtc", "training-worker", "inference-worker"],
        "properties": {
            "status": "available", "gpu_memory_mb": 24576, "gpu_model": gpu, "hostname": "gpu-box",
            "sleap_nn_version": "0.1.0", "cuda_version": "12.8", "worker_name": name, "max_concurrent_jobs": 1,
            "supported_models": ["base", "centroid", "topdown"], "supported_job_types": ["training", "inference"],
        },
    })
}

impl Room {
    pub(crate) async fn make(address: SocketAddr) -> Result<Self, Error> {
        let none = json!({});
        let id_token = text(&post(address, "/anonymous-signin", "", &none).await?, "id_token")?;
        let made = post(address, "/create-room", &id_token, &json!({"name": "load"})).await?;
        Ok(Self { address, id: text(&made, "room_id")?, token: text(&made, "token")?, id_token })
    }

    /// For another process.
    pub(crate) fn to_text(&self) -> String {
        format!("{} {} {}", self.id, self.token, self.id_token)
    }

    pub(crate) fn from_text(address: SocketAddr, text: &str) -> Result<Self, Error> {
        let [id, token, id_token] = text.split(' ').collect::<Vec<_>>()[..] else { return Err("no room".into()) };
        Ok(Self { address, id: id.to_owned(), token: token.to_owned(), id_token: id_token.to_owned() })
    }

    pub(crate) async fn join(&self, name: &str, role: &str, metadata: Value) -> Result<Socket, Error> {
        let mut socket = connect(self.address, "/").await?;
        let register = json!({
            "type": "register", "peer_id": name, "role": role, "room_id": self.id, "token": self.token,
            "id_token": self.id_token, "features": ["claims/1"], "metadata": metadata,
        });
        socket.send(Message::text(register.to_string())).await?;
        let answer = socket.next().await.ok_or("closed")??;
        let answer: Value = serde_json::from_str(answer.to_text()?)?;
        if answer["type"] == "registered_auth" { Ok(socket) } else { Err(answer.to_string().into()) }
    }

    /// Peers of a name each, so many at a time.
    pub(crate) async fn join_all(&self, names: Vec<(String, &str)>, at_once: usize) -> Result<Vec<Socket>, Error> {
        let joining = names
            .into_iter()
            .map(|(name, gpu)| async move { self.join(&name, "worker", worker_metadata(&name, gpu)).await });
        let joined: Vec<Result<Socket, Error>> =
            futures_util::stream::iter(joining).buffer_unordered(at_once).collect().await;
        joined.into_iter().collect()
    }
}
