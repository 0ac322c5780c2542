//! Why somebody could not be told who they are.

use std::path::PathBuf;

use sleap_rtc_store::StoreError;

/// Why a sign-in or a token was refused.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Not a token of this server, or not whole.
    #[error("not a token of this server")]
    InvalidToken,
    /// Its hour is over.
    #[error("token has expired")]
    TokenExpired,
    /// The identity has been forgotten since.
    #[error("identity no longer exists")]
    Forgotten,
    /// The nonce is not one of this server's, too old, used before, or made for another key.
    #[error("nonce is not valid, or no longer")]
    InvalidNonce,
    /// The signature does not fit key, nonce and audience.
    #[error("signature is not valid")]
    InvalidSignature,
    /// More sign-ins within a minute than this server remembers.
    #[error("too many sign-ins, try again in a minute")]
    TooMany,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gave no random numbers.
    #[error("no random numbers: {0}")]
    Random(String),
}

impl IdentityError {
    /// Whether the fault is the server's, and the same request may succeed later. Never answer such a fault with 401: deployed
    /// programs throw their credential away on it.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Random(_) | Self::TooMany)
    }
}

/// Why the server's own key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file system refused.
    #[error("cannot use {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not hold a key.
    #[error("{} does not hold a key: 32 bytes as 64 hex digits are expected", .0.display())]
    NotAKey(PathBuf),
    /// The system gave no random numbers.
    #[error("no random numbers: {0}")]
    Random(String),
}
