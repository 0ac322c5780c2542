//! The signaling WebSocket: frames in and out. It decides nothing; a socket that is slow, silent or broken is closed.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_wire::{FromPeer, ToPeer, limits};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use crate::api::io_cause;
use crate::settings::Server;

/// How long opening it may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// A ping of ours goes out so often: it keeps the way through NAT open, and a dead way is found out.
const PING: Duration = Duration::from_secs(20);
/// Without anything from the other side for so long, pongs included, the way is dead.
const SILENCE: Duration = Duration::from_mins(1);
/// How long a closing handshake may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Frames that may wait to be sent. A peer sends a few a minute; a full queue means that the server does not read.
const QUEUE: usize = 256;
/// The close code by which the server says that the same peer has registered on a later connection.
const SUPERSEDED: u16 = 4001;
/// Said of a connection that ends without a word.
const CLOSED: &str = "the server closed the connection";

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a socket says.
#[derive(Debug)]
pub enum SocketEvent {
    /// A frame. One that cannot be read is [`ToPeer::Unknown`].
    Frame(ToPeer),
    /// It is over, for this reason. Nothing follows.
    Closed(Cause),
}

/// An open socket. Dropping it ends it without a word.
pub struct Socket {
    reader: futures_util::stream::SplitStream<Stream>,
    out: mpsc::Sender<Message>,
    writer: JoinHandle<()>,
    heard: Instant,
}

impl Socket {
    /// Opens a socket to the server; the error is for people.
    pub async fn open(server: &Server) -> Result<Self, String> {
        let url = server.websocket();
        // Whoever was first decides; all of this program takes ring.
        rustls::crypto::ring::default_provider().install_default().ok();
        // The defaults touch 128 KiB at the first message; frames are small here.
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .write_buffer_size(0)
            .max_write_buffer_size(2 * limits::FRAME)
            .max_message_size(Some(limits::FRAME))
            .max_frame_size(Some(limits::FRAME));
        let trust = server.trust().of_socket().map_err(|error| format!("{url} cannot be reached: {error}"))?;
        let trust = trust.map(Connector::Rustls);
        let open = connect_async_tls_with_config(url, Some(config), true, trust);
        let (stream, _) = match tokio::time::timeout(OPEN_TIMEOUT, open).await {
            Ok(Ok(open)) => open,
            Ok(Err(error)) => return Err(format!("{url} cannot be reached: {}", cause(&error))),
            Err(_) => return Err(format!("{url} cannot be reached: no answer in time")),
        };
        let (sink, reader) = stream.split();
        let (out, queue) = mpsc::channel(QUEUE);
        let writer = tokio::spawn(write(sink, queue));
        Ok(Self { reader, out, writer, heard: Instant::now() })
    }

    /// Queues a frame. If the queue is full the socket is of no use any more: the next event says so.
    pub fn send(&self, frame: &FromPeer) {
        let text = frame.encode();
        if self.out.try_send(Message::text(text.to_string())).is_err() {
            self.writer.abort();
        }
    }

    /// What comes next. Cancel safe.
    pub async fn next(&mut self) -> SocketEvent {
        loop {
            let silent = self.heard + SILENCE;
            let message = tokio::select! {
                biased;
                message = self.reader.next() => message,
                () = tokio::time::sleep_until(silent) => {
                    return closed("no answer to pings");
                }
                // The writer ends only by a fault or a full queue.
                () = self.out.closed() => return closed("the server does not read"),
            };
            self.heard = Instant::now();
            match message {
                Some(Ok(Message::Text(text))) => return SocketEvent::Frame(read(&text)),
                Some(Ok(Message::Close(frame))) => return SocketEvent::Closed(farewell(frame.as_ref())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return closed(&cause(&error)),
                None => return closed(CLOSED),
            }
        }
    }

    /// Sends what is queued, says goodbye, and waits a moment for the other side to have read it.
    pub async fn close(mut self) {
        let goodbye = async {
            if self.out.send(Message::Close(None)).await.is_ok() {
                while let Some(Ok(_)) = self.reader.next().await {}
            }
        };
        tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await.ok();
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

async fn write(mut sink: futures_util::stream::SplitSink<Stream, Message>, mut queue: mpsc::Receiver<Message>) {
    let mut pings = tokio::time::interval(PING);
    pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let message = tokio::select! {
            biased;
            message = queue.recv() => match message {
                Some(message) => message,
                None => return,
            },
            _ = pings.tick() => Message::Ping(bytes::Bytes::new()),
        };
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

fn read(text: &str) -> ToPeer {
    ToPeer::decode(text).unwrap_or_else(|error| {
        tracing::warn!(%error, bytes = text.len(), "a frame of the server cannot be read");
        ToPeer::Unknown
    })
}

fn closed(why: &str) -> SocketEvent {
    SocketEvent::Closed(Cause::Closed(why.to_owned()))
}

fn farewell(frame: Option<&tungstenite::protocol::CloseFrame>) -> Cause {
    match frame {
        Some(frame) if u16::from(frame.code) == SUPERSEDED => Cause::Replaced,
        Some(frame) if !frame.reason.is_empty() => Cause::Closed(frame.reason.to_string()),
        _ => Cause::Closed(CLOSED.to_owned()),
    }
}

fn cause(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Io(error) => io_cause(error),
        tungstenite::Error::Http(response) => format!("it answers ({}), but not as a WebSocket", response.status()),
        other => other.to_string(),
    }
}
