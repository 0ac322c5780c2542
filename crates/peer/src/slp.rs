//! What a SLEAP label file says about its videos, read without SLEAP and without Python.
//!
//! A `.slp` is an HDF5 file. Of it only the table of videos, the number of labelled frames and the skeleton's names are
//! read: some tens of kilobytes, whatever the file's size. The file comes from anywhere, so every read is bounded and a
//! panic of the HDF5 library is an error like any other (`docs/decisions/0004-hdf5-reader.md`).
//!
//! Everything here blocks on the disk: from async code, call it in `spawn_blocking`.

mod container;
mod error;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub use error::{SlpError, SlpFault};

/// What a label file says, as far as we need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlpFile {
    /// Its videos, in its own order.
    pub videos: Vec<SlpVideo>,
    /// Labelled frames (by a person or by a model); `None` if the file has no such table.
    pub labelled_frames: Option<u64>,
    /// Names of the skeletons.
    pub skeletons: Vec<String>,
    /// Names of all nodes.
    pub nodes: Vec<String>,
}

impl SlpFile {
    /// Whether the file is enough by itself: every video's images are inside.
    pub fn is_self_contained(&self) -> bool {
        self.videos.iter().all(SlpVideo::embedded)
    }
}

/// One row of the table of videos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlpVideo {
    /// Its place in the table, from 0.
    pub index: usize,
    /// Where its images are.
    pub source: Source,
}

/// Where a video's images are. Paths are exactly as stored: of another machine, perhaps of another system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the label file itself, in this dataset.
    Embedded(String),
    /// In one file: a film, or an HDF5 or TIFF stack.
    File(String),
    /// In one file an image, in order.
    Images(Vec<String>),
}

impl SlpVideo {
    /// Whether the images are inside the label file.
    pub fn embedded(&self) -> bool {
        matches!(self.source, Source::Embedded(_))
    }

    /// The paths that the file names, as stored; none if the images are inside.
    pub fn stored(&self) -> &[String] {
        match &self.source {
            Source::Embedded(_) => &[],
            Source::File(path) => std::slice::from_ref(path),
            Source::Images(paths) => paths,
        }
    }
}

/// Reads the table of videos of `path`.
///
/// # Errors
/// The file cannot be opened, is empty, cut short, damaged, no HDF5 file or no SLEAP file, or exceeds a limit.
pub fn read(path: &Path) -> Result<SlpFile, SlpError> {
    // The reader has never panicked on damaged files (docs/decisions/0004): this is the second wall, not the first.
    catch_unwind(AssertUnwindSafe(|| table::read(path)))
        .unwrap_or_else(|panic| Err(SlpFault::Damaged(format!("the HDF5 reader gave up: {}", words(&*panic)))))
        .map_err(|fault| SlpError { path: path.to_owned(), fault })
}

/// What the trainer calls a stored path: `sleap-io` turns every `\` into `/` when it reads labels, and compares with that form
/// when it is told that a video is elsewhere.
pub fn trainer_path(stored: &str) -> String {
    stored.replace('\\', "/")
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?")
}
