//! How the program ends: one stable number a kind of ending, documented in `docs/exit-codes.md`.

use std::process::ExitCode;

/// The program's endings. Scripts rely on the numbers: they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// All that was asked for is done.
    Ok = 0,
    /// The job ran and failed: the trainer ended with an error, or its result is not there.
    JobFailed = 1,
    /// The command line is not understood, or a value in it is not possible. Also clap's number.
    Usage = 2,
    /// Every worker that matches is taken, or none matches: the job waits in line, or never had a worker.
    NoWorker = 3,
    /// The job was cancelled.
    Cancelled = 4,
    /// The server cannot be reached.
    ServerUnreachable = 5,
    /// The room, its token or the credential is wrong, or the room has expired.
    RoomRefused = 6,
    /// A file that was given cannot be used: labels, video, configuration.
    BadInput = 7,
    /// The worker cannot be reached, or was lost.
    WorkerUnreachable = 8,
    /// A file or folder of this machine cannot be written; usually the disk is full.
    LocalDisk = 9,
    /// There is no trainer, or it cannot be installed.
    NoTrainer = 10,
    /// `doctor` found something that will not work.
    Unhealthy = 11,
    /// The address, the GPU or the name is in use by another program.
    Taken = 12,
    /// There is no such job.
    NoSuchJob = 13,
    /// A fault of this program.
    Internal = 70,
    /// Ended by Ctrl-C or SIGTERM before there was anything to end otherwise.
    Interrupted = 130,
}

impl Exit {
    /// Every ending, in the order of the numbers.
    pub const ALL: [Self; 16] = [
        Self::Ok,
        Self::JobFailed,
        Self::Usage,
        Self::NoWorker,
        Self::Cancelled,
        Self::ServerUnreachable,
        Self::RoomRefused,
        Self::BadInput,
        Self::WorkerUnreachable,
        Self::LocalDisk,
        Self::NoTrainer,
        Self::Unhealthy,
        Self::Taken,
        Self::NoSuchJob,
        Self::Internal,
        Self::Interrupted,
    ];

    /// The process's exit status.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The same for a program that reads `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::JobFailed => "job_failed",
            Self::Usage => "usage",
            Self::NoWorker => "no_worker",
            Self::Cancelled => "cancelled",
            Self::ServerUnreachable => "server_unreachable",
            Self::RoomRefused => "room_refused",
            Self::BadInput => "bad_input",
            Self::WorkerUnreachable => "worker_unreachable",
            Self::LocalDisk => "local_disk",
            Self::NoTrainer => "no_trainer",
            Self::Unhealthy => "unhealthy",
            Self::Taken => "taken",
            Self::NoSuchJob => "no_such_job",
            Self::Internal => "internal",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
