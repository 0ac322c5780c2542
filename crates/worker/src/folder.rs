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

#[cfg(test)]
pub(crate) mod tests {
    use sleap_rtc_session::{Grant, JobRecord, KeyPair};
    use sleap_rtc_wire::job::{EndState, Terminal, TrainOptions};
    use sleap_rtc_wire::peer::Submission;
    use sleap_rtc_wire::{ClaimId, Fence, PeerId, RoomId};

    use super::*;

    fn spec(run_name: &str) -> JobSpec {
        JobSpec {
            job_id: JobId::new("j").unwrap(),
            attempt: 1,
            trainer: "sleap-nn".to_owned(),
            run_name: run_name.to_owned(),
            labels: "labels/a.slp".to_owned(),
            val_labels: None,
            videos: vec![],
            stages: vec![],
            options: TrainOptions::default(),
        }
    }

    fn put(folder: &JobFolder, path: &str) {
        let path = folder.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"x").unwrap();
    }

    fn names(folder: &JobFolder, run: &str) -> Vec<String> {
        folder.results(&spec(run)).unwrap().files.into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn the_results_of_one_stage_lie_flat_and_those_of_two_by_stage() {
        let home = tempfile::tempdir().unwrap();
        let folder = JobFolder::of(home.path(), &JobId::new("one").unwrap());
        for path in ["models/run.x/best.ckpt", "models/run.x/viz/a.png", "logs/run.x.log", "labels/a.slp"] {
            put(&folder, path);
        }
        assert_eq!(names(&folder, "run.x"), ["best.ckpt", "trainer.log", "viz/a.png"]);

        let folder = JobFolder::of(home.path(), &JobId::new("two").unwrap());
        for path in ["models/r.a/best.ckpt", "logs/r.a.log", "models/r.b/best.ckpt", "logs/r.b.log"] {
            put(&folder, path);
        }
        assert_eq!(names(&folder, "r"), ["a/best.ckpt", "a/trainer.log", "b/best.ckpt", "b/trainer.log"]);
    }

    #[test]
    fn a_client_fills_only_its_own_folders() {
        let home = tempfile::tempdir().unwrap();
        let store = ChunkStore::open(home.path().join("chunks")).unwrap();
        let folder = JobFolder::of(home.path(), &JobId::new("j").unwrap());
        let with = |path: &str| Manifest { files: vec![FileEntry { path: path.to_owned(), size: 0 }], chunks: vec![] };
        folder.make().unwrap();
        assert!(folder.assemble(&with("models/run/best.ckpt"), &store).is_err());
        assert!(!folder.work().exists());
        folder.assemble(&with("labels/a.slp"), &store).unwrap();
        assert!(folder.work().join("labels/a.slp").is_file());
    }

    /// A job of a client with this key, as its record has it.
    pub(crate) fn record(folder: &JobFolder, job: &str, key: u8, ended: Option<Time>) {
        let grant = Grant {
            room: RoomId::new("a7f3d2e1").unwrap(),
            worker: PeerId::new("gpu-box").unwrap(),
            claim_id: ClaimId::new("c1").unwrap(),
            fence: Fence { epoch: 1, counter: 1 },
            job_id: JobId::new(job).unwrap(),
            attempt: 1,
            client_key: KeyPair::from_seed(&[key; 32]).public(),
        };
        let submission = Box::new(Submission { job: spec("r"), files: 0, bytes: 0 });
        let mut text = JobRecord::Accepted { at: Time(0), grant, submission, reserved: 4096 }.line();
        if let Some(ended_at) = ended {
            let (state, code, cause, exit) = (EndState::Completed, None, None, None);
            let terminal = Terminal { state, stopped_early: false, code, cause, exit, ended_at };
            text.push_str(&JobRecord::Ended { terminal, seq: 7 }.line());
        }
        fs::create_dir_all(folder.root()).unwrap();
        fs::write(folder.record(), text).unwrap();
    }

    #[test]
    fn results_are_kept_for_fourteen_days_after_the_end_of_the_job() {
        let home = tempfile::tempdir().unwrap();
        let now = Time(100 * KEPT_MS);
        let [old, spared, fresh, running] = ["old", "spared", "fresh", "running"].map(|job| {
            let folder = JobFolder::of(home.path(), &JobId::new(job).unwrap());
            let ended = match job {
                "running" => None,
                "fresh" => Some(Time(99 * KEPT_MS)),
                _ => Some(Time(99 * KEPT_MS - 1)),
            };
            record(&folder, job, 1, ended);
            folder
        });
        let arriving = JobFolder::of(home.path(), &JobId::new("arriving").unwrap());
        arriving.make().unwrap();
        let in_use = [JobId::new("spared").unwrap()].into();
        assert_eq!(sweep(home.path(), &in_use, now).unwrap(), [JobId::new("old").unwrap()]);
        assert!(!old.root().exists());
        for kept in [&spared, &fresh, &running, &arriving] {
            assert!(kept.root().is_dir(), "{kept:?}");
        }
        assert_eq!(jobs(home.path()).unwrap().len(), 3);
        assert!(!arriving.root().exists(), "at the start of the worker nothing arrives");
    }

    #[test]
    fn what_came_from_the_client_goes_after_the_end_and_the_rest_stays() {
        let home = tempfile::tempdir().unwrap();
        let folder = JobFolder::of(home.path(), &JobId::new("j").unwrap());
        for path in ["labels/a.slp", "videos/0-a.mp4", "models/r/best.ckpt", "logs/r.log"] {
            put(&folder, path);
        }
        let inputs = || folder.work().join("labels").exists() || folder.work().join("videos").exists();
        record(&folder, "j", 1, None);
        sweep(home.path(), &HashSet::new(), Time(5)).unwrap();
        assert!(inputs(), "it runs");
        record(&folder, "j", 1, Some(Time(5)));
        sweep(home.path(), &[JobId::new("j").unwrap()].into(), Time(5)).unwrap();
        assert!(inputs(), "its client is here");
        for _ in 0..2 {
            assert_eq!(sweep(home.path(), &HashSet::new(), Time(5)).unwrap(), []);
        }
        assert_eq!(names(&folder, "r"), ["best.ckpt", "trainer.log"]);
        assert!(!inputs());
    }

    #[test]
    fn a_job_that_was_accepted_once_is_not_removed_by_one_that_was_not() {
        let home = tempfile::tempdir().unwrap();
        let folder = JobFolder::of(home.path(), &JobId::new("j").unwrap());
        folder.make().unwrap();
        folder.remove_unrecorded().unwrap();
        assert!(!folder.root().exists());
        record(&folder, "j", 1, Some(Time(1)));
        folder.remove_unrecorded().unwrap();
        assert!(folder.root().is_dir());
    }
}
