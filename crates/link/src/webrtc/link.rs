//! The link over open data channels.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};
use ::webrtc::error::Error;
use ::webrtc::peer_connection::{RTCIceCandidate, RTCIceCandidateType};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::sync::{Mutex, OnceCell, watch};

use super::peer::{Peer, stack};
use crate::error::{CloseReason, LinkError};
use crate::port::{Binding, Link, LinkEvent, MAX_BULK_MESSAGE, MAX_CONTROL_MESSAGE, PathInfo, PathKind, check_size};

/// How long a close waits for the peer to take what was sent before.
const CLOSING: Duration = Duration::from_secs(5);

/// How often a close looks whether a peer without our way to say goodbye has acknowledged everything.
const ACKNOWLEDGED: Duration = Duration::from_millis(10);

/// The channels of a link.
pub(super) enum Flows {
    /// Between our own peers.
    Both {
        /// Text messages.
        control: Arc<dyn DataChannel>,
        /// Binary messages.
        bulk: Arc<dyn DataChannel>,
    },
    /// Of an older program: one channel for text and binary messages.
    Single(Arc<dyn DataChannel>),
}

impl Flows {
    fn control(&self) -> &dyn DataChannel {
        match self {
            Self::Both { control, .. } => &**control,
            Self::Single(channel) => &**channel,
        }
    }

    fn bulk(&self) -> Option<&dyn DataChannel> {
        match self {
            Self::Both { bulk, .. } => Some(&**bulk),
            Self::Single(_) => None,
        }
    }
}

/// On which channels the peer has said goodbye. Held by the one reader.
#[derive(Default)]
struct Goodbyes {
    control: bool,
    bulk: bool,
}

/// What one event of a channel means.
enum Step {
    Event(LinkEvent),
    Goodbye,
    Nothing,
}

/// A link over WebRTC data channels.
pub(super) struct WebRtcLink {
    flows: Flows,
    binding: Binding,
    path: PathInfo,
    /// Set once.
    ended: watch::Sender<Option<CloseReason>>,
    reader: Mutex<Goodbyes>,
    closed: OnceCell<()>,
    /// Last: dropping it closes the connection.
    peer: Peer,
}

impl WebRtcLink {
    pub(super) async fn new(peer: Peer, flows: Flows, binding: Binding) -> Self {
        let path = path(&peer, flows.bulk().is_some()).await;
        tracing::debug!(local = ?path.local, remote = ?path.remote, relayed = path.relayed, bulk = path.bulk, "linked");
        Self {
            flows,
            binding,
            path,
            ended: watch::Sender::new(None),
            reader: Mutex::default(),
            closed: OnceCell::new(),
            peer,
        }
    }

    /// Ends the link with `reason`, unless it has ended. Answers whether this call did it.
    fn end(&self, reason: CloseReason) -> bool {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(reason);
            first
        })
    }

    fn reason(&self) -> Option<CloseReason> {
        self.ended.borrow().clone()
    }

    /// Waits until the link has ended.
    async fn until_ended(&self) -> CloseReason {
        let mut ended = self.ended.subscribe();
        match ended.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            Ok(None) | Err(_) => CloseReason::Lost,
        }
    }

    /// Sends, unless the link ends first.
    async fn send(&self, sending: impl Future<Output = Result<(), Error>>) -> Result<(), LinkError> {
        let sent = tokio::select! {
            biased;
            reason = self.until_ended() => return Err(LinkError::Closed(reason)),
            reason = self.peer.broken() => return Err(LinkError::Closed(reason)),
            sent = sending => sent,
        };
        sent.map_err(|error| match error {
            Error::ErrDataChannelClosed => LinkError::Closed(self.reason().unwrap_or(CloseReason::Lost)),
            error => stack(error),
        })
    }

    /// Waits for the next event of either channel that is still open, control first. Cancel safe: the stack's
    /// `poll` takes an event without waiting afterwards.
    async fn step(&self, goodbyes: &mut Goodbyes) -> Step {
        let bulk = async {
            match self.flows.bulk() {
                Some(bulk) if !goodbyes.bulk => bulk.poll().await,
                _ => std::future::pending().await,
            }
        };
        let (event, control) = tokio::select! {
            biased;
            event = self.flows.control().poll(), if !goodbyes.control => (event, true),
            event = bulk => (event, false),
            // After what has arrived already.
            reason = self.peer.broken() => return Step::Event(LinkEvent::Closed(reason)),
        };
        let step = match event {
            Some(DataChannelEvent::OnMessage(message)) => self.read(message, control),
            Some(DataChannelEvent::OnClose) | None => Step::Event(LinkEvent::Closed(self.hung_up())),
            Some(_) => Step::Nothing,
        };
        if matches!(step, Step::Goodbye) {
            *(if control { &mut goodbyes.control } else { &mut goodbyes.bulk }) = true;
        }
        step
    }

    /// What a channel's end without a goodbye means: an older program knows no other way.
    fn hung_up(&self) -> CloseReason {
        match self.flows {
            Flows::Both { .. } => CloseReason::Lost,
            Flows::Single(_) => CloseReason::ByPeer,
        }
    }

    fn read(&self, message: RTCDataChannelMessage, control: bool) -> Step {
        let single = self.flows.bulk().is_none();
        if message.data.is_empty() {
            return if single { Step::Nothing } else { Step::Goodbye };
        }
        if !message.is_string && (single || !control) {
            return Step::Event(LinkEvent::Bulk(message.data.freeze()));
        }
        if message.is_string != control {
            return misuse("text on the bulk channel, or bytes on the control channel");
        }
        match String::from_utf8(Vec::from(message.data)) {
            Ok(text) => Step::Event(LinkEvent::Control(text)),
            Err(_) => misuse("a control message that is not UTF-8"),
        }
    }

    /// Tells the peer that nothing follows, and waits until it has taken everything.
    async fn say_goodbye(&self) {
        match &self.flows {
            Flows::Both { control, bulk } => {
                let said = async {
                    let (control, bulk) = tokio::join!(control.send_text(""), bulk.send(BytesMut::new()));
                    if let Err(error) = control.and(bulk) {
                        tracing::debug!(%error, "saying goodbye");
                    }
                };
                tokio::join!(said, self.drain());
            }
            Flows::Single(channel) => {
                while channel.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
                    tokio::time::sleep(ACKNOWLEDGED).await;
                }
            }
        }
    }

    /// Reads and drops what still comes, so that the peer is not stuck sending, until it says goodbye as well.
    async fn drain(&self) {
        let mut goodbyes = self.reader.lock().await;
        while !(goodbyes.control && goodbyes.bulk) {
            if let Step::Event(LinkEvent::Closed(_)) = self.step(&mut goodbyes).await {
                return;
            }
        }
    }
}

