//! The worker: links to sessions, the trainer's process, GPU facts.
//!
//! [`run`] serves one or more slots. Each is a peer of its own in the room, with a folder of its own; what a slot decides is
//! decided by `PoolWorker` and `JobWorker` of `session`, whose effects are carried out here. The client's half of the
//! conversation is in the `client` crate.

mod accept;
mod daemon;
mod estimate;
mod facts;
mod folder;
pub mod gpu;
mod inbox;
mod job;
mod labels;
mod notice;
mod offers;
mod record_file;
mod run;
pub mod slot;
pub(crate) mod sys;
pub mod trainer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sleap_rtc_link::Connector;
use sleap_rtc_peer::api::Api;
use sleap_rtc_peer::chunks::{ChunkStore, DiskError};
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_peer::home::{FenceFile, HomeError};
use sleap_rtc_peer::settings::RoomAccess;
use sleap_rtc_peer::worker_pool::WorkerPool;
use sleap_rtc_session::KeyPair;
use sleap_rtc_session::pool_line::{Cause, FirstTry};
use sleap_rtc_session::pool_worker::Setup;
use sleap_rtc_wire::{PeerId, RoomId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub use notice::{Notice, What};

use crate::daemon::{Daemon, Left};
use crate::job::Means;
use crate::slot::{Device, Slot, SlotError};
use crate::trainer::Trainer;

/// How much of earlier jobs' data is kept, bytes, so that it need not be sent again.
const CHUNKS_KEPT: u64 = 20 << 30;
/// Threads of a job on the CPU: waiting threads spin, and the machine has other work.
const CPU_THREADS: u16 = 1;

/// What a worker needs.
pub struct Config {
    /// The slots to serve, one peer each.
    pub devices: Vec<Device>,
    /// Folder of fences, jobs and chunks.
    pub data: PathBuf,
    /// Folder of the installation in which its slots are locked.
    pub locks: PathBuf,
    /// Name that others see; the host's if absent.
    pub name: Option<String>,
    /// Tags that a training may ask for.
    pub tags: Vec<String>,
    /// The server.
    pub api: Api,
    /// The installation's key.
    pub key: KeyPair,
    /// Which room.
    pub room: RoomAccess,
    /// Makes links.
    pub connector: Arc<dyn Connector>,
    /// The trainer, found and asked for its version.
    pub trainer: Trainer,
    /// How long a client may be gone before its job that does not run yet is given up: a laptop may sleep for a moment
    /// while it sends, but a dead one must not keep the slot. What it has sent stays among the chunks for its next try.
    pub patience: Duration,
}

/// Whether the worker is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shutdown {
    /// It goes on.
    #[default]
    No,
    /// It takes no more, finishes what runs, then leaves.
    Drain,
    /// It ends what runs, then leaves.
    Now,
}

/// Why a worker cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A slot cannot be taken.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// A file of the slot cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The disk refuses.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The server does not let it in.
    #[error("room {room}: {cause}")]
    Refused {
        /// Which room.
        room: RoomId,
        /// Why.
        cause: Cause,
    },
    /// Another worker has registered under the same name: it has the place now, and this one does not take it back.
    #[error("room {room}: another worker has registered as {peer}")]
    Replaced {
        /// Which room.
        room: RoomId,
        /// The name.
        peer: PeerId,
    },
}

/// Serves all slots until `shutdown` says so and nothing runs any more. The first slot that cannot serve ends the others.
pub async fn run(
    config: Config,
    notices: mpsc::Sender<Notice>,
    shutdown: watch::Receiver<Shutdown>,
) -> Result<(), WorkerError> {
    let store = ChunkStore::open(config.data.join("chunks"))?;
    let mut slots = JoinSet::new();
    for device in &config.devices {
        let slot = Slot::take(device.clone(), &config.data, &config.locks, &sys::host::name())?;
        slots.spawn(serve(slot, &config, &store, notices.clone(), shutdown.clone())?);
    }
    while let Some(ended) = slots.join_next().await {
        match ended {
            Ok(result) => result?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    Ok(())
}

fn serve(
    slot: Slot,
    config: &Config,
    store: &ChunkStore,
    notices: mpsc::Sender<Notice>,
    shutdown: watch::Receiver<Shutdown>,
) -> Result<impl Future<Output = Result<(), WorkerError>> + Send + use<>, WorkerError> {
    let host = sys::host::name();
    let peer = slot.peer_id(&config.key.public(), &host)?;
    let jobs = slot.folder().join("jobs");
    let Left { unfinished, kept } = daemon::left(&jobs).map_err(|error| DiskError::at(&jobs, &error))?;
    let fences = FenceFile::of(slot.folder(), &config.room.room);
    let setup = Setup {
        peer_id: peer.clone(),
        room_id: config.room.room.clone(),
        token: config.room.token.clone(),
        metadata: facts::metadata(slot.device(), &config.trainer, &host, config.name.as_deref(), &config.tags),
        seen: fences.load()?,
        kept,
        first: FirstTry::Once,
    };
    let means = Means {
        key: config.key.clone(),
        trainer: config.trainer.clone(),
        device: trainer_device(slot.device()),
        device_word: slot.device().word(),
        store: store.clone(),
        gone_ms: config.patience.as_millis() as u64,
        clock: Clock::start(),
    };
    let daemon = Daemon {
        pool: WorkerPool::start(config.api.clone(), config.key.clone(), setup, fences),
        connector: config.connector.clone(),
        means: Arc::new(means),
        room: config.room.room.clone(),
        peer,
        jobs,
        notices,
        shutdown,
    };
    Ok(async move {
        let result = daemon.run(unfinished).await;
        drop(slot);
        result
    })
}

/// This machine's name in its network.
pub fn host_name() -> String {
    sys::host::name()
}

fn trainer_device(device: &Device) -> trainer::Device {
    match device {
        Device::Gpu(gpu) => trainer::Device::Gpu(gpu.uuid.clone()),
        Device::Cpu => trainer::Device::Cpu { threads: CPU_THREADS },
    }
}
