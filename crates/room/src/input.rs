//! What a room is told.

use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{ConnId, FromPeer, MemberId, PeerId, PublicKey};

/// Names a [`crate::Effect::Persist`] until its outcome is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Names an HTTP call until its [`crate::Effect::Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Whom `access` let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Owner of this peer's claims.
    pub member: MemberId,
    /// The key that it proved; absent for an anonymous identity.
    pub key: Option<PublicKey>,
    /// The name that goes into `registered_auth` if the peer gave no id.
    pub fallback_peer_id: Option<PeerId>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A connection wants to be a peer of this room; `access` has let it in.
    Register {
        /// The connection.
        conn: ConnId,
        /// Who it is.
        admission: Admission,
        /// What it said.
        register: Box<Register>,
    },
    /// A frame of a connection that has registered here. Never a `register`.
    Frame {
        /// The connection.
        conn: ConnId,
        /// The frame.
        frame: FromPeer,
    },
    /// A connection is gone.
    Closed {
        /// The connection.
        conn: ConnId,
    },
    /// An HTTP call that `access` allowed.
    Call {
        /// To be answered once.
        id: CallId,
        /// What is asked.
        call: Call,
    },
    /// The store has it.
    Persisted(Ticket),
    /// The store does not have it, and never will.
    PersistFailed(Ticket),
    /// The time given by [`crate::Room::next_timeout`] has come.
    Tick,
}

/// What HTTP asks of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Move the expiry on.
    Extend,
    /// Remove one peer and its claims; an ephemeral room too if it was the last.
    DeletePeer(PeerId),
    /// Remove every peer and the room.
    Delete,
}
