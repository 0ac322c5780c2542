//! What a receiver knows of the chunks that it waits for.

use bytes::BytesMut;

/// A page whose chunks the disk looks for.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) number: u64,
    /// Index of its first chunk and of the one after its last.
    pub(super) page: std::ops::Range<usize>,
    pub(super) have: Option<Vec<bool>>,
}

/// A chunk of this transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) len: u32,
    /// How often it occurs.
    pub(super) count: u32,
    pub(super) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The disk looks for it.
    Asked,
    /// The sender has been asked for it.
    Wanted,
    /// It has come, and is being written.
    Storing,
    /// It is in the store.
    Here,
}

/// The chunk that is arriving.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) index: u32,
    pub(super) bytes: BytesMut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Files, hashes and chunks come.
    Taking,
    /// Every chunk is here; the files are being made.
    Assembling,
    /// Done, failed or broken off.
    Over,
}
