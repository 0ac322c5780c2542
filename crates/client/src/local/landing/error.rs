//! Why results do not land.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::local::results::PathError;
use sleap_rtc_peer::explained::Explained;

/// Why results do not land. Nothing is then under the final name.
#[derive(Debug, thiserror::Error)]
pub enum LandingError {
    /// The disk, or the user's share of it, is full.
    #[error("the disk is full at {}", path.display())]
    DiskFull {
        /// What was written.
        path: PathBuf,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// The disk refuses.
    #[error("cannot write {}: {cause}", path.display())]
    Disk {
        /// What was written.
        path: PathBuf,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// Another process receives the same job into the same folder.
    #[error("another sleap-rtc holds {}", .0.display())]
    InUse(PathBuf),
    /// The other side names a file that is not written.
    #[error(transparent)]
    Name(#[from] PathError),
    /// A file that was not announced.
    #[error("{0:?} was not announced")]
    Unknown(String),
    /// More bytes than were announced.
    #[error("{name:?} is longer than the {len} bytes that were announced")]
    TooLong {
        /// The file.
        name: String,
        /// Its announced length, bytes.
        len: u64,
    },
    /// Fewer bytes than were announced.
    #[error("{name:?} is not whole: {have} of {len} bytes are there")]
    Incomplete {
        /// The file.
        name: String,
        /// Bytes that are there.
        have: u64,
        /// Its announced length, bytes.
        len: u64,
    },
    /// All numbered names are taken.
    #[error("{run_name} and all its numbers are taken in {}", models.display())]
    NoName {
        /// The folder of all models.
        models: PathBuf,
        /// The name.
        run_name: String,
    },
}

/// Puts the place to the system's error.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> LandingError {
    |cause| match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LandingError::DiskFull { path: path.to_owned(), cause },
        _ => LandingError::Disk { path: path.to_owned(), cause },
    }
}

impl LandingError {
    /// Whether space is what is missing.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }

    /// The error in the three parts that a user reads.
    pub fn explained(&self) -> Explained {
        let what = match self {
            Self::InUse(_) => "the job is followed in another terminal already".to_owned(),
            _ => "the results are not saved".to_owned(),
        };
        let hint = match self {
            Self::DiskFull { path, .. } => {
                format!("free some space at {}, then fetch the results again", folder_of(path).display())
            }
            Self::Disk { path, .. } => format!("check that you may write to {}", folder_of(path).display()),
            Self::InUse(_) => "look there, or end that one and try again: the job goes on".into(),
            Self::Name(_) | Self::TooLong { .. } | Self::Unknown(_) => {
                "the worker broke the rules: tell its owner, and update both sides".into()
            }
            Self::Incomplete { .. } => "fetch the results again: what is here is kept".into(),
            Self::NoName { .. } => "choose another --run-name".into(),
        };
        let cause = match self {
            Self::DiskFull { path, cause } => format!("the disk of {} is full ({cause})", path.display()),
            other => other.to_string(),
        };
        Explained { what, cause, hint }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}
