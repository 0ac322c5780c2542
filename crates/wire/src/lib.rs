//! The vocabulary that every part of `sleap-rtc` shares: ids, filters, messages, error codes, and how they are written
//! and read. No decisions, no sockets, no clock.
//!
//! What travels where:
//!
//! - a peer and the server exchange one JSON object a WebSocket text frame: [`FromPeer`] up, [`ToPeer`] down ([`signal`]);
//! - a program and the server exchange the bodies of [`http`];
//! - two peers exchange [`peer`] frames on the control channel and chunks on the bulk channel, about a [`job`] whose files
//!   are named by a [`manifest`].
//!
//! Names and shapes of what old programs speak come from the deployed Python package; what is ours is described in
//! `docs/protocol.md`.

pub mod claim;
pub mod credential;
mod debug;
mod decode;
pub mod error;
pub mod filter;
pub mod http;
mod id;
pub mod job;
mod key;
pub mod limits;
pub mod manifest;
mod metadata;
pub mod mutation;
pub mod peer;
pub mod record;
pub mod signal;
mod time;

pub use credential::{ACCOUNT_KEY, API_KEY, ApiKey, InvalidApiKey, KeyHash};
pub use decode::DecodeError;
pub use error::{Code, ErrorFrame};
pub use filter::Filters;
pub use id::{ClaimId, ConnId, Fence, InvalidId, JobId, KeyId, MemberId, NodeId, PeerId, RoomId};
pub use key::{InvalidKey, PublicKey, Signature};
pub use metadata::{Changed, Metadata};
pub use signal::{FromPeer, ToPeer};
pub use time::Time;

/// One text frame: reference-counted UTF-8, so that a relayed frame is never copied.
pub type Text = bytestring::ByteString;

/// The feature that a peer names in `register` to take part in claims.
pub const CLAIMS: &str = "claims/1";
