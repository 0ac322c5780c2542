//! Offer and answer: from a configuration and the peer's description to open channels.

use std::sync::Arc;
use std::time::Duration;

use ::webrtc::data_channel::{DataChannel, DataChannelEvent};
use ::webrtc::peer_connection::{RTCSessionDescription, crypto};
use async_trait::async_trait;

use super::link::{Flows, WebRtcLink};
use super::peer::{Channels, Gathered, Peer, Progress, stack};
use super::servers::{Servers, Silent};
use super::{BULK_LABEL, CONTROL_LABEL, Config};
use crate::error::{CloseReason, LinkError};
use crate::port::{AnsweredLink, Binding, Connector, IceServer, Link, OfferedLink};
use crate::sdp::{Description, SdpError};

/// Makes links over WebRTC.
#[derive(Debug, Clone)]
pub struct WebRtcConnector {
    config: Config,
    silent: Silent,
}

impl WebRtcConnector {
    /// A connector; it opens nothing yet. Use it within a tokio runtime.
    pub fn new(config: Config) -> Self {
        Self { config, silent: Silent::default() }
    }

    /// Opens a peer connection that asks these servers for a path, unless they have been silent of late.
    async fn open(&self, servers: &[IceServer]) -> Result<(Peer, Channels, LeftOut), LinkError> {
        let left_out = self.silent.are(servers);
        let wanted = if left_out { &[] } else { servers };
        let (peer, channels) = Peer::open(&self.config, Servers::find(wanted).await).await?;
        Ok((peer, channels, LeftOut(left_out.then(|| self.silent.clone()))))
    }

    /// Its description, once the servers have answered or have had their time.
    async fn description(&self, peer: &Peer, servers: &[IceServer]) -> Result<String, LinkError> {
        if peer.gathered().await == Gathered::Silence {
            tracing::debug!(?servers, "no ICE server has answered: going on without");
            self.silent.remember(servers);
        }
        peer.description().await
    }
}

/// What made a link do without its servers, if anything did.
#[derive(Debug)]
struct LeftOut(Option<Silent>);

impl LeftOut {
    /// A link that was not made may have needed them: the next one asks again.
    fn check<T>(&self, made: Result<T, LinkError>) -> Result<T, LinkError> {
        if let (Err(error), Some(silent)) = (&made, &self.0) {
            tracing::debug!(%error, "no link without the ICE servers that were silent: the next one asks them again");
            silent.forget();
        }
        made
    }
}

#[async_trait]
impl Connector for WebRtcConnector {
    async fn offer(&self, servers: &[IceServer]) -> Result<Box<dyn OfferedLink>, LinkError> {
        let (peer, _, left_out) = self.open(servers).await?;
        let control = peer.pc.create_data_channel(CONTROL_LABEL, None).await.map_err(stack)?;
        let bulk = peer.pc.create_data_channel(BULK_LABEL, None).await.map_err(stack)?;
        let offer = peer.pc.create_offer(None).await.map_err(stack)?;
        peer.pc.set_local_description(offer).await.map_err(stack)?;
        let sdp = self.description(&peer, servers).await?;
        Ok(Box::new(Offered { peer, flows: Flows::Both { control, bulk }, sdp, left_out }))
    }

    async fn answer(&self, offer_sdp: &str, servers: &[IceServer]) -> Result<Box<dyn AnsweredLink>, LinkError> {
        let theirs = Description::parse(offer_sdp)?;
        let (peer, channels, left_out) = self.open(servers).await?;
        let offer = RTCSessionDescription::offer(offer_sdp.to_owned()).map_err(unacceptable)?;
        peer.pc.set_remote_description(offer).await.map_err(unacceptable)?;
        let answer = peer.pc.create_answer(None).await.map_err(unacceptable)?;
        peer.pc.set_local_description(answer).await.map_err(unacceptable)?;
        let sdp = self.description(&peer, servers).await?;
        Ok(Box::new(Answered { peer, channels, theirs, sdp, left_out }))
    }
}

impl From<SdpError> for LinkError {
    fn from(error: SdpError) -> Self {
        Self::Sdp(error.to_string())
    }
}

/// What the stack says against a peer's description.
fn unacceptable(error: impl std::fmt::Display) -> LinkError {
    LinkError::Sdp(error.to_string())
}

struct Offered {
    peer: Peer,
    flows: Flows,
    sdp: String,
    left_out: LeftOut,
}

#[async_trait]
impl OfferedLink for Offered {
    fn sdp(&self) -> &str {
        &self.sdp
    }

    async fn connect(self: Box<Self>, answer_sdp: &str, timeout: Duration) -> Result<Arc<dyn Link>, LinkError> {
        let theirs = Description::parse(answer_sdp)?;
        let answer = RTCSessionDescription::answer(answer_sdp.to_owned()).map_err(unacceptable)?;
        self.peer.pc.set_remote_description(answer).await.map_err(unacceptable)?;
        let Self { peer, flows, sdp, left_out } = *self;
        left_out.check(within(timeout, &peer, flows.opened()).await)?;
        establish(peer, flows, &sdp, theirs).await
    }
}

struct Answered {
    peer: Peer,
    channels: Channels,
    theirs: Description,
    sdp: String,
    left_out: LeftOut,
}

#[async_trait]
impl AnsweredLink for Answered {
    fn sdp(&self) -> &str {
        &self.sdp
    }

