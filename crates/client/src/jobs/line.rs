//! A job's place in line, written down for other terminals while its program waits.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};
use sleap_rtc_peer::home::{Home, HomeError};
use sleap_rtc_wire::claim::{ClaimWaiting, Reason, Workers};
use sleap_rtc_wire::{JobId, Time};

use super::{JobFile, folder, io, path};

/// A file that nobody has written for so long belongs to a program that is gone, where locks cannot tell, ms.
const STALE_MS: u64 = 60_000;
/// How often a file of a place that does not change is written, ms: a third of the above.
const BEAT_MS: u64 = STALE_MS / 3;

/// A place in line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The process that waits, for people.
    pub pid: u32,
    /// Since when it waits.
    pub since: Time,
    /// When this was written.
    pub updated_at: Time,
    /// What the server said last.
    #[serde(flatten)]
    pub told: Told,
}

/// What the server says of a place in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The place, from 1.
    pub place: u32,
    /// Why there is no worker yet.
    pub reason: Reason,
    /// The numbers behind the reason.
    #[serde(flatten)]
    pub workers: Workers,
    /// In how many ms there is a worker at the latest, if that can be said; counted from when this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_ms: Option<u64>,
}

impl From<&ClaimWaiting> for Told {
    fn from(waiting: &ClaimWaiting) -> Self {
        let ClaimWaiting { place, reason, workers, estimate_ms, .. } = *waiting;
        Self { place, reason, workers, estimate_ms }
    }
}

/// A job that waits, and its file. The file says so until [`InLine::into_file`], or until this program ends.
pub(crate) struct InLine {
    home: Home,
    file: JobFile,
    since: Time,
    /// Held from the first word on.
    lock: Option<File>,
}

impl InLine {
    /// A job that nothing has been said of yet: nothing is written.
    pub(crate) const fn new(home: Home, file: JobFile, since: Time) -> Self {
        Self { home, file, since, lock: None }
    }

    /// Writes the place down. Without the file other terminals do not see the job; it waits all the same.
    pub(crate) fn told(&mut self, waiting: &ClaimWaiting, now: Time) {
        let (pid, told) = (std::process::id(), Told::from(waiting));
        self.file.waiting = Some(Waiting { pid, since: self.since, updated_at: now, told });
        if let Err(error) = self.write() {
            tracing::warn!(%error, "the place in line cannot be written down");
        }
    }

    /// Says that the place has not changed, if it is time to.
    pub(crate) fn beat(&mut self, now: Time) {
        let Some(waiting) = &mut self.file.waiting else { return };
        let passed = now.since(waiting.updated_at);
        if passed < BEAT_MS {
            return;
        }
        waiting.updated_at = now;
        waiting.told.estimate_ms = waiting.told.estimate_ms.map(|ms| ms.saturating_sub(passed));
        if let Err(error) = self.write() {
            tracing::warn!(%error, "the place in line cannot be written down");
        }
    }

    /// Whether anything was written.
    pub(crate) const fn is_written(&self) -> bool {
        self.file.waiting.is_some()
    }

    /// The file, which says no more that the job waits once it is saved.
    pub(crate) fn into_file(mut self) -> JobFile {
        self.file.waiting = None;
        if self.lock.take().is_some() {
            remove(&self.home, &self.file.job_id, "lock");
        }
        self.file
    }

    fn write(&mut self) -> Result<(), HomeError> {
        if self.lock.is_none() {
            self.lock = Some(lock(&self.home, &self.file.job_id)?);
        }
        self.file.save(&self.home)
    }
}

/// Takes the lock that shows that the program is there. Some file systems have none: then only the file's age tells.
fn lock(home: &Home, job: &JobId) -> Result<File, HomeError> {
    let folder = folder(home);
    fs::create_dir_all(&folder).map_err(io(&folder))?;
    let path = path(home, job, "lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io(&path))?;
    match file.try_lock() {
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(HomeError::Invalid { path, why: "another program waits for this job".to_owned() })
        }
    }
}

/// Whether the program that waits is there.
pub(super) fn is_held(home: &Home, job: &JobId, waiting: &Waiting, now: Time) -> bool {
    let fresh = now.since(waiting.updated_at) < STALE_MS;
    // Reading would do, but some systems lock only what can be written.
    let Ok(file) = OpenOptions::new().write(true).open(path(home, job, "lock")) else { return false };
    match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => fresh,
    }
}

/// Asks the program that waits to leave the line.
pub(crate) fn ask_to_leave(home: &Home, job: &JobId) -> Result<(), HomeError> {
    let path = path(home, job, "leave");
    fs::write(&path, []).map_err(io(&path))
}

/// Whether another terminal has asked that.
pub(crate) fn asked_to_leave(home: &Home, job: &JobId) -> bool {
    path(home, job, "leave").exists()
}

/// Takes the question back, or the answer for granted.
pub(crate) fn forget_wish(home: &Home, job: &JobId) {
    remove(home, job, "leave");
}

/// Removes what a program that was killed may have left beside a job's file.
pub(super) fn forget(home: &Home, job: &JobId) {
    remove(home, job, "leave");
    remove(home, job, "lock");
}

/// Removes an empty file, which does no harm if it stays.
fn remove(home: &Home, job: &JobId, ending: &str) {
    let path = path(home, job, ending);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "a file that has served cannot be removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_estimate_gets_shorter_while_the_place_stays() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let file = serde_json::from_value(json!({
            "job_id": "j1", "server": "s", "room": "r1", "attempt": 1, "labels": "l", "run_name": "n", "models": "m",
            "started_at": 0,
        }));
        let mut line = InLine::new(home, file.unwrap(), Time(0));
        let waiting = json!({"request_id": "r1", "place": 1, "reason": "all_matching_busy", "estimate_ms": 60_000});
        line.told(&serde_json::from_value(waiting).unwrap(), Time(1_000));
        line.beat(Time(1_000 + BEAT_MS));
        let waiting = line.file.waiting.clone().unwrap();
        assert_eq!((waiting.updated_at, waiting.told.estimate_ms), (Time(1_000 + BEAT_MS), Some(60_000 - BEAT_MS)));
    }
}
