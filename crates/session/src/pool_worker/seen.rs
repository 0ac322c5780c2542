//! What a worker must not forget over its own restart.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use sleap_rtc_wire::claim::ClaimGranted;
use sleap_rtc_wire::{Fence, JobId};

/// Jobs whose latest attempt is remembered; the one that was granted longest ago goes first. A worker sees a few a day, and an
/// attempt that returns does so within hours.
pub const ATTEMPTS: usize = 256;

/// The highest fence that a worker saw in a room, and which attempt of each of the last jobs was granted to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The highest fence.
    pub fence: Fence,
    /// The latest attempt of each job, the last granted job at the end.
    #[serde(default)]
    attempts: VecDeque<(JobId, u32)>,
}

impl Seen {
    /// With this fence, and no job yet.
    pub const fn new(fence: Fence) -> Self {
        Self { fence, attempts: VecDeque::new() }
    }

    /// The latest attempt of this job that was granted here.
    pub fn attempt(&self, job: &JobId) -> Option<u32> {
        self.attempts.iter().find(|(known, _)| known == job).map(|(_, attempt)| *attempt)
    }

    /// A grant is honoured.
    pub(super) fn granted(&mut self, grant: &ClaimGranted) {
        let attempt = self.attempt(&grant.job_id).map_or(grant.attempt, |seen| seen.max(grant.attempt));
        self.attempts.retain(|(known, _)| *known != grant.job_id);
        self.attempts.push_back((grant.job_id.clone(), attempt));
        if self.attempts.len() > ATTEMPTS {
            self.attempts.pop_front();
        }
    }
}
