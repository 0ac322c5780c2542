//! One process a slot: the same GPU cannot be offered twice.

use std::fs::{self, File, TryLockError};

use sleap_rtc_wire::PeerId;

use super::{Home, HomeError};

/// While this lives, no other process offers the slot. The system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct SlotLock {
    _file: File,
}

impl Home {
    /// Takes the slot of this worker; [`HomeError::SlotTaken`] with `name` if another process has it.
    pub fn lock_slot(&self, peer: &PeerId, name: &str) -> Result<SlotLock, HomeError> {
        let folder = self.folder.join("slots");
        fs::create_dir_all(&folder).map_err(HomeError::io(&folder))?;
        let path = folder.join(&blake3::hash(peer.as_str().as_bytes()).to_hex().as_str()[..32]);
        let file = File::create(&path).map_err(HomeError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(SlotLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(HomeError::SlotTaken(name.to_owned())),
            Err(TryLockError::Error(error)) => Err(HomeError::io(&path)(error)),
        }
    }
}
