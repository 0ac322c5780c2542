//! How a job stands, as far as this machine knows.

use serde::{Deserialize, Serialize};
use sleap_rtc_peer::home::Home;
use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::{EndState, Phase};

use super::line::is_held;
use super::{JobFile, Waiting};

/// How far a worker was when it was last heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What it did.
    pub phase: Phase,
    /// Epochs of the current model that are done.
    pub epoch: u32,
    /// How many there are at most, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// When that was.
    pub at: Time,
}

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its program waits in line for a worker.
    Waiting(Waiting),
    /// It never had a worker, and the program that waited for one is gone.
    Gone,
    /// A worker has it.
    Running,
    /// Its worker was given up; it may run there all the same.
    Lost,
    /// It is over.
    Ended(EndState),
}

impl State {
    /// One word, as `sleap-rtc jobs` prints it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "WAITING",
            Self::Gone => "GONE",
            Self::Running => "RUNNING",
            Self::Lost => "LOST",
            Self::Ended(EndState::Completed) => "COMPLETED",
            Self::Ended(EndState::Failed) => "FAILED",
            Self::Ended(EndState::Cancelled) => "CANCELLED",
        }
    }
}

/// How the job of a file stands at `now`. Looks whether the program that waits is still there.
pub fn state(home: &Home, job: &JobFile, now: Time) -> State {
    match (&job.end, &job.waiting, &job.holder) {
        (Some(end), ..) => State::Ended(end.state),
        (None, Some(waiting), _) if is_held(home, &job.job_id, waiting, now) => State::Waiting(waiting.clone()),
        (None, _, None) => State::Gone,
        (None, _, Some(_)) if job.lost_at.is_some() => State::Lost,
        (None, _, Some(_)) => State::Running,
    }
}
