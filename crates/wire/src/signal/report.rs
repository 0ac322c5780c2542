//! What a deployed worker says to those who watch it through the server: browsers that cannot open a connection to it.

use serde::{Serialize, Serializer};

use crate::Text;

/// A worker's frame for those who watch it, handed on as the very text that came.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Its type.
    pub kind: ReportKind,
    /// The job it is about, if it names one.
    pub job_id: Option<String>,
    /// The job's `status`, of a `job_status` that has one.
    pub status: Option<String>,
    /// The whole frame.
    pub text: Text,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&serde_json::value::RawValue>(&self.text)
            .map_err(serde::ser::Error::custom)?
            .serialize(to)
    }
}

/// Frames of a worker for those who watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportKind {
    /// `fs_list_res`: what is in a folder.
    FsList,
    /// `worker_path_ok`.
    PathOk,
    /// `worker_path_error`.
    PathError,
    /// `fs_check_videos_response`.
    CheckVideos,
    /// `key_exchange_response`.
    KeyExchange,
    /// `job_status {job_id, status, …}`.
    JobStatus,
    /// `job_progress {job_id, event, …}`.
    JobProgress,
    /// `encrypted_relay {session_id, nonce, ciphertext, job_id?}`.
    Encrypted,
}

impl ReportKind {
    /// The kind with this `type`.
    pub fn named(kind: &str) -> Option<Self> {
        Some(match kind {
            "fs_list_res" => Self::FsList,
            "worker_path_ok" => Self::PathOk,
            "worker_path_error" => Self::PathError,
            "fs_check_videos_response" => Self::CheckVideos,
            "key_exchange_response" => Self::KeyExchange,
            "job_status" => Self::JobStatus,
            "job_progress" => Self::JobProgress,
            "encrypted_relay" => Self::Encrypted,
            _ => return None,
        })
    }

    /// Whether those who watch the job get it, if it names one; the others go to those who watch the worker.
    pub const fn is_of_job(self) -> bool {
        matches!(self, Self::JobStatus | Self::JobProgress | Self::Encrypted)
    }
}
