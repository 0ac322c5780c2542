//! What is remembered of each job, so that another terminal can stop it, and a later day fetch its results: one file a
//! job in `~/.sleap-rtc/jobs/`. No secrets: the job's owner is the installation's key.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sleap_rtc_peer::home::{Home, HomeError};
use sleap_rtc_session::Target;
use sleap_rtc_wire::job::Terminal;
use sleap_rtc_wire::{ClaimId, Fence, JobId, PeerId, PublicKey, RoomId, Time};

use crate::outcome::Landed;

/// Files that are kept; the oldest ended ones go first.
const KEPT: usize = 200;

/// A job that a worker has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFile {
    /// The job.
    pub job_id: JobId,
    /// The server's address when it began.
    pub server: String,
    /// The room.
    pub room: RoomId,
    /// The worker.
    pub worker: PeerId,
    /// How people call the worker.
    pub worker_name: String,
    /// The key that the worker proves.
    pub worker_key: PublicKey,
    /// Which try of the job.
    pub attempt: u32,
    /// The claim by which it came.
    pub claim_id: ClaimId,
    /// Its fence.
    pub fence: Fence,
    /// The labels, for people.
    pub labels: String,
    /// The name under which the results land …
    pub run_name: String,
    /// … in this folder.
    pub models: PathBuf,
    /// When the worker took it.
    pub started_at: Time,
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

impl JobFile {
    /// Where the job is, for a session of the peer `me`.
    pub fn target(&self, me: PeerId) -> Target {
        Target {
            room: self.room.clone(),
            me,
            worker: self.worker.clone(),
            worker_key: self.worker_key,
            job_id: self.job_id.clone(),
            attempt: self.attempt,
            claim_id: self.claim_id.clone(),
            fence: self.fence,
        }
    }

    /// Writes the file, over an older one.
    pub(crate) fn save(&self, home: &Home) -> Result<(), HomeError> {
        let folder = folder(home);
        let path = path(home, &self.job_id);
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

fn path(home: &Home, job: &JobId) -> PathBuf {
    // Job ids are letters, digits, '-' and '_'.
    folder(home).join(format!("{job}.json"))
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> HomeError {
    let path = path.to_owned();
    move |source| HomeError::Io { path, source }
}

/// One job; `None` if it is not known here.
pub fn load(home: &Home, job: &JobId) -> Result<Option<JobFile>, HomeError> {
    read(&path(home, job))
}

fn read(path: &Path) -> Result<Option<JobFile>, HomeError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(path)(error)),
    };
    let invalid = |error: serde_json::Error| HomeError::Invalid { path: path.to_owned(), why: error.to_string() };
    serde_json::from_str(&text).map(Some).map_err(invalid)
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

/// The newest job that has not ended as far as is known here, else the newest.
pub fn latest(home: &Home) -> Result<Option<JobFile>, HomeError> {
    let jobs = list(home)?;
    let open = jobs.iter().position(|job| job.end.is_none()).unwrap_or(0);
    Ok(jobs.into_iter().nth(open))
}

/// Removes the oldest files of ended jobs beyond [`KEPT`].
pub(crate) fn prune(home: &Home) -> Result<(), HomeError> {
    for job in list(home)?.into_iter().skip(KEPT).filter(|job| job.end.is_some()) {
        let path = path(home, &job.job_id);
        fs::remove_file(&path).map_err(io(&path))?;
    }
    Ok(())
}
