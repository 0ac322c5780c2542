//! Links over WebRTC data channels: ICE finds a path between two peers behind NAT, DTLS encrypts, SCTP carries two
//! ordered, reliable channels. Every name of the `webrtc` and `rtc` crates stays inside this module.
//!
//! How the bytes are bounded when the session stops reading: the stack keeps up to 256 messages for a channel and 256
//! more for the connection, then leaves data in SCTP's own buffer, whose window (at most 1 MiB) fills and stops the
//! peer. With our 64 KiB messages that is at most 33 MiB for a link (measured: see the test), with the 256 KiB that a
//! foreign peer may send 129 MiB. Nothing grows beyond that.
//!
//! An orderly end is an empty message on each channel, behind all data: an SCTP abort alone would drop what the
//! receiver has not read yet. Ordinary messages are never empty.

mod connector;
mod link;
mod peer;
mod servers;
mod sockets;

use std::net::IpAddr;
use std::time::Duration;

pub use connector::WebRtcConnector;

/// Label of the channel for control messages.
pub const CONTROL_LABEL: &str = "sleap-rtc control";

/// Label of the channel for bulk messages.
pub const BULK_LABEL: &str = "sleap-rtc bulk";

/// Which local addresses a link uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// Those of every interface that is up (at most 16), IPv4 and IPv6, without link-local ones.
    Interfaces,
    /// Exactly these. One that cannot be bound is skipped; if none can, making a link fails.
    Addresses(Vec<IpAddr>),
}

/// How links are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Whether loopback addresses are offered too: for peers on one machine, and for containers without a network.
    pub include_loopback: bool,
    /// Local addresses.
    pub bind: Bind,
    /// How long a peer may be silent before the link counts as lost. The stack checks every 2 s or more often. The
    /// same time bounds the search for a path.
    pub lost_after: Duration,
}

impl Default for Config {
    /// Every interface, loopback too, lost after 15 s of silence.
    fn default() -> Self {
        Self { include_loopback: true, bind: Bind::Interfaces, lost_after: Duration::from_secs(15) }
    }
}
