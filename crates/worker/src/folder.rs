//! Where a job lives on the worker: `jobs/<job id>/` with the record, and `work/` in which the trainer runs.
//!
//! Only `labels/` and `videos/` of `work/` come from the client; `configs/`, `logs/`, `models/` are made here.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sleap_rtc_peer::chunks::{ChunkStore, DiskError};
use sleap_rtc_session::{JobState, replay};
use sleap_rtc_wire::JobId;
use sleap_rtc_wire::job::JobSpec;
use sleap_rtc_wire::manifest::{FileEntry, Manifest};

use crate::run::stage_run_name;
use crate::trainer::command::MODELS;

/// How long results are kept for a client that comes back.
const KEPT: Duration = Duration::from_hours(14 * 24);

/// The folders of `work/` that a client may fill.
const FROM_CLIENT: [&str; 2] = ["labels/", "videos/"];

/// The name of a stage's log among the results.
const LOG: &str = "trainer.log";

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

    /// Made new, with what an unfinished try has left taken away.
    pub(crate) fn make(&self) -> io::Result<()> {
        self.remove()?;
        fs::create_dir_all(&self.0)
    }

    /// Removes everything.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Puts the client's files in place, all or none.
    pub(crate) fn assemble(&self, manifest: &Manifest, store: &ChunkStore) -> Result<(), DiskError> {
        if let Some(file) =
            manifest.files.iter().find(|file| !FROM_CLIENT.iter().any(|part| file.path.starts_with(part)))
        {
            let cause = format!("{}: a job's files are below labels/ and videos/", file.path);
            return Err(DiskError { full: false, cause });
        }
        let partial = self.0.join("work.partial");
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
    pub(crate) fn results(&self, job: &JobSpec) -> io::Result<(Vec<FileEntry>, HashMap<String, PathBuf>)> {
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
        Ok((entries, found.into_iter().collect()))
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

/// The jobs of a slot that are on the disk: what their records say, and what is too old or too broken to keep is removed.
pub(crate) fn jobs(folder: &Path) -> io::Result<Vec<(JobFolder, JobState)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let job = JobFolder(entry.path());
        let age = entry.metadata()?.modified()?;
        let old = SystemTime::now().duration_since(age).is_ok_and(|age| age > KEPT);
        match job.state() {
            Ok(Some(state)) if !old || state.end.is_none() => found.push((job, state)),
            Ok(_) => job.remove()?,
            Err(error) => {
                tracing::error!(path = %job.0.display(), %error, "a job's record cannot be read; it is left alone");
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use sleap_rtc_wire::job::TrainOptions;

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
        folder.results(&spec(run)).unwrap().0.into_iter().map(|file| file.path).collect()
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
}
