//! What a worker tells the person who started it.

use sleap_rtc_session::pool_worker::Fact;
use sleap_rtc_wire::job::Terminal;
use sleap_rtc_wire::{JobId, PeerId};

/// One thing that happened to a slot.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The slot's peer.
    pub peer: PeerId,
    /// `gpu0`, `cpu`.
    pub device: String,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// In the room, out of it, a client expected or refused, …
    Signaling(Fact),
    /// A job has the slot.
    Started(JobId),
    /// A job is over.
    Ended(JobId, Terminal),
    /// The client has the results.
    Delivered(JobId),
}
