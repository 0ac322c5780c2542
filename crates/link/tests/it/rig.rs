//! What the suite needs of an implementation, and helpers to talk over a pair of links.

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sleap_rtc_link::memory::Network;
use sleap_rtc_link::webrtc::{Bind, Config, WebRtcConnector};
use sleap_rtc_link::{Connector, Link, LinkEvent};

use crate::wire::Wire;

/// Far more than any step takes: a test that hangs fails instead.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// An implementation under test.
pub(crate) enum Rig {
    Memory(Network),
    WebRtc,
    /// WebRTC through a wire that can be cut.
    Wired(Wire),
}

impl Rig {
    pub(crate) fn memory() -> Self {
        Self::Memory(Network::new())
    }

    pub(crate) fn webrtc() -> Self {
        Self::WebRtc
    }

    /// The same implementation over a network that [`Rig::cut`] can cut.
    pub(crate) async fn cuttable(self) -> Self {
        match self {
            Self::Memory(network) => Self::Memory(network),
            Self::WebRtc | Self::Wired(_) => Self::Wired(Wire::new().await),
        }
    }

    pub(crate) fn connector(&self) -> Arc<dyn Connector> {
        match self {
            Self::Memory(network) => Arc::new(network.connector()),
            Self::WebRtc => Arc::new(WebRtcConnector::new(loopback(PATIENCE))),
            Self::Wired(_) => Arc::new(WebRtcConnector::new(loopback(Duration::from_secs(6)))),
        }
    }

    pub(crate) async fn cut(&self) {
        match self {
            Self::Memory(network) => network.cut(),
            Self::WebRtc => panic!("a network that cannot be cut"),
            Self::Wired(wire) => wire.cut().await,
        }
    }

    /// A link: the offerer's end, the answerer's end.
    pub(crate) async fn pair(&self) -> (Arc<dyn Link>, Arc<dyn Link>) {
        let offered = self.connector().offer(&[]).await.expect("offer");
        let offer = self.carry(offered.sdp(), Wire::offer);
        let answered = self.connector().answer(&offer, &[]).await.expect("answer");
        let answer = self.carry(answered.sdp(), Wire::answer);
        let (a, b) = tokio::join!(offered.connect(&answer, PATIENCE), answered.connected(PATIENCE));
        (a.expect("the offerer connects"), b.expect("the answerer connects"))
    }

    fn carry(&self, sdp: &str, end: fn(&Wire, &str) -> String) -> String {
        match self {
            Self::Wired(wire) => end(wire, sdp),
            Self::Memory(_) | Self::WebRtc => sdp.to_owned(),
        }
    }
}

/// WebRTC on one loopback address, lost after `lost_after` of silence.
pub(crate) fn loopback(lost_after: Duration) -> Config {
    Config { bind: Bind::Addresses(vec![Ipv4Addr::LOCALHOST.into()]), lost_after, ..Config::default() }
}

/// Fails the test instead of letting it hang.
pub(crate) async fn bounded<T>(steps: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, steps).await.expect("the test hangs")
}

/// The next event, which must be a control message.
pub(crate) async fn control(link: &dyn Link) -> String {
    match bounded(link.next()).await {
        LinkEvent::Control(text) => text,
        other => panic!("not control: {other:?}"),
    }
}

/// The next event, which must be a bulk message.
pub(crate) async fn bulk(link: &dyn Link) -> Bytes {
    match bounded(link.next()).await {
        LinkEvent::Bulk(data) => data,
        other => panic!("not bulk: {other:?}"),
    }
}

/// `len` bytes that differ for every `seed`.
pub(crate) fn noise(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    Bytes::from(bytes)
}
