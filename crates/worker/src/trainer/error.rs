//! Why a trainer cannot be used or started.

use std::io;
use std::path::PathBuf;

use sleap_rtc_wire::job::FailCode;

use super::command::CommandError;
use super::config::ConfigError;
use super::version::{MINIMUM, Version};

/// Why a trainer cannot be used or started.
#[derive(Debug, thiserror::Error)]
pub enum TrainerError {
    /// It does not start or answer.
    #[error("the trainer {} does not work: {reason}", path.display())]
    Broken {
        /// The program.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// Its version is too old.
    #[error("the trainer {} is version {found}, older than {MINIMUM}", path.display())]
    TooOld {
        /// The program.
        path: PathBuf,
        /// What it says it is.
        found: Version,
    },
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A value of the job cannot be part of a command line.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The configuration names validation labels that the job does not carry.
    #[error("the configuration names validation labels, but the job carries none")]
    NoValLabels,
    /// The trainer could not write a configuration.
    #[error("the trainer could not make a configuration from the labels: {0}")]
    Auto(String),
    /// The job's folder cannot be written, or a process or port not be had.
    #[error("cannot {what}: {source}")]
    System {
        /// In words.
        what: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl TrainerError {
    /// For a program.
    pub fn code(&self) -> FailCode {
        match self {
            Self::Broken { .. } | Self::TooOld { .. } => FailCode::NoTrainer,
            Self::Config(_) | Self::Command(_) | Self::NoValLabels => FailCode::BadConfig,
            Self::Auto(_) => FailCode::BadData,
            Self::System { source, .. } if is_disk_full(source) => FailCode::DiskFull,
            Self::System { .. } => FailCode::Internal,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Broken { path, .. } => Some(format!("try `{} --version` by hand", path.display())),
            Self::TooOld { .. } => Some(format!("install sleap-nn {MINIMUM} or later: `sleap-rtc trainer install`")),
            Self::Config(error) => error.hint(),
            Self::NoValLabels => {
                Some("set data_config.val_labels_path to null, or send the validation labels too".into())
            }
            Self::Auto(_) => Some("give a configuration: --config FILE.yaml".into()),
            Self::Command(_) | Self::System { .. } => None,
        }
    }
}

/// No space, or the quota is used up.
pub(super) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
