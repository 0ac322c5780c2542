//! Where a job lives on the worker: `jobs/<job id>/` with the record, and `work/` in which the trainer runs. When a later attempt
//! of the job comes here, what the earlier one has left moves to `earlier/<job id>.<attempt>/`.
//!
//! Only `labels/` and `videos/` of `work/` come from the client; `configs/`, `logs/`, `models/` are made here.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use sleap_rtc_peer::chunks::{ChunkStore, DiskError};
use sleap_rtc_session::{JobState, replay};
use sleap_rtc_wire::job::JobSpec;
use sleap_rtc_wire::manifest::{FileEntry, Manifest};
use sleap_rtc_wire::{JobId, Time};

use crate::run::stage_run_name;
use crate::trainer::command::MODELS;

#[cfg(test)]
pub(crate) mod tests;

/// How long results are kept for a client that comes back, ms: 14 days.
const KEPT_MS: u64 = 14 * 24 * 3_600_000;

/// The folders of `work/` that a client may fill.
const FROM_CLIENT: [&str; 2] = ["labels/", "videos/"];

/// Where files are put together before all are there.
const PARTIAL: &str = "work.partial";

/// The name of a stage's log among the results.
const LOG: &str = "trainer.log";

/// What a job has left.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Paths as the client shall have them.
    pub(crate) files: Vec<FileEntry>,
    /// Where they are here.
    pub(crate) sources: HashMap<String, PathBuf>,
}

/// One job's folder.
#[derive(Clone, Debug)]
pub(crate) struct JobFolder(PathBuf);

impl JobFolder {
    /// The folder of a job in `jobs`. Job ids are words: they are safe as names.
    pub(crate) fn of(jobs: &Path, job: &JobId) -> Self {
        Self(jobs.join(job.as_str()))
    }

    /// The whole folder.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// The append-only record.
    pub(crate) fn record(&self) -> PathBuf {
        self.0.join("record.jsonl")
    }

    /// Where the trainer runs.
    pub(crate) fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// Made new: what an earlier attempt has left is kept apart, and what was never accepted is taken away. It lasts: what its
    /// record will say must not go with it.
    pub(crate) fn make(&self) -> io::Result<()> {
        self.put_aside()?;
        self.remove()?;
        fs::create_dir_all(&self.0)?;
        // Not every system lets a folder be opened; there, names last by themselves.
        match self.0.parent().map(fs::File::open) {
            Some(Ok(jobs)) => jobs.sync_all(),
            _ => Ok(()),
        }
    }

    fn put_aside(&self) -> io::Result<()> {
        // What cannot be read was told when the worker started; without an end nothing of it counts.
        let Ok(Some(state)) = self.state() else { return Ok(()) };
        if state.end.is_none() {
            return Ok(());
        }
        let Some(apart) = self.0.parent().and_then(apart_from) else { return Ok(()) };
        let to = Self(apart.join(format!("{}.{}", state.grant.job_id, state.grant.attempt)));
        to.remove()?;
        fs::create_dir_all(&apart)?;
        fs::rename(&self.0, &to.0)
    }

    /// Removes everything.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes everything, unless the job was accepted once.
    pub(crate) fn remove_unrecorded(&self) -> io::Result<()> {
        if self.state()?.is_some() { Ok(()) } else { self.remove() }
    }

