//! The two ZMQ sockets between worker and trainer. The worker binds both before the trainer starts; the trainer connects.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use zeromq::{Endpoint, PubSocket, Socket, SocketRecv, SocketSend, SubSocket};

use super::command::Ports;

/// Messages that may wait for the supervisor; beyond it the trainer's own queue takes them.
const WAITING: usize = 256;

/// The trainer's end hears this once a batch.
const STOP: &str = r#"{"command": "stop"}"#;

/// The worker's ends.
pub(super) struct Messages {
    ports: Ports,
    controller: PubSocket,
    received: mpsc::Receiver<String>,
    reader: JoinHandle<()>,
}

impl Messages {
    /// Binds two free ports of 127.0.0.1.
    pub(super) async fn bind() -> io::Result<Self> {
        let (mut controller, mut progress) = (PubSocket::new(), SubSocket::new());
        let publish = port(progress.bind("tcp://127.0.0.1:0").await)?;
        let controller_port = port(controller.bind("tcp://127.0.0.1:0").await)?;
        progress.subscribe("").await.map_err(io::Error::other)?;
        let (sender, received) = mpsc::channel(WAITING);
        let reader = tokio::spawn(read(progress, sender));
        Ok(Self { ports: Ports { controller: controller_port, publish }, controller, received, reader })
    }

    pub(super) fn ports(&self) -> Ports {
        self.ports
    }

    /// The next message. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<String> {
        self.received.recv().await
    }

    /// Says `stop`. Nobody may be there yet: it must be repeated until it is obeyed.
    pub(super) async fn stop(&mut self) {
        if let Err(error) = self.controller.send(STOP.into()).await {
            tracing::debug!(%error, "cannot send stop to the trainer");
        }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn port(bound: Result<Endpoint, zeromq::ZmqError>) -> io::Result<u16> {
    match bound.map_err(io::Error::other)? {
        Endpoint::Tcp(_, port) => Ok(port),
        other => Err(io::Error::other(format!("bound to {other} instead of a TCP port"))),
    }
}

async fn read(mut progress: SubSocket, sender: mpsc::Sender<String>) {
    loop {
        match progress.recv().await {
            Ok(message) => {
                let Some(frame) = message.get(0) else { continue };
                if sender.send(String::from_utf8_lossy(frame).into_owned()).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // A peer that has gone, or bytes that are no ZMQ; the socket stays bound.
                tracing::debug!(%error, "the trainer's progress socket");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
