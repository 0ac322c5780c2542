//! Label files ([`sleap_rtc_peer::slp`]), and where the videos that they name are on this machine.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

pub use sleap_rtc_peer::slp::{SlpError, SlpFault, SlpFile, SlpVideo, Source, read, trainer_path};

use crate::local::Explained;

/// What the trainer reads as a video, by the end of the name (`sleap-io`, the `EXTS` of its backends). A label file may come
/// from a stranger: nothing else that it names leaves this machine.
const KINDS: [&str; 15] =
    ["mp4", "avi", "mov", "mj2", "mkv", "seq", "tif", "tiff", "png", "jpg", "jpeg", "bmp", "h5", "hdf5", "slp"];
/// Videos named in one error.
const NAMED: usize = 20;

/// A file that the labels name, found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedVideo {
    /// The video's place in the table.
    pub index: usize,
    /// The image's place in the sequence, if the video is one.
    pub image: Option<usize>,
    /// The path as the labels have it.
    pub stored: String,
    /// Where the file is on this machine.
    pub local: PathBuf,
}

/// A video that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingVideo {
    /// The video's place in the table.
    pub index: usize,
    /// The path as the labels have it; of a sequence, the first image that is missing.
    pub stored: String,
    /// Further images of the same sequence that are missing for the same reason.
    pub more: usize,
    /// Why.
    pub why: WhyMissing,
}

/// Why a video cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyMissing {
    /// It is nowhere that we look.
    NotFound,
    /// Files of this name are there, but several videos are called so: nobody can say which is meant.
    Ambiguous,
    /// The name is not that of a video or image; it is not sent, even if it is there.
    NotAVideo,
}

/// Why the videos of a label file are not all there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VideoError {
    /// Some cannot be sent.
    #[error("{} of {} cannot be sent: {}", count(missing.len(), "video"), labels.display(), list(missing))]
    Missing {
        /// The label file.
        labels: PathBuf,
        /// Every one of them.
        missing: Vec<MissingVideo>,
    },
    /// A file was given by hand that is not there.
    #[error("there is no {}", extra.display())]
    NoSuchFile {
        /// The file that was given.
        extra: PathBuf,
    },
    /// A file was given by hand that the labels do not name.
    #[error("{} names no video called {}", labels.display(), extra.display())]
    Unused {
        /// The label file.
        labels: PathBuf,
        /// The file that was given.
        extra: PathBuf,
        /// What the labels name.
        named: Vec<String>,
    },
}

impl fmt::Display for MissingVideo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stored)?;
        if self.more > 0 {
            write!(f, " and {} of its sequence", count(self.more, "more image"))?;
        }
        match self.why {
            WhyMissing::NotFound => Ok(()),
            WhyMissing::Ambiguous => f.write_str(" (several videos have this name)"),
            WhyMissing::NotAVideo => f.write_str(" (not the name of a video)"),
        }
    }
}

