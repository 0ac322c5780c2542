//! One peer connection of the stack and what it tells: gathered, channels, lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::rtc::ice::mdns::MulticastDnsMode;
use ::rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use ::webrtc::data_channel::DataChannel;
use ::webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder, RTCIceCandidateType,
    RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionIceEvent, RTCPeerConnectionState, SettingEngine,
    SettingEngineBuilder,
};
use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::servers::Servers;
use super::sockets::{Buffers, LinkRuntime, local_addresses};
use super::{Bind, Config};
use crate::error::{CloseReason, LinkError};

/// Most channels that a peer may open. We use two, older programs one.
const MAX_CHANNELS: usize = 4;

/// How long candidates are gathered where no server is asked: there is nothing to wait for.
const GATHERING: Duration = Duration::from_secs(5);

/// How long the first answer of any ICE server is waited for: one request may get lost (it is repeated after 0.3 s) on the way
/// around the world and back.
const FIRST_ANSWER: Duration = Duration::from_millis(800);

/// How long after the first answer the others are waited for, beside twice the time that the first one took: addresses of this
/// machine that cannot reach the server never get one.
const OTHER_ANSWERS: Duration = Duration::from_millis(100);

/// The same where there is a relay, which needs more words than an address.
const RELAYS: Duration = Duration::from_millis(600);

/// How often a pair of addresses is tried. Setting up a link takes some three of these (the default, 200 ms, makes it
/// 0.6 s on one machine).
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// How often one pair is tried without an answer: 2 s, a little more than by default. Later the peer's own checks
/// bring it back.
const CHECKS: u16 = 40;

/// Bytes that one channel buffers until the peer acknowledges them: a little more than the largest window, so that
/// the window is always full. More would only delay control messages, which queue behind bulk within the stack.
const SEND_BUFFER: usize = (1 << 20) + (256 << 10);

/// How a connection stands.
#[derive(Debug, Default)]
pub(super) struct State {
    gathered: bool,
    /// A server has told an address.
    helped: bool,
    progress: Progress,
    /// Why it is of no more use.
    broken: Option<CloseReason>,
}

impl State {
    fn end(&mut self, reason: CloseReason) {
        self.broken.get_or_insert(reason);
    }
}

/// What gathering candidates came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gathered {
    /// There is nothing more to wait for.
    All,
    /// There were servers to ask, and none has answered.
    Silence,
}

/// How far setting up has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// No path between the peers.
    #[default]
    Nothing,
    /// A path, but no handshake over it.
    Path,
    /// The handshake is done.
    Connected,
}

