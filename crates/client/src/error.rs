//! Why a verb did not do what it was to do.

use std::path::PathBuf;

use sleap_rtc_peer::chunks::DiskError;
use sleap_rtc_peer::home::HomeError;
use sleap_rtc_peer::settings::SettingsError;
use sleap_rtc_session::job_client::BadPlan;
use sleap_rtc_session::pool_client::Failure;
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_session::{ClientError, TransferError};
use sleap_rtc_wire::claim::ClaimRefused;
use sleap_rtc_wire::job::Terminal;
use sleap_rtc_wire::{JobId, RoomId};

use crate::jobs::Waiting;
use crate::local::{LandingError, PlanError};

/// Kinds of errors, for exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The command line or the settings: no room, no token, a name that cannot be used.
    Usage,
    /// Labels, videos or a configuration cannot be used, as this machine or the worker found.
    BadInput,
    /// The server cannot be reached.
    ServerUnreachable,
    /// The room, its token or the credential is wrong, or the room has expired.
    RoomRefused,
    /// No worker that matches is free, or none matches; the job waits for one, or never had one.
    NoWorker,
    /// The worker cannot be reached, is not who it must be, or was lost.
    WorkerUnreachable,
    /// The worker has no trainer.
    NoTrainer,
    /// The job ran and failed.
    JobFailed,
    /// A file or folder of this machine cannot be written; usually the disk is full.
    LocalDisk,
    /// The results or the job are in use by another program of this user.
    Taken,
    /// There is no such job.
    NoSuchJob,
    /// A fault of this program.
    Internal,
}

/// Why a verb did not do what it was to do. No secrets.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The settings cannot be used: no room, no token.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A file of ours cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The user's files cannot be used. Nothing was claimed.
    #[error(transparent)]
    Input(#[from] PlanError),
    /// The run's name cannot be used.
    #[error("{name:?} cannot be the name of a run: {why}")]
    RunName {
        /// The name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// The filter is too long: too many tags.
    #[error("{0}")]
    Filter(String),
    /// The job cannot be described.
    #[error(transparent)]
    Job(#[from] BadPlan),
    /// The folder of the models cannot be used. Nothing was claimed.
    #[error(transparent)]
    Models(#[from] LandingError),
    /// The disk refuses the store of the results. Nothing was sent.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is no line to the server: it cannot be reached, or refused us (room, token, expired).
    #[error("{cause}")]
    Server {
        /// Its address.
        server: String,
        /// The room.
        room: RoomId,
        /// Why.
        cause: Cause,
    },
    /// No worker, with the server's reason and numbers.
    #[error("{}", .refused.message)]
    NoWorker {
        /// The room.
        room: RoomId,
        /// What the server said.
        refused: Box<ClaimRefused>,
        /// What workers are there, where none matches.
        there: Option<String>,
    },
    /// Another call to the server or, over it, to the worker failed.
    #[error("{failure}")]
    Call {
        /// Its address.
        server: String,
        /// How people call the worker, if it was about one.
        worker: Option<String>,
        /// Why.
        failure: Box<Failure>,
    },
    /// The worker signed in without a key: it cannot prove who it is.
    #[error("worker {0} has no key")]
    NoKey(String),
    /// The session with the worker failed.
    #[error("{error}")]
    Worker {
        /// The job.
        job_id: JobId,
        /// How people call the worker.
        worker: String,
        /// Why.
        error: ClientError,
    },
    /// The job is over and failed.
    #[error("the job failed: {}", .terminal.cause.as_deref().unwrap_or("the worker gave no cause"))]
    Failed {
        /// The job.
        job_id: JobId,
        /// How people call the worker.
        worker: String,
        /// How it ended.
        terminal: Box<Terminal>,
        /// What it left, such as its log, in a folder whose name ends with `.failed`.
        folder: Option<PathBuf>,
    },
    /// The job is over; its results are with the worker and not here.
    #[error("the results are not here: {error}")]
    Results {
        /// The job.
        job_id: JobId,
        /// How people call the worker.
        worker: String,
        /// How it ended.
        terminal: Box<Terminal>,
        /// Why.
        error: TransferError,
        /// The folder of the models.
        models: PathBuf,
    },
    /// The job completed, but its worker has no files of it.
    #[error("worker {worker} has no results")]
    NoResults {
        /// The job.
        job_id: JobId,
        /// How people call the worker.
        worker: String,
    },
    /// The job waits in line; the program that waits for it is elsewhere.
    #[error("job {job_id} waits in line")]
    InLine {
        /// The job.
        job_id: JobId,
        /// Its place.
        waiting: Box<Waiting>,
    },
    /// No worker has ever had the job, and nobody waits for one any more.
    #[error("job {job_id} has never had a worker")]
    NeverRan {
        /// The job.
        job_id: JobId,
        /// Its labels.
        labels: String,
        /// Why, if its program could say so.
        cause: Option<String>,
    },
    /// No such job is known here; `None`: none at all.
    #[error("no job {} is known here", .0.as_deref().unwrap_or("of yours"))]
    NoSuchJob(Option<String>),
    /// The job is in another room than the settings name.
    #[error("job {job_id} is in room {theirs}, and {ours} is set")]
    OtherRoom {
        /// The job.
        job_id: JobId,
        /// The job's room.
        theirs: RoomId,
        /// The room that is set.
        ours: RoomId,
    },
    /// A fault of this program.
    #[error("{0}")]
    Internal(String),
}
