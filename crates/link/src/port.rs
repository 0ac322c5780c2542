//! The port: what the session's shells program against.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{CloseReason, LinkError};

/// Longest control message in bytes. What Python peers send and accept without fragmentation on their side.
pub const MAX_CONTROL_MESSAGE: usize = 64 * 1024;

/// Longest bulk message in bytes. Larger ones gain nothing (measured: CPU for each GiB is the same at 256 KiB).
pub const MAX_BULK_MESSAGE: usize = 64 * 1024;

/// One connection between two peers: two ordered, reliable flows.
#[async_trait]
pub trait Link: Send + Sync + 'static {
    /// Sends one control message (UTF-8 JSON text, 1 byte to [`MAX_CONTROL_MESSAGE`]), ordered among control
    /// messages. Waits for room. Dropped before it answers, the message may or may not be sent.
    async fn send_control(&self, text: String) -> Result<(), LinkError>;

    /// Sends one bulk message (1 byte to [`MAX_BULK_MESSAGE`]), ordered among bulk messages. Waits for room. Dropped
    /// before it answers, the message may or may not be sent.
    async fn send_bulk(&self, data: Bytes) -> Result<(), LinkError>;

    /// The next thing that happened. Cancel safe. After [`LinkEvent::Closed`] it keeps answering that.
    async fn next(&self) -> LinkEvent;

    /// The SHA-256 fingerprints of the certificates seen on both ends of this very connection.
    fn binding(&self) -> Binding;

    /// How the bytes travel.
    fn path(&self) -> PathInfo;

    /// Closes the link; idempotent. What `send_*` accepted before is flushed as far as possible, for a bounded time.
    async fn close(&self);
}

/// What a reader of a link sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// A control message of the peer.
    Control(String),
    /// A bulk message of the peer.
    Bulk(Bytes),
    /// The end, with its reason. Nothing follows.
    Closed(CloseReason),
}

/// Names the two ends of one connection: SHA-256 of the certificate (DER) that each end proved to hold in the
/// handshake. What one side calls `local` the other calls `remote`, unless somebody sits between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Fingerprint of this end.
    pub local: [u8; 32],
    /// Fingerprint of the peer's end.
    pub remote: [u8; 32],
}

/// Which implementation carries a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// Queues within one process.
    Memory,
    /// WebRTC data channels.
    WebRtc,
}

impl PathKind {
    /// The name for logs and screens: `memory` or `webrtc`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::WebRtc => "webrtc",
        }
    }
}

/// How the bytes of a link travel, for logs and screens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathInfo {
    /// Which implementation carries the link.
    pub kind: PathKind,
    /// This end's address on the path, when known.
    pub local: Option<SocketAddr>,
    /// The peer's address on the path, when known.
    pub remote: Option<SocketAddr>,
    /// Whether a relay forwards the bytes (slower) rather than the peers sending to each other directly.
    pub relayed: bool,
    /// Whether the peer opened a bulk channel. Older programs have one channel for everything: then it is the
    /// control channel, and [`Link::send_bulk`] fails with [`LinkError::NoBulkChannel`].
    pub bulk: bool,
    /// Receive buffer of the sockets as the operating system granted it, in bytes, when there are sockets.
    /// Below 4 MiB a link is slower than it could be: on Linux raise `net.core.rmem_max`.
    pub receive_buffer: Option<usize>,
}

/// A server that helps to find a path, as the signaling server tells it: STUN (`stun:HOST:PORT`) or TURN over UDP
/// (`turn:HOST:PORT?transport=udp`). What cannot be used is left out: other schemes, TURN over TCP or without a login.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Addresses of the server.
    pub urls: Vec<String>,
    /// User name for TURN, or empty.
    pub username: String,
    /// Password for TURN, or empty. Never printed.
    pub credential: String,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// Makes links. The offerer opens both channels.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Prepares a link and describes it in an offer that is complete (no candidate follows later). `servers` are asked for a
    /// bounded time; none is needed on one network.
    async fn offer(&self, servers: &[IceServer]) -> Result<Box<dyn OfferedLink>, LinkError>;

    /// Answers a peer's offer, likewise.
    async fn answer(&self, offer_sdp: &str, servers: &[IceServer]) -> Result<Box<dyn AnsweredLink>, LinkError>;
}

/// A link that waits for the peer's answer. Dropping it gives everything back.
#[async_trait]
pub trait OfferedLink: Send {
    /// The offer, to be carried to the peer.
    fn sdp(&self) -> &str;

    /// Takes the peer's answer and waits until the channels are open.
    async fn connect(self: Box<Self>, answer_sdp: &str, timeout: Duration) -> Result<Arc<dyn Link>, LinkError>;
}

/// A link whose answer has still to reach the peer. Dropping it gives everything back.
#[async_trait]
pub trait AnsweredLink: Send {
    /// The answer, to be carried to the peer.
    fn sdp(&self) -> &str;

    /// Waits until the channels are open.
    async fn connected(self: Box<Self>, timeout: Duration) -> Result<Arc<dyn Link>, LinkError>;
}

/// Refuses a message that is empty or longer than `limit`, before anything of it is sent.
pub(crate) fn check_size(len: usize, limit: usize) -> Result<(), LinkError> {
    if (1..=limit).contains(&len) { Ok(()) } else { Err(LinkError::Size { len, limit }) }
}