    /// Removes what only the trainer needed: the client has it, and the chunk store for a while.
    fn remove_inputs(&self) -> io::Result<()> {
        let inputs = FROM_CLIENT.map(|part| self.work().join(part));
        for path in inputs.into_iter().chain([self.0.join(PARTIAL)]) {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes what is too old, or else what only the trainer needed; `true` if nothing is left.
    fn age(&self, ended_at: Time, now: Time) -> bool {
        let old = now.since(ended_at) > KEPT_MS;
        if let Err(error) = if old { self.remove() } else { self.remove_inputs() } {
            tracing::warn!(path = %self.0.display(), %error, "what a job left cannot be removed");
            return false;
        }
        old
    }

    /// Puts the client's files in place, all or none.
    pub(crate) fn assemble(&self, manifest: &Manifest, store: &ChunkStore) -> Result<(), DiskError> {
        if let Some(file) =
            manifest.files.iter().find(|file| !FROM_CLIENT.iter().any(|part| file.path.starts_with(part)))
        {
            let cause = format!("{}: a job's files are below labels/ and videos/", file.path);
            return Err(DiskError { full: false, cause });
        }
        let partial = self.0.join(PARTIAL);
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| DiskError::at(&path, &error)
        };
        for path in [&partial, &self.work()] {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(path)(error)),
                _ => {}
            }
        }
        fs::create_dir_all(&partial).map_err(at(&partial))?;
        store.assemble(manifest, &partial)?;
        fs::rename(&partial, self.work()).map_err(at(&partial))
    }

    /// What the trainer left: the model of each stage, and its log. Paths as the client shall have them, and where they are here.
    pub(crate) fn results(&self, job: &JobSpec) -> io::Result<Listed> {
        let work = self.work();
        let stages = self.stages(job)?;
        let mut found = Vec::new();
        for (prefix, run) in &stages {
            let model = work.join(MODELS).join(run);
            if model.is_dir() {
                list(&model, prefix, &mut found)?;
            }
            let log = work.join("logs").join(format!("{run}.log"));
            if log.is_file() {
                found.push((format!("{prefix}{LOG}"), log));
            }
        }
        found.sort();
        let mut entries = Vec::with_capacity(found.len());
        for (path, file) in &found {
            entries.push(FileEntry { path: path.clone(), size: fs::metadata(file)?.len() });
        }
        Ok(Listed { files: entries, sources: found.into_iter().collect() })
    }

    /// The runs that there are, each with the folder that it gets among the results.
    fn stages(&self, job: &JobSpec) -> io::Result<Vec<(String, String)>> {
        let logs = self.work().join("logs");
        if !logs.is_dir() {
            return Ok(Vec::new());
        }
        let mut runs = Vec::new();
        for entry in fs::read_dir(logs)? {
            let name = entry?.file_name();
            if let Some(run) = name.to_str().and_then(|name| name.strip_suffix(".log")) {
                runs.push(run.to_owned());
            }
        }
        let single = stage_run_name(&job.run_name, "", 1);
        let folder = |run: &str| match run.strip_prefix(&single).and_then(|rest| rest.strip_prefix('.')) {
            Some(stage) => format!("{stage}/"),
            None => String::new(),
        };
        Ok(runs.iter().map(|run| (folder(run), run.clone())).collect())
    }

    /// What the record says; `None` if the job was never accepted.
    pub(crate) fn state(&self) -> io::Result<Option<JobState>> {
        let bytes = match fs::read(self.record()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        match replay(&bytes) {
            Ok(state) => Ok(Some(state)),
            Err(sleap_rtc_session::record::BadRecord::Empty) => Ok(None),
            Err(error) => Err(io::Error::new(ErrorKind::InvalidData, error)),
        }
    }
}

/// The files below `folder`, not links; `prefix` goes before their names.
fn list(folder: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if kind.is_dir() {
            list(&entry.path(), &format!("{prefix}{name}/"), found)?;
        } else if kind.is_file() {
            found.push((format!("{prefix}{name}"), entry.path()));
        }
    }
    Ok(())
}

/// The jobs of a slot that are on the disk, as their records say. What was never accepted is removed: call it only when no job
/// is on its way.
pub(crate) fn jobs(folder: &Path) -> io::Result<Vec<(JobFolder, JobState)>> {
    let mut found = Vec::new();
    for job in folders(folder)? {
        match job.state() {
            Ok(Some(state)) => found.push((job, state)),
            Ok(None) => {
                if let Err(error) = job.remove() {
                    tracing::warn!(path = %job.0.display(), %error, "what is left of a job cannot be removed");
                }
            }
            Err(error) => {
                tracing::error!(path = %job.0.display(), %error, "a job's record cannot be read; it is left alone");
            }
        }
    }
    Ok(found)
}

/// Removes the jobs that ended longer than [`KEPT_MS`] before `now`, and answers which. Of the others that have ended it removes
/// what only the trainer needed. `spared` are in use: the last job is still there to be looked at.
pub(crate) fn sweep(folder: &Path, spared: &HashSet<JobId>, now: Time) -> io::Result<Vec<JobId>> {
    let mut gone = Vec::new();
    for job in folders(folder)? {
        // What cannot be read is told when the worker starts.
        let Ok(Some(state)) = job.state() else { continue };
        let Some((end, _)) = state.end.filter(|_| !spared.contains(&state.grant.job_id)) else { continue };
        if job.age(end.ended_at, now) {
            gone.push(state.grant.job_id);
        }
    }
    for job in apart_from(folder).map_or_else(|| Ok(Vec::new()), |apart| folders(&apart))? {
        if let Ok(Some(JobState { end: Some((end, _)), .. })) = job.state() {
            job.age(end.ended_at, now);
        }
    }
    Ok(gone)
}

/// Where earlier attempts of the jobs in `folder` are kept.
fn apart_from(folder: &Path) -> Option<PathBuf> {
    Some(folder.parent()?.join("earlier"))
}

fn folders(folder: &Path) -> io::Result<Vec<JobFolder>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(JobFolder(entry?.path()))).collect(),
    }
}
