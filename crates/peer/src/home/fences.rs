//! The highest fence that a worker saw in a room, kept over restarts: an older grant is never honoured.

use std::path::PathBuf;

use sleap_rtc_wire::{Fence, PeerId, RoomId};

use super::files::{read, replace};
use super::{Home, HomeError};

/// One worker's fence in one room.
#[derive(Clone, Debug)]
pub struct FenceFile {
    path: PathBuf,
}

impl Home {
    /// Where this worker's fence in this room is kept.
    pub fn fence_file(&self, room: &RoomId, peer: &PeerId) -> FenceFile {
        // Hashed, because peer ids may hold what file names may not.
        let name = blake3::hash(format!("{room}\n{peer}").as_bytes()).to_hex();
        FenceFile { path: self.folder.join("fences").join(&name.as_str()[..32]) }
    }
}

impl FenceFile {
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
