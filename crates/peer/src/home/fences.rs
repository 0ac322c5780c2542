//! The highest fence that a worker saw in a room, kept over restarts: an older grant is never honoured.

use std::path::{Path, PathBuf};

use sleap_rtc_wire::{Fence, RoomId};

use super::HomeError;
use super::files::{read, replace};

/// One worker's fence in one room.
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

    /// The fence; the lowest if there is none yet. A file that cannot be read is an error: a worker that forgets its fence
    /// could be made to run an old claim again.
    pub fn load(&self) -> Result<Fence, HomeError> {
        let Some(text) = read(&self.path)? else { return Ok(Fence::default()) };
        serde_json::from_str(&text).map_err(|_| HomeError::invalid(&self.path, "is not a fence"))
    }

    /// Writes the fence; on return it lasts.
    pub fn save(&self, fence: Fence) -> Result<(), HomeError> {
        let (epoch, counter) = fence.into();
        replace(&self.path, &format!("[{epoch}, {counter}]\n"))
    }
}
