//! A job on its way to the worker: longer than one control message may be, so it travels in parts.

use serde::{Deserialize, Serialize};

use super::PeerFrame;
use crate::job::JobSpec;
use crate::limits;

/// Bytes of the JSON text in one part. Written as JSON once more, every byte of it may take two.
const PART: usize = 24 << 10;

/// A job and what its files amount to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The job.
    pub job: JobSpec,
    /// How many files it has.
    pub files: u32,
    /// How long they are together.
    pub bytes: u64,
}

/// A job that cannot be submitted, or parts that make none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSubmission {
    /// Longer than [`limits::JOB`].
    #[error("job description of {0} bytes, at most {max} are allowed", max = limits::JOB)]
    TooLong(usize),
    /// More stages than [`limits::STAGES`].
    #[error("{0} stages, at most {max} are allowed", max = limits::STAGES)]
    Stages(usize),
    /// A configuration longer than [`limits::CONFIG`].
    #[error("configuration of {0} bytes, at most {max} are allowed", max = limits::CONFIG)]
    Config(usize),
    /// A part that does not follow the one before.
    #[error("parts of the job out of order")]
    Order,
    /// Not a job.
    #[error("job description: {0}")]
    Form(String),
}

impl Submission {
    /// The frames that carry it.
    pub fn frames(&self) -> Result<Vec<PeerFrame>, BadSubmission> {
        self.check()?;
        let text = serde_json::to_string(self).map_err(|error| BadSubmission::Form(error.to_string()))?;
        if text.len() > limits::JOB {
            return Err(BadSubmission::TooLong(text.len()));
        }
        let mut frames = Vec::new();
        let mut from = 0;
        while from < text.len() {
            let end = text.floor_char_boundary(from + PART);
            let part = text[from..end].to_owned();
            frames.push(PeerFrame::Submit { total: text.len() as u32, from: from as u32, text: part });
            from = end;
        }
        Ok(frames)
    }

    fn check(&self) -> Result<(), BadSubmission> {
        if self.job.stages.len() > limits::STAGES {
            return Err(BadSubmission::Stages(self.job.stages.len()));
        }
        match self.job.stages.iter().map(|stage| stage.config.len()).find(|len| *len > limits::CONFIG) {
            Some(len) => Err(BadSubmission::Config(len)),
            None => Ok(()),
        }
    }
}

/// Puts the parts of a [`Submission`] together.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    text: String,
}

impl Parts {
    /// Takes the next part; the whole once it is there.
    pub fn add(&mut self, total: u32, from: u32, text: &str) -> Result<Option<Submission>, BadSubmission> {
        if total as usize > limits::JOB {
            return Err(BadSubmission::TooLong(total as usize));
        }
        if from == 0 {
            self.text.clear();
        }
        let end = self.text.len() + text.len();
        if from as usize != self.text.len() || end > total as usize || text.is_empty() {
            return Err(BadSubmission::Order);
        }
        self.text.push_str(text);
        if end < total as usize {
            return Ok(None);
        }
        let submission: Submission = serde_json::from_str(&std::mem::take(&mut self.text))
            .map_err(|error| BadSubmission::Form(error.to_string()))?;
        submission.check()?;
        Ok(Some(submission))
    }
}
