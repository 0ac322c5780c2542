//! Why a store could not do what it was asked.

use std::path::PathBuf;

use sleap_rtc_wire::RoomId;

/// Why a read or a write failed. "Not found" is no error: reads answer with `Option`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer, or refused for a reason of its own (disk full, closed). Nothing was changed.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The store has this room with a higher epoch: another server has opened it since. Nothing was changed.
    #[error("room {room_id} was opened by a later server (epoch {stored})")]
    Stale {
        /// The room.
        room_id: RoomId,
        /// Its epoch in the store.
        stored: u64,
    },
    /// Another account has this name. Nothing was changed.
    #[error("the name {0} is taken")]
    NameTaken(String),
    /// A record cannot be read.
    #[error("corrupt record in the store: {0}")]
    Corrupt(String),
}

/// Why a store file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server holds the folder.
    #[error("{} is in use by another server", .0.display())]
    Locked(PathBuf),
    /// A newer version of this program has written it.
    #[error("{} was written by a newer version (schema {found}, this program knows {known})", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file system refused.
    #[error("cannot open {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a database, or damaged.
    #[error("cannot open {}: {reason}", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}