/// Takes the stack's events. Called on its driver, so nothing here waits.
struct Handler {
    state: watch::Sender<State>,
    channels: mpsc::Sender<Arc<dyn DataChannel>>,
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if event.candidate.typ != RTCIceCandidateType::Host {
            self.state.send_modify(|s| s.helped = true);
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.state.send_modify(|s| s.gathered = true);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        if matches!(state, RTCIceConnectionState::Connected | RTCIceConnectionState::Completed) {
            self.state.send_modify(|s| s.progress = s.progress.max(Progress::Path));
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        tracing::debug!(%state, "peer connection");
        match state {
            RTCPeerConnectionState::Connected => self.state.send_modify(|s| s.progress = Progress::Connected),
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => {
                self.state.send_modify(|s| s.end(CloseReason::Lost));
            }
            _ => {}
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        // Full, or nobody waits for channels any more: either way more than the peer needs.
        if self.channels.try_send(channel).is_err() {
            self.state.send_modify(|s| s.end(CloseReason::Misuse("too many channels".into())));
        }
    }
}

/// A peer connection. Dropping it closes it in the background, for the stack's driver would live on without it.
pub(super) struct Peer {
    pub(super) pc: Arc<dyn PeerConnection>,
    pub(super) state: watch::Receiver<State>,
    pub(super) buffers: Buffers,
    /// Whether servers are asked, and then whether one is a relay.
    asks: Option<bool>,
    hurry: Arc<AtomicBool>,
    runtime: Handle,
}

/// Channels that the peer opens.
pub(super) type Channels = mpsc::Receiver<Arc<dyn DataChannel>>;

/// Wraps an error of the stack.
pub(super) fn stack(error: impl std::fmt::Display) -> LinkError {
    LinkError::Stack(error.to_string())
}

impl Peer {
    /// Binds sockets and starts the stack's driver.
    pub(super) async fn open(config: &Config, servers: Servers) -> Result<(Self, Channels), LinkError> {
        let buffers = Buffers::probe().map_err(stack)?;
        let (state, watched) = watch::channel(State::default());
        let (channels, opened) = mpsc::channel(MAX_CHANNELS);
        let runtime = LinkRuntime::default();
        let hurry = runtime.hurry();
        let asks = servers.asks();
        let builder = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().with_ice_servers(servers.into_inner()).build())
            .with_setting_engine(settings(config, buffers))
            .with_handler(Arc::new(Handler { state, channels }))
            .with_runtime(Arc::new(runtime))
            .with_udp_addrs(bind_addresses(config)?)
            .with_data_channel_send_buffer_limit(SEND_BUFFER);
        let pc = Box::pin(builder.build()).await.map_err(stack)?;
        Ok((Self { pc: Arc::new(pc), state: watched, buffers, asks, hurry, runtime: Handle::current() }, opened))
    }

    /// Waits for candidates, for a bounded time.
    pub(super) async fn gathered(&self) -> Gathered {
        self.hurry(true);
        let gathered = self.gather().await;
        self.hurry(false);
        gathered
    }

    async fn gather(&self) -> Gathered {
        let begin = Instant::now();
        let mut state = self.state.clone();
        let Some(relays) = self.asks else {
            let all = state.wait_for(|s| s.gathered || s.broken.is_some());
            if tokio::time::timeout(GATHERING, all).await.is_err() {
                tracing::debug!("gathering candidates took too long: going on with what is known");
            }
            return Gathered::All;
        };
        let first = state.wait_for(|s| s.gathered || s.helped || s.broken.is_some());
        if tokio::time::timeout(FIRST_ANSWER, first).await.is_err() {
            return Gathered::Silence;
        }
        let rest = begin.elapsed() * 2 + if relays { RELAYS } else { OTHER_ANSWERS };
        // Who has not answered by then will not.
        tokio::time::timeout(rest, state.wait_for(|s| s.gathered || s.broken.is_some())).await.ok();
        Gathered::All
    }

    /// The local description with every candidate that was found.
    pub(super) async fn description(&self) -> Result<String, LinkError> {
        let description = self.pc.local_description().await.ok_or_else(|| stack("no local description"))?;
        if !description.sdp.contains("a=candidate:") {
            return Err(stack("no usable network address on this machine"));
        }
        Ok(description.sdp)
    }

    /// Whether the driver should wake up often; only while a link is being set up.
    pub(super) fn hurry(&self, on: bool) {
        self.hurry.store(on, Ordering::Relaxed);
    }

    /// Waits until the connection is of no more use.
    pub(super) async fn broken(&self) -> CloseReason {
        let mut state = self.state.clone();
        match state.wait_for(|s| s.broken.is_some()).await.map(|s| s.broken.clone()) {
            Ok(Some(reason)) => reason,
            // The handler is gone, and with it the driver.
            Ok(None) | Err(_) => CloseReason::Lost,
        }
    }

    /// How far setting up has come, for an error.
    pub(super) fn progress(&self) -> Progress {
        self.state.borrow().progress
    }

    pub(super) async fn close(&self) {
        if let Err(error) = self.pc.close().await {
            tracing::debug!(%error, "closing a peer connection");
        }
    }

    /// Closes in the background: takes 100 ms at most.
    pub(super) fn close_soon(&self) {
        let pc = self.pc.clone();
        self.runtime.spawn(async move {
            if let Err(error) = pc.close().await {
                tracing::debug!(%error, "closing a peer connection");
            }
        });
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close_soon();
    }
}

fn settings(config: &Config, buffers: Buffers) -> SettingEngine {
    let disconnected = config.lost_after / 3;
    let keep_alive = (disconnected / 3).min(Duration::from_secs(2));
    SettingEngineBuilder::new()
        .with_include_loopback_candidate(config.include_loopback)
        // The default joins a multicast group; where no route allows that (containers), nothing would work.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(buffers.max_message()))
        .with_sctp_max_receive_buffer_size(buffers.window)
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS))
        .with_ice_timeouts(Some(disconnected), Some(disconnected * 2), Some(keep_alive))
        .build()
}

fn bind_addresses(config: &Config) -> Result<Vec<SocketAddr>, LinkError> {
    let addresses = match &config.bind {
        Bind::Interfaces => local_addresses(config.include_loopback).map_err(stack)?,
        Bind::Addresses(addresses) => addresses.clone(),
    };
    Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect())
}
