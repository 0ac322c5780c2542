//! What the operator may set about every room.

use std::fmt;

use sleap_rtc_wire::limits;

/// Settings that all rooms of a server share.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomConfig {
    /// How long an ephemeral room outlives its last peer, ms, so that a reconnect survives; 0: not at all.
    pub grace_ms: u64,
    /// How often a peer that is no client hears that the server lives, ms. Deployed workers reconnect after 90 s of silence.
    pub ping_ms: u64,
    /// How long the unused claims of a client outlive its connection, ms, so that a reconnect keeps them.
    pub client_grace_ms: u64,
    /// How long a room that was loaded waits for the workers that it expects before it grants anything, ms.
    pub recover_ms: u64,
    /// How long it waits in any case if it expects any, ms, so that clients come back into their order.
    pub settle_ms: u64,
    /// After how long a worker that is missed counts as lost, ms: its job may be tried elsewhere.
    pub lost_ms: u64,
    /// After how long a worker that is missed is forgotten, and a job that it held counts as ended, ms.
    pub forget_ms: u64,
    /// How often a client in line gets a fresh seat, ms. A seat is good for twice as long.
    pub seat_ms: u64,
    /// How long a worker of the deployed kind has for the answer to an offer, or its first word of a job, ms: then it is free again.
    /// Its client waits for 30 s.
    pub answer_ms: u64,
    /// How long a client outlives its connection at a worker of the deployed kind, ms. The worker waits for up to 90 s for one that has
    /// vanished, and can hang for ever.
    pub left_ms: u64,
    /// How long after the end of a part of a job its next part may begin, ms: the job that a worker of the deployed kind got through
    /// the server is over then. It cleans up for some seconds in between.
    pub part_ms: u64,
    /// After how long a worker of the deployed kind counts as free of what the room cannot know for certain any more, ms: whom it had when its
    /// connection was lost or the server was restarted, and a job of which nothing is heard.
    pub stale_ms: u64,
    /// Signs seats. A secret: the same over restarts, or places in line are lost with them.
    pub line_key: [u8; 32],
    /// The most peers of one room, those that are away with a running job included.
    pub max_peers: usize,
    /// Told in `registered_auth`.
    pub server_version: String,
}

impl fmt::Debug for RoomConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomConfig")
            .field("grace_ms", &self.grace_ms)
            .field("ping_ms", &self.ping_ms)
            .field("client_grace_ms", &self.client_grace_ms)
            .field("recover_ms", &self.recover_ms)
            .field("settle_ms", &self.settle_ms)
            .field("lost_ms", &self.lost_ms)
            .field("forget_ms", &self.forget_ms)
            .field("seat_ms", &self.seat_ms)
            .field("answer_ms", &self.answer_ms)
            .field("left_ms", &self.left_ms)
            .field("part_ms", &self.part_ms)
            .field("stale_ms", &self.stale_ms)
            .field("max_peers", &self.max_peers)
            .field("server_version", &self.server_version)
            .finish_non_exhaustive()
    }
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            grace_ms: 60_000,
            ping_ms: 30_000,
            client_grace_ms: 5_000,
            recover_ms: 5_000,
            settle_ms: 1_500,
            lost_ms: 600_000,
            forget_ms: 30 * 24 * 3_600_000,
            seat_ms: 300_000,
            answer_ms: 30_000,
            left_ms: 120_000,
            part_ms: 10_000,
            stale_ms: 12 * 3_600_000,
            line_key: [0; 32],
            max_peers: limits::PEERS,
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
