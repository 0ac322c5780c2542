//! The trainer's program: what it is, and what it can be asked for.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sleap_rtc_wire::job::VideoPath;

use super::command::{auto_argv, base_name};
use super::config::Config;
use super::error::TrainerError;
use super::output::{Sign, Tail, sign};
use super::process::{self, Running, StageRun};
use super::short_run;
use super::version::{MINIMUM, Version};

/// `--version` imports nothing heavy: 2.5 s on a quiet machine, more from a cold disk.
const PROBE_LIMIT: Duration = Duration::from_mins(2);

/// `config` loads the labels: 10 s for small ones, longer for tens of thousands of frames.
const AUTO_LIMIT: Duration = Duration::from_mins(10);

/// A folder in the job's folder, there only while the trainer writes configurations.
const AUTO: &str = "auto";

/// A trainer that works.
#[derive(Clone, Debug)]
pub struct Trainer {
    path: PathBuf,
    version: String,
}

/// A configuration that the trainer has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoConfig {
    /// The stage: the model that it trains (`centroid`, `centered_instance`, …).
    pub name: String,
    /// As the trainer wrote it: not yet through [`Config::parse`]'s rules for a client, though it passes them.
    pub yaml: String,
}

impl Trainer {
    /// Asks the program at `path` for its version.
    ///
    /// # Errors
    /// It does not start, does not answer within two minutes, or is older than [`MINIMUM`].
    pub async fn probe(path: &Path) -> Result<Self, TrainerError> {
        let broken = |reason: String| TrainerError::Broken { path: path.to_owned(), reason };
        // Absolute, since it is started in the folders of jobs.
        let path = std::path::absolute(path).map_err(|e| broken(e.to_string()))?;
        let answer = short_run::run(&path, &["--version".into()], Path::new("/"), PROBE_LIMIT).await;
        let answer = answer.map_err(|e| broken(e.to_string()))?;
        if !answer.status.success() {
            return Err(broken(answer.err.error().unwrap_or_else(|| format!("it ended with {}", answer.status))));
        }
        let said = answer.out.last(5);
        let Some(version) = Version::parse(&said) else {
            return Err(broken(format!("it is not sleap-nn; asked for its version it said: {}", said.trim())));
        };
        if version < MINIMUM {
            return Err(TrainerError::TooOld { path, found: version });
        }
        Ok(Self { path, version: version.to_string() })
    }

    /// One that is never started.
    #[cfg(test)]
    pub(crate) fn absent() -> Self {
        Self { path: "/nowhere/sleap-nn".into(), version: MINIMUM.to_string() }
    }

    /// Its version, as `0.3.5`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its program.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the trainer write configurations for `labels`, a file in `dir`, the job's folder: one, or two for top-down, in
    /// the order in which they are to be trained. It takes about ten seconds; dropping the future ends the process.
    ///
    /// The trainer finds videos beside the labels only: they are linked there by their names for this one run. Of two with
    /// the same name it sees the first, which matters only for the image size that it writes down.
    ///
    /// # Errors
    /// The trainer cannot use the labels, or the folder cannot be written.
    pub async fn auto_config(
        &self,
        dir: &Path,
        labels: &str,
        videos: &[VideoPath],
        pipeline: Option<&str>,
    ) -> Result<Vec<AutoConfig>, TrainerError> {
        super::command::check_path(labels)?;
        let folder = dir.join(AUTO);
        let result = self.auto_in(dir, &folder, labels, videos, pipeline).await;
        if let Err(error) = tokio::fs::remove_dir_all(&folder).await {
            tracing::warn!(%error, path = %folder.display(), "cannot remove a folder");
        }
        result
    }

    async fn auto_in(
        &self,
        dir: &Path,
        folder: &Path,
        labels: &str,
        videos: &[VideoPath],
        pipeline: Option<&str>,
    ) -> Result<Vec<AutoConfig>, TrainerError> {
        let name = base_name(labels);
        lay_out(dir, folder, labels, videos).await?;
        let argv = auto_argv(&format!("{AUTO}/{name}"), &format!("{AUTO}/config.yaml"), pipeline)?;
        let answer = short_run::run(&self.path, &argv, dir, AUTO_LIMIT)
            .await
            .map_err(|source| TrainerError::System { what: "run the trainer", source })?;
        if !answer.status.success() {
            return Err(TrainerError::Auto(answer.err.error().unwrap_or_else(|| answer.err.last(3))));
        }
        read_written(folder, &answer.out).await
    }

    /// Starts one stage in the job's folder. The trainer is a process group that dies with the [`Running`], and with the
    /// worker however that ends.
    ///
    /// # Errors
    /// A value cannot be used, the folder not be written, the run's folder is there already, or the program not be started.
    pub async fn start(&self, run: StageRun) -> Result<Running, TrainerError> {
        process::start(&self.path, run).await
    }
}

/// Labels and videos side by side in `folder`: hard links, or copies where the file system has none.
async fn lay_out(dir: &Path, folder: &Path, labels: &str, videos: &[VideoPath]) -> Result<(), TrainerError> {
    let failed = |source| TrainerError::System { what: "lay out the labels", source };
    tokio::fs::create_dir(folder).await.map_err(failed)?;
    link(&dir.join(labels), &folder.join(base_name(labels))).await.map_err(failed)?;
    for video in videos {
        super::command::check_path(&video.path)?;
        let (from, to) = (dir.join(&video.path), folder.join(base_name(&video.stored)));
        // Part of an image sequence may be a folder; of the same name the first stays.
        if from.is_file() && !to.exists() {
            link(&from, &to).await.map_err(failed)?;
        }
    }
    Ok(())
}

async fn link(from: &Path, to: &Path) -> io::Result<()> {
    if tokio::fs::hard_link(from, to).await.is_err() {
        tokio::fs::copy(from, to).await?;
    }
    Ok(())
}

async fn read_written(folder: &Path, out: &Tail) -> Result<Vec<AutoConfig>, TrainerError> {
    let mut configs = Vec::new();
    for path in out.lines().filter_map(|line| match sign(line) {
        Some(Sign::SavedConfig(path)) => Some(path),
        _ => None,
    }) {
        let path = folder.join(base_name(&path));
        let yaml = tokio::fs::read_to_string(&path)
            .await
            .map_err(|source| TrainerError::System { what: "read the trainer's configuration", source })?;
        configs.push(AutoConfig { name: Config::parse(&yaml)?.model().to_owned(), yaml });
    }
    if configs.is_empty() { Err(TrainerError::Auto(out.last(3))) } else { Ok(configs) }
}
