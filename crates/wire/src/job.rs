//! What a job is, what it reports, and how it ends: the words that client, worker and screen share.

use serde::{Deserialize, Serialize};

use crate::{JobId, Time};

/// A training job: a list of stages that share one claim, one slot, one id and one end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The job.
    pub job_id: JobId,
    /// Which try of it, from 1.
    pub attempt: u32,
    /// Name of the trainer in the worker's own configuration; `sleap-nn` is always there.
    pub trainer: String,
    /// The name under which the results land; made by the client, safe on every system.
    pub run_name: String,
    /// The labels' path in the job's files.
    pub labels: String,
    /// Validation labels, if they are a file of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_labels: Option<String>,
    /// Where the videos are that the labels name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub videos: Vec<VideoPath>,
    /// Empty: the worker's trainer writes the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageSpec>,
    /// What the user typed beside the configuration.
    #[serde(default)]
    pub options: TrainOptions,
}

/// A video that the labels name by a path of the user's machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoPath {
    /// The path as the labels have it.
    pub stored: String,
    /// Its path in the job's files.
    pub path: String,
}

/// One model to train.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSpec {
    /// For people and folders: `centroid`, `centered_instance`, …; unique in its job.
    pub name: String,
    /// The configuration, YAML, as the user wrote it. The worker re-emits it from an allow-list.
    pub config: String,
}

/// Typed options; `None` leaves the configuration's value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainOptions {
    /// `max_epochs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// Of training and validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// Learning rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Kind of model, where the trainer writes the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
}

/// What the worker does for the job now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Taking the client's files.
    Receiving,
    /// Checking configuration and disk, laying out the folder.
    Preparing,
    /// The trainer writes a configuration from the labels.
    Configuring,
    /// The trainer's process has started and loads its libraries.
    Importing,
    /// Epochs.
    Training,
    /// After the last epoch.
    Evaluating,
    /// Hashing and sending the results.
    Returning,
    /// A phase of a newer worker.
    #[serde(other)]
    Unknown,
}

/// One line of a job's story. `seq` grows by one from 1 over the whole job, over all links.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobEvent {
    /// Its number.
    pub seq: u64,
    /// When it happened, on the worker's clock.
    pub at: Time,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A phase began.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// A stage began.
    Stage {
        /// From 0.
        index: u32,
        /// How many there are.
        count: u32,
        /// Its name.
        name: String,
    },
    /// How long training may be, as the trainer's own configuration says.
    Plan {
        /// Epochs at most; it may stop earlier.
        epochs: Option<u32>,
        /// Batches an epoch.
        steps: Option<u32>,
    },
    /// Some batches further. Coalesced: at most a few a second.
    Batch {
        /// Epoch, from 0.
        epoch: u32,
        /// Batches done in it.
        batch: u32,
        /// The last batch's loss; absent if it is not a number.
        loss: Option<f64>,
    },
    /// An epoch ended.
    Epoch {
        /// From 0.
        epoch: u32,
        /// Mean of its batches.
        train_loss: Option<f64>,
        /// On the validation set.
        val_loss: Option<f64>,
    },
    /// A line of the trainer's output, cleaned.
    Log {
        /// Where it came from.
        stream: Stream,
        /// The line.
        line: String,
    },
    /// Something the user should know.
    Warning {
        /// In a sentence.
        text: String,
    },
    /// The job is over; nothing follows.
    End {
        /// How.
        end: Terminal,
    },
    /// An event of a newer worker.
    #[serde(other)]
    Unknown,
}

/// Which output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// The one state in which a job ends. Recorded by the worker before anybody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndState {
    /// A model is there.
    Completed,
    /// No model, or not the one that was asked for.
    Failed,
    /// The user ended it.
    Cancelled,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// Completed, failed or cancelled.
    pub state: EndState,
    /// Completed early at the user's wish.
    #[serde(default)]
    pub stopped_early: bool,
    /// For a program, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<FailCode>,
    /// For a person: the trainer's last error line, the disk that is full, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The trainer's exit code, negative for a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// On the worker's clock.
    pub ended_at: Time,
}

/// Why a job failed or was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailCode {
    /// The configuration is not one, or has a key that is not allowed.
    BadConfig,
    /// The labels or videos cannot be used.
    BadData,
    /// The trainer ended with an error.
    TrainerFailed,
    /// The trainer is not installed or too old.
    NoTrainer,
    /// A GPU was promised and could not be used.
    NoGpu,
    /// The worker's disk is full.
    DiskFull,
    /// The worker's program ended while the job ran.
    WorkerLost,
    /// The transfer could not be finished.
    TransferFailed,
    /// A fault of the worker.
    Internal,
    /// A code of a newer worker.
    #[serde(other)]
    Unknown,
}