fn misuse(what: &str) -> Step {
    Step::Event(LinkEvent::Closed(CloseReason::Misuse(what.into())))
}

#[async_trait]
impl Link for WebRtcLink {
    async fn send_control(&self, text: String) -> Result<(), LinkError> {
        check_size(text.len(), MAX_CONTROL_MESSAGE)?;
        self.send(self.flows.control().send_text(&text)).await
    }

    async fn send_bulk(&self, data: Bytes) -> Result<(), LinkError> {
        check_size(data.len(), MAX_BULK_MESSAGE)?;
        let bulk = self.flows.bulk().ok_or(LinkError::NoBulkChannel)?;
        self.send(bulk.send(BytesMut::from(data))).await
    }

    async fn next(&self) -> LinkEvent {
        let mut goodbyes = tokio::select! {
            biased;
            reason = self.until_ended() => return LinkEvent::Closed(reason),
            goodbyes = self.reader.lock() => goodbyes,
        };
        loop {
            let step = tokio::select! {
                biased;
                reason = self.until_ended() => return LinkEvent::Closed(reason),
                step = self.step(&mut goodbyes) => step,
            };
            let end = match step {
                Step::Event(LinkEvent::Closed(reason)) => reason,
                Step::Event(event) => return event,
                Step::Goodbye if goodbyes.control && goodbyes.bulk => CloseReason::ByPeer,
                Step::Goodbye | Step::Nothing => continue,
            };
            self.end(end);
            self.peer.close_soon();
        }
    }

    fn binding(&self) -> Binding {
        self.binding
    }

    fn path(&self) -> PathInfo {
        self.path.clone()
    }

    async fn close(&self) {
        let closing = async {
            if self.end(CloseReason::ByUs) && tokio::time::timeout(CLOSING, self.say_goodbye()).await.is_err() {
                tracing::debug!("the peer did not take everything before the link was closed");
            }
            self.peer.close().await;
        };
        self.closed.get_or_init(|| closing).await;
    }
}

/// The path as ICE chose it when the channels opened.
async fn path(peer: &Peer, bulk: bool) -> PathInfo {
    let pair = match peer.pc.sctp().await {
        Some(sctp) => sctp.transport().ice_transport().get_selected_candidate_pair().await.ok().flatten(),
        None => None,
    };
    let ends = pair.as_ref().map(|pair| (pair.local(), pair.remote()));
    PathInfo {
        kind: PathKind::WebRtc,
        local: ends.and_then(|(local, _)| address(local)),
        remote: ends.and_then(|(_, remote)| address(remote)),
        relayed: ends
            .is_some_and(|(local, remote)| [local, remote].iter().any(|c| c.typ == RTCIceCandidateType::Relay)),
        bulk,
        receive_buffer: Some(peer.buffers.granted),
    }
}

fn address(candidate: &RTCIceCandidate) -> Option<SocketAddr> {
    Some(SocketAddr::new(candidate.address.parse().ok()?, candidate.port))
}
