//! What the operator may set about every room.

use sleap_rtc_wire::limits;
use sleap_rtc_wire::signal::IceServer;

/// Settings that all rooms of a server share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomConfig {
    /// How long an ephemeral room outlives its last peer, ms, so that a reconnect survives; 0: not at all.
    pub grace_ms: u64,
    /// How often a peer that is no client hears that the server lives, ms. Deployed workers reconnect after 90 s of silence.
    pub ping_ms: u64,
    /// How long the unused claims of a client outlive its connection, ms, so that a reconnect keeps them.
    pub client_grace_ms: u64,
    /// The most peers of one room, those that are away with a running job included.
    pub max_peers: usize,
    /// Told in `registered_auth`.
    pub server_version: String,
    /// Told in `registered_auth`.
    pub ice_servers: Vec<IceServer>,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            grace_ms: 60_000,
            ping_ms: 30_000,
            client_grace_ms: 5_000,
            max_peers: limits::PEERS,
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            ice_servers: Vec::new(),
        }
    }
}
