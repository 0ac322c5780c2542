//! Our files in `~/.sleap-rtc`, beside those of the Python program.
//!
//! | file | what | who else writes it |
//! |---|---|---|
//! | `installation.key` | this installation's Ed25519 key, 0600 | nobody |
//! | `config.toml` | settings, see [`crate::settings`]; only read | the user, the Python program |
//! | `credentials.json` | accounts and secrets, 0600; what is not ours is kept | the Python program |
//! | `locks/` | a lock for each device that a worker of this installation offers | nobody |
//! | `jobs/` | a file for each job that was started here | nobody |

mod credentials;
mod fences;
mod files;
mod key;

use std::path::{Path, PathBuf};

pub use credentials::Credentials;
pub use fences::FenceFile;
pub use key::client_peer_id;

use crate::env::{self, Environment};

/// The folder.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
}

/// A file of ours that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is no home folder.
    #[error("there is no home folder: set HOME or {}", env::HOME)]
    NoHome,
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {why}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong. No secrets.
        why: String,
    },
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(String),
}

impl HomeError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    fn invalid(path: &Path, why: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), why: why.into() }
    }
}

impl Home {
    /// The folder that the environment names, or `~/.sleap-rtc`. Nothing is made before it is needed.
    pub fn find(environment: &Environment) -> Result<Self, HomeError> {
        let folder = match environment.get(env::HOME) {
            Some(folder) => PathBuf::from(folder),
            None => std::env::home_dir().filter(|home| home.is_absolute()).ok_or(HomeError::NoHome)?.join(".sleap-rtc"),
        };
        Ok(Self { folder })
    }

    /// This folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The user's configuration file, if there is one.
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("config.toml")
    }
}
