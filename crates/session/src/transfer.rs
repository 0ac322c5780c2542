//! Files from one end to the other: each chunk at most once, nothing believed before its hash is checked.
//!
//! `Sender` and `Receiver` are the two ends. A sender lives as long as its job and begins anew on each link; a receiver
//! is made anew on each link and finds in its chunk store what earlier links brought.

mod arrival;
mod missing;
mod receiver;
mod sender;

use std::sync::Arc;

use bytes::Bytes;
use sleap_rtc_wire::job::FailCode;
use sleap_rtc_wire::manifest::{Chunk, Hash, Manifest};
use sleap_rtc_wire::peer::PeerFrame;

pub use missing::missing;
pub(crate) use receiver::Receiver;
pub(crate) use sender::Sender;

/// How long a transfer may stand still before its link is given up, ms.
pub const STALL_MS: u64 = 30_000;

/// What a transfer wants from the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskRequest {
    /// Read a piece of a file that is being sent. Answer: [`DiskAnswer::Read`] or [`DiskAnswer::SourceFailed`].
    Read {
        /// Index of the chunk, for the answer.
        chunk: u32,
        /// Path in the manifest.
        path: String,
        /// First byte.
        offset: u64,
        /// Bytes.
        len: u32,
    },
    /// Which of these chunks does the store have? Answer: [`DiskAnswer::Have`].
    Query {
        /// For the answer.
        query: u64,
        /// The chunks.
        hashes: Vec<Hash>,
    },
    /// Keep a chunk; its hash was checked. Answer: [`DiskAnswer::Stored`] or [`DiskAnswer::StoreFailed`].
    Store {
        /// Its name.
        hash: Hash,
        /// Its bytes.
        bytes: Bytes,
    },
    /// Every chunk is in the store: make the files, each under a temporary name until it is whole. Answer:
    /// [`DiskAnswer::Assembled`] or [`DiskAnswer::AssembleFailed`].
    Assemble {
        /// The files and their chunks ([`Manifest::spans`]).
        manifest: Arc<Manifest>,
    },
}

/// What the disk says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskAnswer {
    /// The next chunks of the files to be sent, in order; unasked.
    Hashed(Vec<Chunk>),
    /// A file to be sent could not be read.
    SourceFailed {
        /// Why, with the file's name.
        cause: String,
    },
    /// The bytes that were asked for.
    Read {
        /// Of the request.
        chunk: u32,
        /// They.
        bytes: Bytes,
    },
    /// What the store has.
    Have {
        /// Of the request.
        query: u64,
        /// One answer a hash, in its order.
        have: Vec<bool>,
    },
    /// The chunk is kept.
    Stored {
        /// Its name.
        hash: Hash,
    },
    /// The chunk could not be kept.
    StoreFailed {
        /// Whether the disk, or the quota, is full.
        full: bool,
        /// Why, with numbers.
        cause: String,
    },
    /// Every file is there under its final name.
    Assembled,
    /// The files could not be made; none is there under its final name.
    AssembleFailed {
        /// Whether the disk, or the quota, is full.
        full: bool,
        /// Why, with numbers.
        cause: String,
    },
}

/// How far a transfer is. Only bytes that the receiver has stored and checked count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are there.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// Why a transfer cannot be finished, on no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct TransferError {
    /// For a program.
    pub code: FailCode,
    /// For a person.
    pub cause: String,
    /// Whether the other end said so; else it is to be told.
    pub told: bool,
}

impl TransferError {
    pub(crate) fn new(code: FailCode, cause: impl Into<String>) -> Self {
        Self { code, cause: cause.into(), told: false }
    }

    /// A disk that could not be written to.
    fn disk(full: bool, cause: String) -> Self {
        Self::new(if full { FailCode::DiskFull } else { FailCode::TransferFailed }, cause)
    }
}

/// What a sender or a receiver wants done.
#[derive(Debug, PartialEq)]
pub(crate) enum Out {
    /// On the link that the transfer runs on.
    Say(PeerFrame),
    /// On the same link.
    Bulk(Bytes),
    /// By the disk.
    Disk(DiskRequest),
    /// For the screen.
    Progress(Progress),
    /// Every file is there. At most once a link; nothing follows.
    Done(Hash),
    /// Nothing follows.
    Failed(TransferError),
    /// The other end broke the rules: end the link.
    Broken(String),
}
