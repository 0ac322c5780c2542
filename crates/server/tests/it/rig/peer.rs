use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::http::{HERE, connect};
use super::server::MadeRoom;
use super::{Installation, TestServer};

/// Longer than any answer takes, for tests that would otherwise hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// By which the server says that it lives.
const PING: &str = r#"{"type":"ping"}"#;

/// A signaling socket.
pub(crate) struct Socket(pub(crate) WebSocketStream<TcpStream>);

impl Socket {
    pub(crate) async fn open(address: SocketAddr, path: &str) -> Self {
        Self::open_from(address, path, HERE).await
    }

    /// From another address than the others.
    pub(crate) async fn open_from(address: SocketAddr, path: &str, from: IpAddr) -> Self {
        let stream = connect(address, from).await;
        Self(client_async(format!("ws://{address}{path}"), stream).await.unwrap().0)
    }

    /// Through a proxy at this address, which says for whom it calls.
    pub(crate) async fn open_by(address: SocketAddr, proxy: IpAddr, caller: &str) -> Self {
        let mut request = format!("ws://{address}/").into_client_request().unwrap();
        request.headers_mut().insert("x-forwarded-for", caller.parse().unwrap());
        Self(client_async(request, connect(address, proxy).await).await.unwrap().0)
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// Bytes that no library would write.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// `Err`: the server has closed.
    pub(crate) async fn ping(&mut self) -> Result<(), Error> {
        self.0.send(Message::Ping(Vec::new().into())).await
    }

    /// `Err`: the server has closed.
    pub(crate) async fn try_send_text(&mut self, text: &str) -> Result<(), Error> {
        self.0.send(Message::text(text)).await
    }

    /// The next frame, or the reason why there is none. The server's pings want no answer, and get none here.
    pub(crate) async fn next(&mut self) -> Result<Value, Option<CloseFrame>> {
        timeout(PATIENCE, self.next_but_pings()).await.expect("an answer in time")
    }

    async fn next_but_pings(&mut self) -> Result<Value, Option<CloseFrame>> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) if text == r#"{"type":"ping"}"# => {}
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The text of the next frame but pings, as it came.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            let text = self.any().await;
            if text != PING {
                return text;
            }
        }
    }

    /// The next frame, be it a ping.
    pub(crate) async fn any_text(&mut self) -> Value {
        serde_json::from_str(&self.any().await).unwrap()
    }

    /// Waits for the server's ping.
    pub(crate) async fn next_ping(&mut self) {
        while self.any().await != PING {}
    }

    async fn any(&mut self) -> String {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("an answer in time");
            if let Message::Text(text) = message.expect("a frame").unwrap() {
                return text.as_str().to_owned();
            }
        }
    }

    pub(crate) async fn frame(&mut self) -> Value {
        self.next().await.expect("a frame")
    }

    /// The next frame, which must be of this type.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        let frame = self.frame().await;
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// The next frame, which must be an error: its code and text.
    pub(crate) async fn error(&mut self) -> (String, String) {
        let frame = self.expect("error").await;
        assert_eq!(frame["reason"], frame["message"], "both texts are the same");
        (frame["code"].as_str().unwrap().to_owned(), frame["reason"].as_str().unwrap().to_owned())
    }

    /// Says that it goes, and waits until the server has heard it.
    pub(crate) async fn close(&mut self) {
        self.0.close(None).await.unwrap();
        while self.next().await.is_ok() {}
    }

    /// Ends as a program that dies.
    pub(crate) fn reset(self) {
        self.0.get_ref().set_zero_linger().unwrap();
    }

    /// The code with which the server closes.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Ok(_) => {}
                Err(frame) => return frame.expect("a close frame").code.into(),
            }
        }
    }
}

/// A registered peer.
pub(crate) struct Peer {
    pub(crate) id: String,
    pub(crate) socket: Socket,
    pub(crate) registered: Value,
}

impl Peer {
    pub(crate) async fn worker(server: &TestServer, room: &MadeRoom, id: &str) -> Self {
        let metadata = json!({"tags": ["sleap-rtc"], "properties": {"status": "available", "gpu_memory_mb": 24576}});
        let fields = json!({"peer_id": id, "role": "worker", "metadata": metadata});
        Self::join(server, room, &Installation::of(id), fields).await
    }

    pub(crate) async fn client(server: &TestServer, room: &MadeRoom, id: &str) -> Self {
        Self::join(server, room, &Installation::of(id), json!({"peer_id": id, "role": "client"})).await
    }

    /// Registers with the fields given and those that are missing.
    pub(crate) async fn join(server: &TestServer, room: &MadeRoom, who: &Installation, fields: Value) -> Self {
        Self::join_from(server, room, &who.sign_in(server).await, fields, HERE).await
    }

    /// The same with an id token, and from another address than the others.
    pub(crate) async fn join_from(
        server: &TestServer,
        room: &MadeRoom,
        id_token: &str,
        fields: Value,
        from: IpAddr,
    ) -> Self {
        let mut socket = Socket::open_from(server.ws, "/", from).await;
        let register = register(room, id_token, fields);
        let id = register["peer_id"].as_str().unwrap().to_owned();
        socket.send(register).await;
        let registered = socket.expect("registered_auth").await;
        Self { id, socket, registered }
    }

    pub(crate) async fn discover(&mut self, filters: Value) -> Vec<String> {
        self.socket.send(json!({"type": "discover_peers", "from_peer_id": self.id, "filters": filters})).await;
        let list = self.socket.expect("peer_list").await;
        let ids = list["peers"].as_array().unwrap().iter().map(|peer| peer["peer_id"].as_str().unwrap().to_owned());
        ids.collect()
    }

    pub(crate) async fn say(&mut self, to: &str, payload: Value) {
        let message = json!({"type": "peer_message", "from_peer_id": self.id, "to_peer_id": to, "payload": payload});
        self.socket.send(message).await;
    }
}

/// A `register` frame.
pub(crate) fn register(room: &MadeRoom, id_token: &str, fields: Value) -> Value {
    let mut frame = json!({
        "type": "register",
        "room_id": room.id,
        "token": room.token,
        "id_token": id_token,
        "features": ["claims/1"],
    });
    if let (Value::Object(frame), Value::Object(fields)) = (&mut frame, fields) {
        frame.extend(fields);
    }
    frame
}
