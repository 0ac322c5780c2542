//! What is remembered of each job, so that another terminal can see and stop it, and a later day fetch its results: one
//! file a job in `~/.sleap-rtc/jobs/`. No secrets: the job's owner is the installation's key.
//!
//! A job that waits in line has its file before it has a worker; [`state`] tells the two apart. Besides `JOB.json` there may
//! be `JOB.lock`, held by the program that waits, and `JOB.leave`, by which another terminal asks it to leave the line.

mod line;
mod state;

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sleap_rtc_peer::home::{Home, HomeError};
use sleap_rtc_session::Target;
use sleap_rtc_wire::job::Terminal;
use sleap_rtc_wire::{ClaimId, Fence, JobId, PeerId, PublicKey, RoomId, Time};

pub(crate) use line::InLine;
pub use line::{Told, Waiting};
pub(crate) use line::{ask_to_leave, asked_to_leave, forget_wish};
pub use state::{Progress, State, state};

use crate::outcome::Landed;

/// Files that are kept; the oldest ended ones go first.
const KEPT: usize = 200;

/// A job that waits in line, or that a worker has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFile {
    /// The job.
    pub job_id: JobId,
    /// The server's address when it began.
    pub server: String,
    /// The room.
    pub room: RoomId,
    /// Who has it; `None` while it waits for its first worker.
    #[serde(flatten)]
    pub holder: Option<Holder>,
    /// Which try of the job the holder has, from 1.
    pub attempt: u32,
    /// The labels, for people.
    pub labels: String,
    /// The name under which the results land …
    pub run_name: String,
    /// … in this folder.
    pub models: PathBuf,
    /// When it began to wait, or the worker took it.
    pub started_at: Time,
    /// Its place in line, for as long as its program looks for a worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// How far the worker is, as far as it is known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// When the worker was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<Time>,
    /// The workers of earlier tries. Their results are not this job's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Holder>,
    /// The last event that was shown, apart from the end.
    #[serde(default)]
    pub last_seq: u64,
    /// How the job ended, as far as it is known here.
    #[serde(default)]
    pub end: Option<Terminal>,
    /// Its results, if they are here.
    #[serde(default)]
    pub landed: Option<Landed>,
}

/// The worker that has a job, and by what right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The worker.
    pub worker: PeerId,
    /// How people call the worker.
    pub worker_name: String,
    /// The key that the worker proves.
    pub worker_key: PublicKey,
    /// The claim by which the job came.
    pub claim_id: ClaimId,
    /// Its fence.
    pub fence: Fence,
}

impl JobFile {
    /// Where the job is, for a session of the peer `me`; `None` while no worker has it.
    pub fn target(&self, me: PeerId) -> Option<Target> {
        let holder = self.holder.as_ref()?;
        Some(Target {
            room: self.room.clone(),
            me,
            worker: holder.worker.clone(),
            worker_key: holder.worker_key,
            job_id: self.job_id.clone(),
            attempt: self.attempt,
            claim_id: holder.claim_id.clone(),
            fence: holder.fence,
        })
    }

    /// How people call its worker; empty while it has none.
    pub fn worker_name(&self) -> &str {
        self.holder.as_ref().map_or("", |holder| &holder.worker_name)
    }

    /// Writes the file, over an older one.
    pub(crate) fn save(&self, home: &Home) -> Result<(), HomeError> {
        let folder = folder(home);
        let path = path(home, &self.job_id, "json");
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| HomeError::Invalid { path: path.clone(), why: error.to_string() })?;
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(io(&folder))?;
        file.write_all(text.as_bytes()).map_err(io(&path))?;
        file.persist(&path).map_err(|error| io(&path)(error.error))?;
        Ok(())
    }
}

fn folder(home: &Home) -> PathBuf {
    home.folder().join("jobs")
}

fn path(home: &Home, job: &JobId, ending: &str) -> PathBuf {
    // Job ids are letters, digits, '-' and '_'.
    folder(home).join(format!("{job}.{ending}"))
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> HomeError {
    let path = path.to_owned();
    move |source| HomeError::Io { path, source }
}

/// One job; `None` if it is not known here.
pub fn load(home: &Home, job: &JobId) -> Result<Option<JobFile>, HomeError> {
    read(&path(home, job, "json"))
}

fn read(path: &Path) -> Result<Option<JobFile>, HomeError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(path)(error)),
    };
    let invalid = |why: String| HomeError::Invalid { path: path.to_owned(), why };
    let value: Value = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    let job: JobFile = serde_json::from_value(value.clone()).map_err(|error| invalid(error.to_string()))?;
    // A worker that cannot be read looks like none at all.
    if job.holder.is_none() && value.get("worker").is_some() {
        let why = serde_json::from_value::<Holder>(value).err().map(|error| error.to_string());
        return Err(invalid(why.unwrap_or_default()));
    }
    if job.holder.is_none() && job.waiting.is_none() && job.end.is_none() {
        return Err(invalid("it names neither a worker nor a place in line".to_owned()));
    }
    Ok(Some(job))
}

/// All jobs, the newest first. Files that are none are left out.
pub fn list(home: &Home) -> Result<Vec<JobFile>, HomeError> {
    let folder = folder(home);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(&folder)(error)),
    };
    let mut jobs = Vec::new();
    for entry in entries {
        let path = entry.map_err(io(&folder))?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            match read(&path) {
                Ok(job) => jobs.extend(job),
                Err(error) => tracing::warn!(%error, "a job's file is left out"),
            }
        }
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(job.started_at));
    Ok(jobs)
}

/// The newest job that a worker has and that has not ended as far as is known here, else the newest that waits, else the
/// newest.
pub fn latest(home: &Home) -> Result<Option<JobFile>, HomeError> {
    let jobs = list(home)?;
    let open = |job: &&JobFile| job.end.is_none();
    let runs = jobs.iter().filter(open).find(|job| job.holder.is_some());
    Ok(runs.or_else(|| jobs.iter().find(open)).or(jobs.first()).cloned())
}

/// Removes the oldest files of jobs of which nothing more will become, beyond [`KEPT`].
pub(crate) fn prune(home: &Home, now: Time) -> Result<(), HomeError> {
    for job in list(home)?.into_iter().skip(KEPT) {
        if !matches!(state(home, &job, now), State::Ended(_) | State::Gone) {
            continue;
        }
        let path = path(home, &job.job_id, "json");
        fs::remove_file(&path).map_err(io(&path))?;
        line::forget(home, &job.job_id);
    }
    Ok(())
}
