//! How a training ends that nothing went wrong with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sleap_rtc_wire::job::Terminal;
use sleap_rtc_wire::{JobId, PeerId};

/// Results under their final name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landed {
    /// The folder.
    pub folder: PathBuf,
    /// Files in it.
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
}

/// How a training ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrainOutcome {
    /// The model is home.
    Trained {
        /// The job.
        job_id: JobId,
        /// The worker.
        worker: PeerId,
        /// How it ended, e.g. early at the user's wish.
        terminal: Terminal,
        /// Where the model is.
        landed: Landed,
    },
    /// The user cancelled it.
    Cancelled {
        /// The job.
        job_id: JobId,
    },
    /// The user left; the job goes on at the worker. [`crate::attach`] comes back.
    Left {
        /// The job.
        job_id: JobId,
        /// The worker.
        worker: PeerId,
    },
}
