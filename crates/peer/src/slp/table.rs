//! The SLEAP side: what the rows of the table of videos mean.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::container::Container;
use super::{SlpFault, SlpFile, SlpVideo, Source};

/// The table of videos: one JSON text a video.
const VIDEOS: &str = "videos_json";
/// The table of labelled frames.
const FRAMES: &str = "frames";
/// A file name that means "this very file".
const SELF: &str = ".";

pub(super) fn read(path: &Path) -> Result<SlpFile, SlpFault> {
    let container = Container::open(path)?;
    let rows = container.texts(VIDEOS)?.ok_or(SlpFault::NotSleap(VIDEOS))?;
    let videos = rows.iter().enumerate().map(|(index, row)| video(index, row)).collect::<Result<Vec<_>, _>>()?;
    for video in &videos {
        check_embedded(&container, video)?;
    }
    let labelled_frames = container.rows(FRAMES)?;
    let Skeletons { skeletons, nodes } = match container.attribute("metadata", "json")? {
        Some(text) => skeletons(&text)?,
        None => Skeletons::default(),
    };
    Ok(SlpFile { videos, labelled_frames, skeletons, nodes })
}

fn check_embedded(container: &Container, video: &SlpVideo) -> Result<(), SlpFault> {
    let Source::Embedded(dataset) = &video.source else { return Ok(()) };
    if container.has(dataset)? {
        return Ok(());
    }
    Err(SlpFault::Damaged(format!("the images of video {} should be in {dataset}, which is not there", video.index)))
}

/// A row. sleap-io takes the backend's name first, then the row's own; `filenames` is a sequence of images, and so is a
/// `filename` that is a list.
#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    filename: Value,
    #[serde(default)]
    backend: Backend,
}

#[derive(Default, Deserialize)]
struct Backend {
    #[serde(default)]
    filename: Value,
    #[serde(default)]
    filenames: Vec<String>,
    #[serde(default)]
    dataset: Option<String>,
}

fn video(index: usize, row: &str) -> Result<SlpVideo, SlpFault> {
    let damaged = |what: &dyn std::fmt::Display| SlpFault::Damaged(format!("row {index} of {VIDEOS}: {what}"));
    let Row { filename, backend } = serde_json::from_str(row).map_err(|error| damaged(&error))?;
    if !backend.filenames.is_empty() {
        return Ok(SlpVideo { index, source: Source::Images(backend.filenames) });
    }
    let name = if backend.filename.is_null() { filename } else { backend.filename };
    let source = match name {
        Value::String(name) if name == SELF => Source::Embedded(
            backend
                .dataset
                .filter(|name| !name.is_empty())
                .ok_or_else(|| damaged(&"the images are said to be in this file, but not where"))?,
        ),
        Value::String(name) if !name.is_empty() => Source::File(name),
        Value::Array(names) => {
            let names: Option<Vec<_>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
            let names =
                names.filter(|names| !names.is_empty()).ok_or_else(|| damaged(&"the list of images is none"))?;
            Source::Images(names)
        }
        _ => return Err(damaged(&"it names no file")),
    };
    Ok(SlpVideo { index, source })
}

#[derive(Default)]
struct Skeletons {
    skeletons: Vec<String>,
    nodes: Vec<String>,
}

fn skeletons(text: &str) -> Result<Skeletons, SlpFault> {
    let json: Value =
        serde_json::from_str(text).map_err(|error| SlpFault::Damaged(format!("its metadata: {error}")))?;
    let texts = |list: &str, pointer: &str| {
        let items = json.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(|item| item.pointer(pointer)?.as_str().map(str::to_owned)).collect()
    };
    Ok(Skeletons { skeletons: texts("skeletons", "/graph/name"), nodes: texts("nodes", "/name") })
}
