//! What a channel is called.

use std::fmt;
use std::str::FromStr;

use sleap_rtc_wire::PeerId;

/// The longest job id, bytes.
const JOB: usize = 128;
/// How the name of a worker's channel begins.
const WORKER: &str = "worker:";

/// The channel of a worker or a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// `worker:<peer id>`.
    Worker(PeerId),
    /// `<job id>`.
    Job(String),
}

/// A text that names no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no channel: worker:<peer id> or the id of a job")]
pub(crate) struct NoChannel;

impl Name {
    /// The channel of this job; `None`: this is no job's id.
    pub(crate) fn job(id: &str) -> Option<Self> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (!id.is_empty() && id.len() <= JOB && id.bytes().all(is_word)).then(|| Self::Job(id.to_owned()))
    }
}

impl FromStr for Name {
    type Err = NoChannel;

    fn from_str(text: &str) -> Result<Self, NoChannel> {
        match text.strip_prefix(WORKER) {
            Some(peer) => PeerId::new(peer).map(Self::Worker).map_err(|_| NoChannel),
            None => Self::job(text).ok_or(NoChannel),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(peer) => write!(f, "{WORKER}{peer}"),
            Self::Job(id) => f.write_str(id),
        }
    }
}
