//! What a user may read while a training goes on.

use std::path::PathBuf;

use sleap_rtc_wire::claim::ClaimWaiting;
use sleap_rtc_wire::job::JobEvent;
use sleap_rtc_wire::signal::PeerEntry;
use sleap_rtc_wire::{JobId, PeerId, RoomId};

/// A worker that matches and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How people call it.
    pub name: String,
    /// For how long it has been silent, ms.
    pub silent_ms: u64,
}

/// One step of a training, as this machine sees it. In order; no secrets; texts of the worker are as it sent them, so
/// clean them before they are printed.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainEvent {
    /// Labels, videos and configurations are looked at.
    Reading {
        /// The labels.
        labels: PathBuf,
    },
    /// They are good: so much will be sent at most.
    Planned {
        /// Files.
        files: usize,
        /// Bytes of them.
        bytes: u64,
    },
    /// The server is asked for a worker.
    Finding {
        /// The job that it is for.
        job_id: JobId,
        /// The room.
        room: RoomId,
    },
    /// In line for a worker. Again whenever place, reason or numbers change.
    Waiting(ClaimWaiting),
    /// These workers match and are not there; told while the line waits for them.
    Missing(Vec<Missing>),
    /// A worker is ours.
    Found {
        /// The worker.
        worker: PeerId,
        /// What the room knows of it.
        entry: Option<Box<PeerEntry>>,
    },
    /// A way to the worker is looked for.
    Connecting,
    /// The way is there and both ends have proved who they are. Also each time after [`TrainEvent::Reconnecting`].
    Connected {
        /// `webrtc` or `memory`, with `, relayed` if bytes go over a relay.
        path: Option<String>,
    },
    /// The worker has taken the job: from now on it can be found again by its id.
    Accepted {
        /// Whether it had it before.
        attached: bool,
    },
    /// So many bytes of the job's files are with the worker, confirmed. Those that it had already count too.
    Sending {
        /// Bytes confirmed.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The worker's own story of the job, each line once.
    Job(JobEvent),
    /// The way to the worker is gone and is looked for again.
    Reconnecting {
        /// Whether the worker has the job, so that it goes on meanwhile.
        accepted: bool,
        /// When the next try is, ms from now.
        retry_ms: u64,
        /// Why.
        cause: String,
    },
    /// The server cannot be reached; a job that runs is not touched by that.
    ServerAway {
        /// When the next try is, ms from now.
        retry_ms: u64,
        /// Why.
        cause: String,
        /// How long the place in line is kept, if we have one.
        place_kept_ms: Option<u64>,
    },
    /// The server is there again.
    ServerBack,
    /// The worker is given up, and the job is for another one now.
    Lost {
        /// How people call the worker.
        worker: String,
        /// How long nothing has been heard of it, ms.
        for_ms: u64,
        /// Which try comes now, from 1 …
        attempt: u32,
        /// … of so many at most.
        attempts: u32,
    },
    /// So many bytes of the results are here and checked.
    Receiving {
        /// Bytes checked.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The results have their final name.
    Landed {
        /// The folder.
        folder: PathBuf,
        /// Files in it.
        files: usize,
        /// Bytes of them.
        bytes: u64,
    },
}
