//! Why a label file cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use crate::explained::Explained;

/// A label file that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}: {fault}", path.display())]
pub struct SlpError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub fault: SlpFault,
}

/// Why.
#[derive(Debug, thiserror::Error)]
pub enum SlpFault {
    /// The system does not give it to us.
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// A folder, a pipe, a device.
    #[error("it is not a file")]
    NotAFile,
    /// No bytes.
    #[error("it is empty")]
    Empty,
    /// It does not begin as HDF5 does.
    #[error("it is not an HDF5 file, as every .slp is")]
    NotHdf5,
    /// Its own header promises more bytes than there are.
    #[error("it is cut short: {actual} of {expected} bytes are there")]
    Truncated {
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// HDF5, but without what SLEAP writes.
    #[error("it is an HDF5 file, but not one of SLEAP: {0} is not in it")]
    NotSleap(&'static str),
    /// The structure is broken.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// A limit is exceeded.
    #[error("it exceeds a limit: {0}")]
    TooLarge(String),
}

impl SlpFault {
    fn hint(&self, path: &Path) -> String {
        match self {
            Self::Unreadable(error) if error.kind() == io::ErrorKind::NotFound => "check the path".into(),
            Self::Unreadable(_) => "check the file's permissions and its disk".into(),
            Self::NotAFile => "give the .slp or .pkg.slp file itself".into(),
            Self::Empty | Self::Truncated { .. } => {
                "the download or copy did not finish: fetch it again, or save it again in SLEAP".into()
            }
            Self::NotHdf5 | Self::NotSleap(_) => "give a .slp or .pkg.slp file that SLEAP has saved".into(),
            Self::Damaged(_) => format!("open {} in SLEAP and save it again", path.display()),
            Self::TooLarge(_) => "export a training package (.pkg.slp) from SLEAP and give that".into(),
        }
    }
}

impl SlpError {
    /// The error in the three parts that a user reads.
    pub fn explained(&self) -> Explained {
        Explained {
            what: format!("cannot use {}", self.path.display()),
            cause: self.fault.to_string(),
            hint: self.fault.hint(&self.path),
        }
    }
}
