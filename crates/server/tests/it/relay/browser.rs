//! What a browser does: calls with a credential, and streams that show a ticket.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::rig::{HERE, Peer, Reply, Request, connect, text};

/// Longer than any answer takes, for tests that would otherwise hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody who has opened a room's page.
pub(super) struct Browser {
    address: SocketAddr,
    room: String,
    credential: String,
}

impl Browser {
    pub(super) fn new(address: SocketAddr, room: &str, credential: &str) -> Self {
        Self { address, room: room.to_owned(), credential: credential.to_owned() }
    }

    /// Calls with this body and the room.
    pub(super) async fn post(&self, path: &str, mut body: Value) -> Reply {
        body["room_id"] = json!(self.room);
        Request::new(self.address, "POST", path).bearer(&self.credential).json(&body).send().await
    }

    /// The answer to a call that must succeed.
    pub(super) async fn ok(&self, path: &str, body: Value) -> Value {
        let reply = self.post(path, body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }

    pub(super) async fn ticket(&self, channel: &str) -> String {
        text(&self.ok("/api/stream-ticket", json!({"channel": channel})).await["ticket"])
    }

    /// A stream of this channel, by a ticket.
    pub(super) async fn watch(&self, channel: &str) -> Events {
        let ticket = self.ticket(channel).await;
        self.open(&format!("/stream/{channel}?ticket={ticket}")).await
    }

    /// A stream without a credential.
    pub(super) async fn open(&self, path: &str) -> Events {
        self.open_as(path, None).await
    }

    pub(super) async fn open_as(&self, path: &str, credential: Option<&str>) -> Events {
        let mut stream = connect(self.address, HERE).await;
        let shown = credential.map(|shown| format!("Authorization: Bearer {shown}\r\n")).unwrap_or_default();
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{shown}\r\n", self.address);
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).await.unwrap(), 0, "no answer: {head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        Events { head: head.to_ascii_lowercase().replace("\r\n", "\n"), stream, read: String::new() }
    }

    /// Gives the worker a job: its id, and its stream behind the first event, which says so.
    pub(super) async fn submit(&self, peer: &str, worker: &mut Peer) -> (String, Events) {
        let config = json!({"type": "train", "config_content": "a: 1", "labels_path": "/data/a.slp"});
        let answer = self.ok("/api/jobs/submit", json!({"peer_id": peer, "config": config})).await;
        let job = text(&answer["job_id"]);
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        assert!(job.strip_prefix("job_").is_some_and(|id| id.len() == 8 && id.chars().all(is_hex)), "{job}");
        let assigned = worker.socket.expect("job_assigned").await;
        assert_eq!((&assigned["job_id"], &assigned["config"]), (&json!(job), &config));
        assert!(assigned["submitted_by"].is_string());
        let mut events = self.watch(&job).await;
        let first = json!({"type": "status", "status": "submitted", "job_id": job, "worker_peer_id": peer});
        assert_eq!(events.event().await, first);
        (job, events)
    }
}

/// A stream that is read.
pub(super) struct Events {
    pub(super) head: String,
    stream: BufReader<TcpStream>,
    read: String,
}

impl Events {
    /// The next event or comment, as it stands there. `None`: the stream has ended or is cut off.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.find("\n\n") {
                let rest = self.read.split_off(end + 2);
                return Some(std::mem::replace(&mut self.read, rest));
            }
            let chunk = self.chunk().await?;
            self.read.push_str(&chunk);
        }
    }

    /// One chunk of the body.
    async fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        self.stream.read_line(&mut size).await.ok()?;
        let size = usize::from_str_radix(size.trim_end(), 16).ok().filter(|size| *size > 0)?;
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk).await.ok()?;
        chunk.truncate(size);
        Some(String::from_utf8(chunk).unwrap())
    }

    pub(super) async fn raw(&mut self) -> String {
        timeout(PATIENCE, self.next()).await.expect("an event in time").expect("an event")
    }

    /// The next event without its time, which must be there.
    pub(super) async fn event(&mut self) -> Value {
        let event = loop {
            let raw = self.raw().await;
            if !raw.starts_with(':') {
                break raw;
            }
        };
        let line = event.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n")).expect(&event);
        let mut value: Value = serde_json::from_str(line).unwrap();
        assert!(value.as_object_mut().unwrap().remove("_ts").is_some_and(|time| time.is_f64()), "{event}");
        value
    }

    /// How many events come before the end.
    pub(super) async fn read_to_end(&mut self) -> usize {
        let read = async {
            let mut events = 0;
            while let Some(event) = self.next().await {
                events += usize::from(!event.starts_with(':'));
            }
            events
        };
        timeout(PATIENCE, read).await.expect("an end in time")
    }
}
