//! Why a link could not do something, and why it ended.

use std::fmt;
use std::time::Duration;

/// Why a link ended. [`fmt::Display`] fits a log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// This side closed it.
    ByUs,
    /// The peer closed it in an orderly way: everything it had sent was delivered.
    ByPeer,
    /// The network or the peer went away; messages may be missing at the end of either flow.
    Lost,
    /// The peer broke a rule of the link (a message too large, control that is not UTF-8), so this side ended it.
    Misuse(String),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByUs => f.write_str("closed by this side"),
            Self::ByPeer => f.write_str("closed by the peer"),
            Self::Lost => f.write_str("the connection to the peer was lost"),
            Self::Misuse(what) => write!(f, "the peer broke the rules of the link: {what}"),
        }
    }
}

/// Why an operation on a link, or making one, failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The link has ended: nothing more can be sent.
    #[error("the link has ended: {0}")]
    Closed(CloseReason),
    /// The message is empty or longer than the limit; it was not sent and the link goes on.
    #[error("a message of {len} bytes does not fit: allowed are 1 to {limit}")]
    Size {
        /// Length of the message in bytes.
        len: usize,
        /// The longest allowed message in bytes.
        limit: usize,
    },
    /// The peer opened no bulk channel (an older program): only control messages can be exchanged.
    #[error("the peer has no bulk channel")]
    NoBulkChannel,
    /// The peer's offer or answer is not acceptable.
    #[error("unacceptable session description: {0}")]
    Sdp(String),
    /// The channels were not open in time.
    #[error("no connection to the peer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The connection attempt failed for good before its time was over.
    #[error("failed to connect to the peer: {0}")]
    Connect(String),
    /// The network stack refused a local operation (no socket, no address, bad configuration).
    #[error("the network stack failed: {0}")]
    Stack(String),
}
