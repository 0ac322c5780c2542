//! What the screen is told.

use serde::Serialize;
use sleap_rtc_wire::claim::Reason;
use sleap_rtc_wire::job::JobEvent;
use sleap_rtc_wire::{JobId, PeerId};

/// One step of a training as the client's machine sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Labels, videos and configurations are looked at.
    Reading {
        /// The labels' file.
        labels: String,
    },
    /// The server is asked for a worker.
    Finding {
        /// The job that it is for.
        job_id: JobId,
        /// The room.
        room: String,
    },
    /// In line for a worker.
    Waiting {
        /// Place in line, from 1.
        place: u32,
        /// Why none can be given yet.
        reason: Reason,
    },
    /// A worker is ours.
    Found {
        /// The worker.
        worker: PeerId,
        /// How people call it.
        name: String,
        /// Its GPU, or that it has none.
        device: Option<String>,
    },
    /// A way to the worker is looked for.
    Connecting,
    /// The way is there and both ends have proved who they are.
    Connected {
        /// Direct, relayed, …
        path: Option<String>,
    },
    /// The way is gone; the job, if it runs, goes on.
    Reconnecting,
    /// The worker has confirmed so much of the job's files.
    Sending {
        /// Bytes confirmed.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// So much of the results is here and checked.
    Receiving {
        /// Bytes checked.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The worker's own story of the job.
    #[serde(skip)]
    Job(JobEvent),
    /// The results have their final name.
    Saved {
        /// The folder.
        folder: String,
        /// Files in it.
        files: u64,
        /// Bytes of them.
        bytes: u64,
    },
}

impl Event {
    /// The event as one JSON object on one line.
    pub fn to_json(&self) -> String {
        let text = match self {
            Self::Job(event) => serde_json::to_string(event),
            other => serde_json::to_string(other),
        };
        // Nothing in an event can fail to be written: no maps with keys that are not texts.
        text.unwrap_or_default()
    }
}
