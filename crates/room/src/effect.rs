//! What a room wants done.

use sleap_rtc_wire::record::Change;
use sleap_rtc_wire::signal::Report;
use sleap_rtc_wire::{ConnId, MemberId, PeerId, Time, ToPeer};

use crate::{CallId, Ticket};

/// One thing to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Queue a frame for a connection. If its queue is full, close the connection and tell the room so.
    Send {
        /// The connection.
        conn: ConnId,
        /// The frame.
        frame: ToPeer,
    },
    /// Close a connection after what was queued for it; the room has already forgotten it.
    Close {
        /// The connection.
        conn: ConnId,
        /// Told to the peer and the log.
        reason: CloseReason,
    },
    /// Write these changes whole, then report with the ticket.
    Persist {
        /// To be reported.
        ticket: Ticket,
        /// What to write.
        changes: Vec<Change>,
    },
    /// Give a worker's frame to those who watch it, or its job, through the server.
    Publish {
        /// The worker.
        worker: PeerId,
        /// The frame.
        report: Report,
    },
    /// Answer an HTTP call.
    Answer {
        /// The call.
        id: CallId,
        /// The answer.
        answer: Answer,
    },
    /// Something for metrics and the log.
    Report(Fact),
    /// The room is gone from the store: drop it. Nothing follows.
    Removed,
}

/// Why the room closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The same peer registered on a later connection.
    Superseded,
    /// The peer was deleted.
    Deleted,
    /// The room was removed.
    RoomRemoved,
}

/// What an HTTP call is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The room's expiry now, `None` = never.
    Extended {
        /// When it ends.
        expires_at: Option<Time>,
    },
    /// The peer is gone.
    PeerDeleted {
        /// Whether the room went with it.
        room_removed: bool,
    },
    /// There was no such peer.
    NoSuchPeer,
    /// The change is in force and stored.
    Changed,
    /// The frame was queued for the worker.
    Forwarded,
    /// Somebody has the worker.
    WorkerBusy,
    /// That peer does not read such frames.
    Unsupported,
    /// All peers and the room are gone.
    RoomDeleted,
    /// The room went while the call waited.
    NoSuchRoom,
    /// The store did not take it; nothing was changed.
    StoreUnavailable,
}

/// What happened, for metrics and the log. No secrets, no metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A peer registered.
    Registered {
        /// The peer.
        peer: PeerId,
        /// Its role.
        role: String,
        /// Who it is: keeps an anonymous identity alive.
        member: MemberId,
        /// Its connection.
        conn: ConnId,
    },
    /// A peer is gone.
    Left {
        /// The peer.
        peer: PeerId,
        /// Its role.
        role: String,
        /// Who it was.
        member: MemberId,
        /// Its connection.
        conn: ConnId,
    },
    /// A message was handed on.
    Relayed,
    /// A claim was granted.
    Granted,
    /// A claim was refused.
    Refused,
    /// A claim ended.
    Ended,
}
