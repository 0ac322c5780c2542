//! How two peers talk: a [`Link`] carries two ordered, reliable flows of messages, *control* (JSON text) and *bulk*
//! (bytes), between a worker and a client that may both sit behind NAT.
//!
//! The port is [`Link`] and the [`Connector`] that makes links by one offer and one answer. Two implementations:
//! [`memory`], for tests and one process, and [`webrtc`], data channels over UDP. One conformance suite
//! (`tests/it/`) runs over both.
//!
//! # Contract
//!
//! - Messages are 1 byte to 64 KiB. Within a flow they arrive complete, once, in order; between the flows there is no
//!   order. [`Link::next`] answers waiting control messages before bulk ones.
//! - `send_*` waits while the receiver is behind: a reader that stops reading stops the sender, memory stays bounded.
//! - A link ends once. Then `send_*` fails and `next` keeps answering [`LinkEvent::Closed`]. What the peer sent
//!   before its own clean close still comes out of `next` first. A link that is dropped without [`Link::close`] is
//!   lost to the peer.
//! - Nothing here proves who the peer is: [`Link::binding`] names the two ends of this very connection, and the
//!   session signs that.
//!
//! **Absent by design:** resuming (the session does it), signaling (offer and answer are text that the caller carries),
//! any `webrtc` type in the public interface.

mod error;
pub mod memory;
mod port;
mod sdp;
pub mod webrtc;

pub use error::{CloseReason, LinkError};
pub use port::{
    AnsweredLink, Binding, Connector, IceServer, Link, LinkEvent, MAX_BULK_MESSAGE, MAX_CONTROL_MESSAGE, OfferedLink,
    PathInfo, PathKind,
};
