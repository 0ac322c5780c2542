//! One slot: a GPU or the CPU, taken by one worker process at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sleap_rtc_wire::{InvalidId, PeerId, PublicKey};

use crate::gpu::Gpu;

/// What a slot computes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// One GPU of the box.
    Gpu(Gpu),
    /// No GPU: slow, for trying and for tests.
    Cpu,
}

impl Device {
    /// A word for file names and peer ids: `gpu0`, `cpu`.
    pub fn word(&self) -> String {
        match self {
            Self::Gpu(gpu) => format!("gpu{}", gpu.index),
            Self::Cpu => "cpu".to_owned(),
        }
    }

    /// What it is, for people.
    pub fn title(&self) -> String {
        match self {
            Self::Gpu(gpu) => match gpu.memory_mb {
                Some(mb) => format!("{} {} GB", gpu.name, mb.div_ceil(1024)),
                None => gpu.name.clone(),
            },
            Self::Cpu => "CPU only".to_owned(),
        }
    }

    /// What names it for ever: the GPU's uuid, so that two workers cannot share it under two indices.
    fn identity(&self) -> &str {
        match self {
            Self::Gpu(gpu) => &gpu.uuid,
            Self::Cpu => "cpu",
        }
    }
}

/// Why a slot could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// Another process of this user serves it.
    #[error("another worker on this machine already offers {0}")]
    Taken(String),
    /// The lock file cannot be made.
    #[error("cannot lock {path}: {source}")]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The host has a name that cannot be part of an id.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// A slot that is ours until this is dropped, or the process ends.
#[derive(Debug)]
pub struct Slot {
    device: Device,
    folder: PathBuf,
    _locks: [File; 2],
}

impl Slot {
    /// Takes the device. `data` is the folder of the jobs' files; `locks` belongs to the installation, so that the peer of a device
    /// is there once, wherever its data is. A home that several hosts share has a lock a host.
    pub fn take(device: Device, data: &Path, locks: &Path, host: &str) -> Result<Self, SlotError> {
        let folder = data.join("worker").join(device.identity());
        let host: String = host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let ours = locks.join(format!("{host}-{}", device.identity()));
        let locks = [lock(&ours, &device)?, lock(&folder.join("lock"), &device)?];
        Ok(Self { device, folder, _locks: locks })
    }

    /// What it computes on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The slot's own folder: the highest fence and the jobs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The peer id: the same over reconnects and restarts, another for each installation, host and slot.
    pub fn peer_id(&self, key: &PublicKey, host: &str) -> Result<PeerId, SlotError> {
        let mut hash = blake3::Hasher::new();
        for part in [key.0.as_slice(), host.as_bytes(), self.device.identity().as_bytes()] {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let short: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(16).collect();
        let short = if short.is_empty() { "host" } else { &short };
        let tail = hash.finalize().to_hex();
        Ok(PeerId::new(&format!("worker-{short}-{}-{}", self.device.word(), &tail[..8]))?)
    }
}

/// Takes a lock that goes with this process.
fn lock(path: &Path, device: &Device) -> Result<File, SlotError> {
    let failed = |source| SlotError::Lock { path: path.to_owned(), source };
    std::fs::create_dir_all(path.parent().unwrap_or(path)).map_err(failed)?;
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SlotError::Taken(match device {
            Device::Gpu(gpu) => format!("GPU {} ({})", gpu.index, gpu.name),
            Device::Cpu => "the CPU".to_owned(),
        })),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
