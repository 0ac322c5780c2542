//! ZMQ, from the trainer's side: both sockets connect.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use zeromq::{PubSocket, Socket, SocketRecv, SocketSend, SubSocket};

use super::knobs::Knobs;
use super::say::log;
use super::settings::Settings;

pub(super) struct Messages {
    publisher: Option<PubSocket>,
    controller: Option<SubSocket>,
    deaf: bool,
    /// The subscription of the other side needs a moment to arrive; the real trainer spends seconds between.
    join: Duration,
}

impl Messages {
    /// Nobody need be there.
    pub(super) async fn connect(settings: &Settings, knobs: &Knobs) -> Self {
        let (deaf, join) = (knobs.is_on("DEAF"), knobs.millis("JOIN_MS", 60));
        let mut messages = Self { publisher: None, controller: None, deaf, join };
        if let Some(port) = settings.controller_port {
            let mut socket = SubSocket::new();
            if connected(&mut socket, port).await && socket.subscribe("").await.is_ok() {
                messages.controller = Some(socket);
            }
            log(&format!("Training controller subscribed to: tcp://127.0.0.1:{port} (topic: )"));
        }
        if let Some(port) = settings.publish_port {
            let mut socket = PubSocket::new();
            if connected(&mut socket, port).await {
                messages.publisher = Some(socket);
            }
            log(&format!("ProgressReporterZMQ publishing to tcp://127.0.0.1:{port} for ''"));
        }
        sleep(join).await;
        messages
    }

    /// `fields` after `what`, `event` and `logs`.
    pub(super) async fn send(&mut self, event: &str, logs: Value, fields: &[(&str, u32)]) {
        let Some(publisher) = &mut self.publisher else { return };
        let mut message = json!({"what": "", "event": event, "logs": logs});
        for (name, value) in fields {
            message[*name] = json!(value);
        }
        // Python's json writes numbers that are none as bare words.
        let text = message.to_string().replace("\"NaN\"", "NaN");
        let _ = publisher.send(text.into()).await;
    }

    /// Whether `stop` came, after a look of `patience`.
    pub(super) async fn stopped(&mut self, patience: Duration) -> bool {
        let Some(controller) = &mut self.controller else {
            sleep(patience).await;
            return false;
        };
        let heard = timeout(patience, controller.recv()).await.ok().and_then(Result::ok);
        let text = heard.and_then(|message| message.get(0).map(|frame| String::from_utf8_lossy(frame).into_owned()));
        let stop = text.is_some_and(|text| text.contains("\"stop\"")) && !self.deaf;
        if stop {
            log("Received control message: {'command': 'stop'}");
        }
        stop
    }

    /// What was sent still goes out.
    pub(super) async fn close(self) {
        if let Some(publisher) = self.publisher {
            sleep(self.join).await;
            publisher.close().await;
        }
    }
}

async fn connected(socket: &mut impl Socket, port: u32) -> bool {
    let endpoint = format!("tcp://127.0.0.1:{port}");
    timeout(Duration::from_millis(500), socket.connect(&endpoint)).await.is_ok_and(|result| result.is_ok())
}
