//! What a room is told.

use sleap_rtc_wire::record::Switches;
use sleap_rtc_wire::signal::{IceServer, Register};
use sleap_rtc_wire::{ConnId, FromPeer, MemberId, PeerId, PublicKey, Text};

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
    /// What `registered_auth` tells of ways to other peers: the address of the server's own responder is the one by which this
    /// very peer has reached the server.
    pub ice_servers: Vec<IceServer>,
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
    /// Remove these members: their memberships, their peers, what they wait for and hold unused.
    Expel(Vec<MemberId>),
    /// Change what the owner may change; `None`: as it was.
    Change {
        /// The room's name.
        name: Option<String>,
        /// What is switched.
        switches: Option<Switches>,
    },
    /// Hand a frame to a worker on behalf of somebody who watches through the server. Only workers of the deployed kind read such
    /// frames.
    Forward {
        /// The worker.
        worker: PeerId,
        /// The frame.
        text: Text,
    },
    /// Give a job to a worker of the deployed kind, and take the worker in the same step.
    Assign {
        /// The worker.
        worker: PeerId,
        /// The job's name, as the frame has it.
        job_id: String,
        /// The `job_assigned` frame.
        text: Text,
    },
}
