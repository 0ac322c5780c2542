//! Whether a job can be done here, found out before its files are taken.

use std::sync::Arc;

use sleap_rtc_peer::worker_pool::WorkerHandle;
use sleap_rtc_session::WorkerInput;
use sleap_rtc_session::pool_worker::Start;
use sleap_rtc_wire::job::{FailCode, JobSpec};

use crate::folder::JobFolder;
use crate::job::Means;
use crate::run;
use crate::sys::host::free_bytes;

/// Free space that a job must leave on the disk, bytes: checkpoints, logs, and the machine's owner.
const RESERVE: u64 = 1 << 30;

/// A job that somebody has brought.
pub(crate) struct Brought {
    /// What it is.
    pub(crate) job: JobSpec,
    /// How many bytes its files have.
    pub(crate) bytes: u64,
    /// Where it is to live.
    pub(crate) folder: JobFolder,
    /// What the pool is asked for; `None` if nobody proved itself.
    pub(crate) start: Option<Start>,
}

/// Checks the job, makes its folder, and takes the slot for it.
pub(crate) async fn accept(brought: Brought, means: Arc<Means>, pool: WorkerHandle) -> WorkerInput {
    let Brought { job, bytes, folder, start } = brought;
    let checked = tokio::task::spawn_blocking(move || acceptable(&means, &folder, &job, bytes)).await;
    match checked {
        Ok(Ok(())) => take_slot(&pool, start).await,
        Ok(Err((code, cause))) => WorkerInput::Rejected { code, cause },
        Err(error) => {
            tracing::error!(%error, "looking at a job broke off");
            let cause = "a fault in the worker; its log says more".to_owned();
            WorkerInput::Rejected { code: FailCode::Internal, cause }
        }
    }
}

fn acceptable(means: &Means, folder: &JobFolder, job: &JobSpec, bytes: u64) -> Result<(), (FailCode, String)> {
    if job.trainer != "sleap-nn" {
        return Err((FailCode::NoTrainer, format!("this worker has no trainer called {:?}", job.trainer)));
    }
    run::check(job, &means.device)?;
    folder.make().map_err(|error| (FailCode::Internal, format!("cannot make the job's folder: {error}")))?;
    // Each byte is there twice for a while: as a chunk and in its file.
    let needed = bytes.saturating_mul(2).saturating_add(RESERVE);
    let short = || free_bytes(folder.root()).filter(|free| *free < needed);
    if short().is_some() {
        // What earlier jobs have left must not keep one out.
        if let Err(error) = means.store.prune(0) {
            tracing::warn!(%error, "the data of earlier jobs cannot be removed");
        }
    }
    match short() {
        Some(free) => {
            let (free, needed) = (free >> 20, needed >> 20);
            Err((FailCode::DiskFull, format!("it has {free} MB free, this job needs {needed} MB")))
        }
        None => Ok(()),
    }
}

async fn take_slot(pool: &WorkerHandle, start: Option<Start>) -> WorkerInput {
    let refused = |cause: String| WorkerInput::Rejected { code: FailCode::Internal, cause };
    let Some(start) = start else { return refused("nobody proved itself".to_owned()) };
    match pool.start(start).await {
        Ok(()) => WorkerInput::Accepted,
        Err(error) => refused(error.to_string()),
    }
}
