//! What a job sends: which files, and under which names in the job's folder.

use std::collections::{HashMap, HashSet};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use sleap_rtc_wire::job::{StageSpec, VideoPath};
use sleap_rtc_wire::limits;

use super::name::safe_name;
use crate::run_name;
use crate::slp::{self, ResolvedVideo, SlpError, SlpFile, VideoError};
use sleap_rtc_peer::explained::Explained;

/// Longest name of a stage before its number, bytes: behind a run's name and a dot it must fit the trainer's 100.
const MAX_STAGE: usize = 100 - run_name::MAX_RUN_NAME - ".-16".len();

/// What the user named on the command line.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The labels: a `.slp` or `.pkg.slp`.
    pub labels: &'a Path,
    /// Configurations, one a model, in the order of training.
    pub configs: &'a [PathBuf],
    /// Videos given by hand: files, found by their base name, and folders to look in.
    pub videos: &'a [PathBuf],
}

/// A file to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFile {
    /// Its path in the job's folder, `/` between the parts; ours, safe on every system.
    pub name: String,
    /// Where it is now.
    pub local: PathBuf,
    /// Its length when the plan was made, bytes.
    pub len: u64,
}

/// Everything that a job sends, checked before anything is claimed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The files: labels first, then videos in the labels' order. No two have the same name.
    pub files: Vec<PlannedFile>,
    /// The labels' path in the job's folder.
    pub labels: String,
    /// For every path that the labels name, as the trainer calls it ([`slp::trainer_path`]): where it is in the job's folder.
    pub videos: Vec<VideoPath>,
    /// The configurations, as the user wrote them.
    pub stages: Vec<StageSpec>,
    /// What the labels say about themselves.
    pub slp: SlpFile,
}

impl Plan {
    /// Reads the labels, finds their videos, reads the configurations. Blocks on the disk.
    ///
    /// # Errors
    /// Something is missing, unreadable, or of a kind that cannot be trained on.
    pub fn prepare(input: &Input<'_>) -> Result<Self, PlanError> {
        check_kind(input.labels)?;
        let stages = stages(input.configs)?;
        let slp = slp::read(input.labels)?;
        if slp.labelled_frames == Some(0) {
            return Err(PlanError::NoFrames(input.labels.to_owned()));
        }
        let found = slp::resolve_videos(&slp, input.labels, input.videos)?;
        let labels = format!("labels/{}", safe_name(&last_part(input.labels)));
        let mut files = vec![planned(labels.clone(), input.labels)?];
        let videos = videos(found, &mut files)?;
        if files.len() > limits::FILES {
            return Err(PlanError::TooManyFiles(files.len()));
        }
        Ok(Self { files, labels, videos, stages, slp })
    }

    /// All files together, bytes.
    pub fn total_len(&self) -> u64 {
        self.files.iter().map(|file| file.len).sum()
    }
}

