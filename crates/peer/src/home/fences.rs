//! The highest fence that a worker saw in a room, and the latest attempts of its jobs, kept over restarts: an older grant is never
//! honoured, and an older attempt never begun.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sleap_rtc_session::pool_worker::Seen;
use sleap_rtc_wire::{Fence, RoomId};

use super::HomeError;
use super::files::{read, replace};

/// What one worker has seen in one room.
#[derive(Clone, Debug)]
pub struct FenceFile {
    path: PathBuf,
}

impl FenceFile {
    /// Where the worker whose slot has this folder keeps its fence in this room.
    pub fn of(slot: &Path, room: &RoomId) -> Self {
        // Hashed, because room ids may differ only in what some file systems take for the same.
        let name = blake3::hash(room.as_str().as_bytes()).to_hex();
        Self { path: slot.join(format!("fence-{}", &name.as_str()[..16])) }
    }

    /// What is remembered; nothing if there is none yet. A file that cannot be read is an error: a worker that forgets its fence
    /// could be made to run an old claim again.
    pub fn load(&self) -> Result<Seen, HomeError> {
        let Some(text) = read(&self.path)? else { return Ok(Seen::default()) };
        match serde_json::from_str(&text) {
            Ok(Content::Seen(seen)) => Ok(seen),
            Ok(Content::Fence(fence)) => Ok(Seen::new(fence)),
            Err(_) => Err(HomeError::invalid(&self.path, "is not a fence")),
        }
    }

    /// Writes it; on return it lasts.
    pub fn save(&self, seen: &Seen) -> Result<(), HomeError> {
        // Nothing in it can fail to be written: no maps with keys that are not texts, no failing `Serialize`.
        let text = serde_json::to_string(seen).unwrap_or_default();
        replace(&self.path, &format!("{text}\n"))
    }
}

/// What such a file may say; the first versions wrote the fence alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Seen(Seen),
    Fence(Fence),
}
