//! The bulk message: a small header of fixed length and a piece of one chunk.

use bytes::{BufMut, Bytes, BytesMut};

use super::TransferId;
use crate::limits;

/// Header, bytes: kind and three zeros, transfer, chunk, offset; four bytes each, big endian.
const HEADER: usize = 16;
/// The only kind of version 1: a piece of a chunk.
const KIND_PIECE: u8 = 1;
/// The most bytes of a chunk that one message carries.
pub const PIECE: usize = limits::BULK - HEADER;

/// A piece of one chunk. The pieces of a chunk follow each other, from offset 0 to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// Which direction.
    pub transfer: TransferId,
    /// Index of the chunk in the manifest.
    pub chunk: u32,
    /// Where the piece begins in the chunk.
    pub offset: u32,
    /// 1 to [`PIECE`] bytes.
    pub data: Bytes,
}

/// A bulk message that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBulk {
    /// Shorter than its header and one byte, or longer than [`limits::BULK`].
    #[error("bulk message of {0} bytes")]
    Length(usize),
    /// A kind that version 1 does not know.
    #[error("bulk message of kind {0}")]
    Kind(u8),
}

impl Bulk {
    /// Writes one bulk message.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(HEADER + self.data.len());
        out.put_slice(&[KIND_PIECE, 0, 0, 0]);
        out.put_u32(self.transfer.0);
        out.put_u32(self.chunk);
        out.put_u32(self.offset);
        out.put_slice(&self.data);
        out.freeze()
    }

    /// Reads one bulk message; its data shares the message's memory.
    pub fn decode(message: &Bytes) -> Result<Self, BadBulk> {
        if message.len() <= HEADER || message.len() > limits::BULK {
            return Err(BadBulk::Length(message.len()));
        }
        if message[..4] != [KIND_PIECE, 0, 0, 0] {
            return Err(BadBulk::Kind(message[0]));
        }
        let word = |at: usize| message[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        Ok(Self { transfer: TransferId(word(4)), chunk: word(8), offset: word(12), data: message.slice(HEADER..) })
    }
}