/// Why a job cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The labels cannot be used.
    #[error(transparent)]
    Labels(#[from] SlpError),
    /// Their videos are not all there.
    #[error(transparent)]
    Videos(#[from] VideoError),
    /// A package zip; its turn comes later.
    #[error("{} is a zip, which cannot be sent yet", .0.display())]
    Zip(PathBuf),
    /// A folder; its turn comes later.
    #[error("{} is a folder", .0.display())]
    Folder(PathBuf),
    /// Neither `.slp` nor `.pkg.slp`.
    #[error("{} is not called .slp or .pkg.slp", .0.display())]
    NotLabels(PathBuf),
    /// Nothing to train on.
    #[error("{} has no labelled frames", .0.display())]
    NoFrames(PathBuf),
    /// A file that is to be sent cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A configuration that is not one.
    #[error("cannot use {}: {cause}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// More than [`limits::STAGES`] configurations.
    #[error("{0} configurations; one job trains at most {max} models", max = limits::STAGES)]
    TooManyStages(usize),
    /// More than [`limits::FILES`] files.
    #[error("{0} files; one job sends at most {max}", max = limits::FILES)]
    TooManyFiles(usize),
}

impl PlanError {
    /// The error in the three parts that a user reads.
    pub fn explained(&self) -> Explained {
        let (what, cause, hint) = match self {
            Self::Labels(error) => return error.explained(),
            Self::Videos(error) => return error.explained(),
            Self::Zip(path) => (
                cannot(path),
                "a training job package (.zip) cannot be sent yet".into(),
                "unzip it, then: sleap-rtc train LABELS.pkg.slp --config MODEL.yaml".into(),
            ),
            Self::Folder(path) => (
                cannot(path),
                "it is a folder".into(),
                "give the .slp or .pkg.slp file in it: sleap-rtc train LABELS.pkg.slp --config MODEL.yaml".into(),
            ),
            Self::NotLabels(path) => (
                cannot(path),
                "labels are called .slp or .pkg.slp".into(),
                "save the labels in SLEAP and give that file".into(),
            ),
            Self::NoFrames(path) => (
                format!("cannot train on {}", path.display()),
                "it has no labelled frames".into(),
                "label some frames in SLEAP and save the file".into(),
            ),
            Self::Unreadable { path, cause } if cause.kind() == ErrorKind::NotFound => {
                (format!("cannot read {}", path.display()), "there is no such file".into(), "check the path".into())
            }
            Self::Unreadable { path, cause } => {
                (format!("cannot read {}", path.display()), cause.to_string(), "check the file's permissions".into())
            }
            Self::Config { path, cause } => (
                format!("cannot use the configuration {}", path.display()),
                cause.clone(),
                "give a YAML file of sleap-nn, or leave --config out: the worker's trainer then writes one".into(),
            ),
            Self::TooManyStages(n) => (
                format!("cannot train {n} models in one job"),
                format!("one job trains at most {}", limits::STAGES),
                "start several jobs".into(),
            ),
            Self::TooManyFiles(n) => (
                format!("cannot send {n} files"),
                format!("one job sends at most {}", limits::FILES),
                "export a training package (.pkg.slp) from SLEAP and give that".into(),
            ),
        };
        Explained { what, cause, hint }
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot train on {}", path.display())
}

/// Looks at the name only: what the file holds, [`slp::read`] says.
fn check_kind(labels: &Path) -> Result<(), PlanError> {
    if labels.is_dir() {
        return Err(PlanError::Folder(labels.to_owned()));
    }
    let ending = labels.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("slp") => Ok(()),
        Some("zip") => Err(PlanError::Zip(labels.to_owned())),
        // A wrong path is said as such, whatever its ending.
        _ if !labels.exists() => {
            Err(SlpError { path: labels.to_owned(), fault: slp::SlpFault::Unreadable(ErrorKind::NotFound.into()) }
                .into())
        }
        _ => Err(PlanError::NotLabels(labels.to_owned())),
    }
}

fn last_part(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file that is there and may be read: a refusal must come now, not when half of the job is sent.
fn planned(name: String, local: &Path) -> Result<PlannedFile, PlanError> {
    let unreadable = |cause| PlanError::Unreadable { path: local.to_owned(), cause };
    let len = std::fs::File::open(local).and_then(|file| file.metadata()).map_err(unreadable)?.len();
    Ok(PlannedFile { name, local: local.to_owned(), len })
}

/// Adds each video once and says for each stored path under which name it goes.
fn videos(found: Vec<ResolvedVideo>, files: &mut Vec<PlannedFile>) -> Result<Vec<VideoPath>, PlanError> {
    let mut names: HashMap<PathBuf, String> = HashMap::new();
    let mut seen = HashSet::new();
    let mut map = Vec::new();
    for video in found {
        let stored = slp::trainer_path(&video.stored);
        if !seen.insert(stored.clone()) {
            continue;
        }
        let path = if let Some(name) = names.get(&video.local) {
            name.clone()
        } else {
            let name = video_name(&video);
            files.push(planned(name.clone(), &video.local)?);
            names.insert(video.local, name.clone());
            name
        };
        map.push(VideoPath { stored, path });
    }
    Ok(map)
}

/// The number keeps names apart and images in order; the name means something on the user's machine (it shows in results).
fn video_name(video: &ResolvedVideo) -> String {
    let name = safe_name(slp::base_name(&video.stored));
    match video.image {
        None => format!("videos/{}-{name}", video.index),
        Some(image) => format!("videos/{}/{image:06}-{name}", video.index),
    }
}

fn stages(configs: &[PathBuf]) -> Result<Vec<StageSpec>, PlanError> {
    if configs.len() > limits::STAGES {
        return Err(PlanError::TooManyStages(configs.len()));
    }
    let mut names = HashSet::new();
    let mut stages = Vec::new();
    for path in configs {
        let config = config(path)?;
        let stem = run_name::word(&path.file_stem().unwrap_or_default().to_string_lossy(), MAX_STAGE);
        let mut name = stem.clone();
        let mut n = 1;
        while !names.insert(name.to_lowercase()) {
            n += 1;
            name = format!("{stem}-{n}");
        }
        stages.push(StageSpec { name, config });
    }
    Ok(stages)
}

/// The text of a configuration. What is in it, the worker judges: it knows its trainer.
fn config(path: &Path) -> Result<String, PlanError> {
    let bad = |cause: String| PlanError::Config { path: path.to_owned(), cause };
    let unreadable = |cause| PlanError::Unreadable { path: path.to_owned(), cause };
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    if !matches!(ending.as_deref(), Some("yaml" | "yml")) {
        return Err(bad("it is not called .yaml".into()));
    }
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(bad("it is not a file".into()));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(limits::CONFIG as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limits::CONFIG {
        return Err(bad(format!("it is larger than {} bytes", limits::CONFIG)));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| bad(format!("it is not UTF-8 text: byte {} is wrong", error.utf8_error().valid_up_to())))?;
    if text.trim().is_empty() {
        return Err(bad("it is empty".into()));
    }
    Ok(text)
}
