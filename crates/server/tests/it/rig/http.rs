use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Where the tests' callers are, if nothing else is said.
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Another machine.
pub(crate) const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A connection from this address.
pub(crate) async fn connect(to: SocketAddr, from: IpAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// One HTTP request, as plain text: what is sent is what stands here.
pub(crate) struct Request {
    address: SocketAddr,
    from: IpAddr,
    head: String,
    body: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        Self { address, from: HERE, head, body: Vec::new() }
    }

    /// The caller's address.
    pub(crate) fn from(mut self, address: IpAddr) -> Self {
        self.from = address;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.extend([name, ": ", value, "\r\n"]);
        self
    }

    pub(crate) fn bearer(self, credential: &str) -> Self {
        self.header("Authorization", &format!("Bearer {credential}"))
    }

    /// A body without a Content-Type.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    pub(crate) async fn send(self) -> Reply {
        let mut stream = connect(self.address, self.from).await;
        let head = format!("{}Content-Length: {}\r\n\r\n", self.head, self.body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses a body may have closed before it is written.
        let _ = stream.write_all(&self.body).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        Reply::parse(&String::from_utf8(bytes).unwrap())
    }
}

impl Request {
    /// The status alone, of an answer whose body may never end.
    pub(crate) async fn status(self) -> u16 {
        let mut stream = connect(self.address, self.from).await;
        let head = format!("{}Content-Length: {}\r\n\r\n", self.head, self.body.len());
        stream.write_all(&[head.as_bytes(), &self.body].concat()).await.unwrap();
        let mut line = [0; 12];
        stream.read_exact(&mut line).await.unwrap();
        std::str::from_utf8(&line[9..]).unwrap().parse().unwrap()
    }
}

impl Reply {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn has_header(&self, line: &str) -> bool {
        self.head.lines().any(|one| one == line.to_ascii_lowercase())
    }

    /// Status and code of an error, and that its texts are where old programs look.
    pub(crate) fn error(&self) -> (u16, String) {
        let body = self.json();
        let text = body["error"].as_str().expect("error is a text");
        if let Some(detail) = body["detail"].as_str() {
            assert_eq!(detail, text);
        } else {
            assert_eq!(body["detail"][0]["msg"], text);
            assert!(body["detail"][0]["loc"].is_array());
        }
        (self.status, body["code"].as_str().expect("code is a text").to_owned())
    }
}