fn list(missing: &[MissingVideo]) -> String {
    let mut names: Vec<_> = missing.iter().take(NAMED).map(ToString::to_string).collect();
    if missing.len() > NAMED {
        names.push(format!("and {} more", missing.len() - NAMED));
    }
    names.join(", ")
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

impl VideoError {
    /// The error in the three parts that a user reads.
    pub fn explained(&self) -> Explained {
        match self {
            Self::Missing { labels, missing } => Explained {
                what: format!("{} of {} cannot be sent", count(missing.len(), "video"), labels.display()),
                cause: format!("not found on this machine: {}", list(missing)),
                hint: self.hint(),
            },
            Self::NoSuchFile { extra } => Explained {
                what: format!("cannot use {}", extra.display()),
                cause: "there is no such file".into(),
                hint: self.hint(),
            },
            Self::Unused { labels, extra, named } => Explained {
                what: format!("{} is not a video of {}", extra.display(), labels.display()),
                cause: match named.as_slice() {
                    [] => "its images are all inside the label file".into(),
                    named => format!("its videos are called {}", named.join(", ")),
                },
                hint: self.hint(),
            },
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Missing { labels, missing } => {
                let ambiguous = missing.iter().any(|video| video.why == WhyMissing::Ambiguous);
                let name = missing.first().map_or("FILE", |video| base_name(&video.stored));
                if ambiguous || missing.iter().any(|video| video.more > 0) {
                    return "--video FOLDER, the folder in which they lie in their own folders".into();
                }
                format!("put it beside {}, or add --video PATH/{name}", labels.display())
            }
            Self::NoSuchFile { .. } => "check the path after --video".into(),
            Self::Unused { named, .. } if named.is_empty() => "leave --video out".into(),
            Self::Unused { .. } => "a video is found by its name: give the file the name that the labels use".into(),
        }
    }
}

/// Finds every file that the labels at `labels` name. `extra` (`--video`) are files, taken by their base name before anything
/// else, and folders, looked through like the labels' own folder.
///
/// Looked at, in this order: a file given by hand of the same base name; the stored path, if it is absolute; in the labels'
/// folder and then in each folder given: the stored path, and less and less of its beginning (`/mnt/lab/week 2/clip.mp4` is
/// found as `week 2/clip.mp4` and as `clip.mp4`); the stored path from the working directory. `\` and `/` both separate. The
/// bare name is not enough where several videos share it.
///
/// # Errors
/// [`VideoError::Missing`] names every video that is not there, [`VideoError::Unused`] a file given in vain.
pub fn resolve_videos(slp: &SlpFile, labels: &Path, extra: &[PathBuf]) -> Result<Vec<ResolvedVideo>, VideoError> {
    let search = Search::new(slp, labels, extra)?;
    let mut found = Vec::new();
    let mut missing: Vec<MissingVideo> = Vec::new();
    for video in &slp.videos {
        let sequence = matches!(video.source, Source::Images(_));
        for (place, stored) in video.stored().iter().enumerate() {
            match search.find(stored) {
                Ok(local) => found.push(ResolvedVideo {
                    index: video.index,
                    image: sequence.then_some(place),
                    stored: stored.clone(),
                    local,
                }),
                Err(why) => match missing.last_mut() {
                    Some(last) if last.index == video.index && last.why == why => last.more += 1,
                    _ => missing.push(MissingVideo { index: video.index, stored: stored.clone(), more: 0, why }),
                },
            }
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(VideoError::Missing { labels: labels.to_owned(), missing }) }
}

struct Search<'a> {
    /// Files given by hand, by base name.
    given: HashMap<&'a OsStr, &'a Path>,
    /// Folders to look in.
    folders: Vec<&'a Path>,
    /// Base names that more than one stored path has.
    shared: HashSet<&'a str>,
}

impl<'a> Search<'a> {
    fn new(slp: &'a SlpFile, labels: &'a Path, extra: &'a [PathBuf]) -> Result<Self, VideoError> {
        let stored: HashSet<&str> = slp.videos.iter().flat_map(SlpVideo::stored).map(String::as_str).collect();
        let mut names = HashSet::new();
        let shared = stored.iter().map(|path| base_name(path)).filter(|name| !names.insert(*name)).collect();
        let mut given = HashMap::new();
        let mut folders = vec![labels.parent().unwrap_or(Path::new(""))];
        for path in extra {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if !path.is_file() {
                return Err(VideoError::NoSuchFile { extra: path.clone() });
            }
            match path.file_name().filter(|name| name.to_str().is_some_and(|name| names.contains(name))) {
                Some(name) => {
                    given.insert(name, path.as_path());
                }
                None => return Err(unused(slp, labels, path)),
            }
        }
        Ok(Self { given, folders, shared })
    }

    fn find(&self, stored: &str) -> Result<PathBuf, WhyMissing> {
        let name = base_name(stored);
        if !is_video(name) {
            return Err(WhyMissing::NotAVideo);
        }
        let shared = self.shared.contains(name);
        match self.given.get(OsStr::new(name)) {
            Some(_) if shared => return Err(WhyMissing::Ambiguous),
            Some(path) => return Ok(path.to_path_buf()),
            None => {}
        }
        if Path::new(stored).is_absolute() && Path::new(stored).is_file() {
            return Ok(PathBuf::from(stored));
        }
        let mut why = WhyMissing::NotFound;
        for folder in &self.folders {
            for tail in tails(stored) {
                let path = folder.join(trainer_path(tail));
                if !path.is_file() {
                    continue;
                }
                if shared && tail == name && stored != name {
                    why = WhyMissing::Ambiguous;
                    continue;
                }
                return Ok(path);
            }
        }
        let here = PathBuf::from(trainer_path(stored));
        if here.is_relative() && here.is_file() { Ok(here) } else { Err(why) }
    }
}

fn unused(slp: &SlpFile, labels: &Path, extra: &Path) -> VideoError {
    let mut named: Vec<_> =
        slp.videos.iter().filter_map(|video| video.stored().first()).map(|path| base_name(path).to_owned()).collect();
    named.dedup();
    named.truncate(NAMED);
    VideoError::Unused { labels: labels.to_owned(), extra: extra.to_owned(), named }
}

/// What follows the last separator, of either system.
pub(crate) fn base_name(stored: &str) -> &str {
    stored.rsplit(['/', '\\']).next().unwrap_or(stored)
}

/// The path, the path without its first part, … down to the base name; never an absolute one.
fn tails(stored: &str) -> impl Iterator<Item = &str> {
    let starts = std::iter::once(0).chain(stored.match_indices(['/', '\\']).map(|(at, _)| at + 1));
    starts.filter_map(|start| stored.get(start..)).filter(|tail| !tail.is_empty() && !tail.starts_with(['/', '\\']))
}

fn is_video(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| KINDS.iter().any(|kind| end.eq_ignore_ascii_case(kind)))
}