    async fn connected(self: Box<Self>, timeout: Duration) -> Result<Arc<dyn Link>, LinkError> {
        let Self { peer, mut channels, theirs, sdp, left_out } = *self;
        let opened = within(timeout, &peer, async {
            let flows = accept(&mut channels).await?;
            flows.opened().await?;
            // From here on a further channel ends the link; one that came before is found here.
            channels.close();
            if channels.try_recv().is_ok() {
                return Err(uninvited());
            }
            Ok(flows)
        })
        .await;
        let flows = left_out.check(opened)?;
        establish(peer, flows, &sdp, theirs).await
    }
}

/// Runs `steps` until they are done, the connection fails, or the time is over.
async fn within<T>(
    timeout: Duration,
    peer: &Peer,
    steps: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    let steps = async {
        tokio::select! {
            done = steps => done,
            reason = peer.broken() => Err(failure(peer, reason)),
        }
    };
    peer.hurry(true);
    let done = tokio::time::timeout(timeout, steps).await;
    peer.hurry(false);
    match done {
        Ok(done) => done,
        // The stack never reports a failed handshake: it waits for a better one.
        Err(_) if peer.progress() == Progress::Path => Err(handshake_failed()),
        Err(_) => Err(LinkError::Timeout(timeout)),
    }
}

fn failure(peer: &Peer, reason: CloseReason) -> LinkError {
    match (reason, peer.progress()) {
        (CloseReason::Misuse(what), _) => LinkError::Connect(what),
        (_, Progress::Connected) => LinkError::Connect("the peer went away before the channels were open".into()),
        (_, Progress::Path) => handshake_failed(),
        (_, Progress::Nothing) => LinkError::Connect("no path between the peers".into()),
    }
}

fn handshake_failed() -> LinkError {
    LinkError::Connect(
        "the peers reach each other, but the encrypted handshake does not end \
         (another certificate than promised, or large packets are dropped on the way)"
            .into(),
    )
}

/// Takes the channels that the offerer opens: our two, or one of any other name (an older program).
async fn accept(channels: &mut Channels) -> Result<Flows, LinkError> {
    let (mut control, mut bulk) = (None, None);
    loop {
        let channel = channels.recv().await.ok_or_else(|| stack("the driver stopped"))?;
        check_ordered(&*channel).await?;
        let label = channel.label().await.map_err(stack)?;
        let taken = match label.as_str() {
            CONTROL_LABEL => control.replace(channel),
            BULK_LABEL => bulk.replace(channel),
            _ if control.is_none() && bulk.is_none() => return Ok(Flows::Single(channel)),
            _ => Some(channel),
        };
        if taken.is_some() {
            return Err(uninvited());
        }
        (control, bulk) = match (control, bulk) {
            (Some(control), Some(bulk)) => return Ok(Flows::Both { control, bulk }),
            some => some,
        };
    }
}

fn uninvited() -> LinkError {
    LinkError::Connect("the peer opened a channel that does not belong here".into())
}

/// Refuses a channel without order. Whether the peer sends reliably the stack does not tell; if it does not, it only
/// spoils its own messages.
async fn check_ordered(channel: &dyn DataChannel) -> Result<(), LinkError> {
    if channel.ordered().await.map_err(stack)? {
        return Ok(());
    }
    Err(LinkError::Connect("the peer's channel is not ordered".into()))
}

impl Flows {
    async fn opened(&self) -> Result<(), LinkError> {
        match self {
            Self::Single(channel) => opened(&**channel).await,
            Self::Both { control, bulk } => {
                opened(&**control).await?;
                opened(&**bulk).await
            }
        }
    }
}

/// Waits for the event that always comes first.
async fn opened(channel: &dyn DataChannel) -> Result<(), LinkError> {
    loop {
        match channel.poll().await {
            Some(DataChannelEvent::OnOpen) => return Ok(()),
            Some(DataChannelEvent::OnClose) | None => return Err(LinkError::Connect("a channel was closed".into())),
            Some(_) => {}
        }
    }
}

/// The link over open channels, once it is certain which certificates are at its ends (docs/decisions/0003).
async fn establish(peer: Peer, flows: Flows, sdp: &str, theirs: Description) -> Result<Arc<dyn Link>, LinkError> {
    let ours = Description::parse(sdp)?;
    let binding = Binding { local: ours.fingerprint, remote: seen(&peer).await? };
    if binding.remote != theirs.fingerprint {
        return Err(LinkError::Connect("the peer's certificate is not the one that its description promised".into()));
    }
    Ok(Arc::new(WebRtcLink::new(peer, flows, binding).await))
}

/// SHA-256 of the certificate with which the peer signed the handshake.
async fn seen(peer: &Peer) -> Result<[u8; 32], LinkError> {
    let sctp = peer.pc.sctp().await.ok_or_else(|| stack("no SCTP transport"))?;
    let chain = sctp.transport().get_remote_certificates().await.map_err(stack)?;
    let leaf = chain.first().ok_or_else(|| stack("no certificate of the peer"))?;
    let provider = crypto::default_provider().map_err(stack)?;
    let hash = provider.crypto().hash(crypto::HashAlgorithm::Sha256, leaf).map_err(stack)?;
    <[u8; 32]>::try_from(hash).map_err(|_| stack("SHA-256 is not 32 bytes long"))
}
