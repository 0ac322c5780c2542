//! What the worker remembers of a job over its own restart: lines of JSON in a file that only grows.
//!
//! It names no process: the trainer's group dies with the worker (docs/decisions/0007), so a record without an end is that of
//! a job whose trainer is gone.

use serde::{Deserialize, Serialize};
use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::Terminal;
use sleap_rtc_wire::manifest::Hash;
use sleap_rtc_wire::peer::Submission;

use crate::Grant;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum JobRecord {
    /// The job is this worker's. Always the first line.
    Accepted {
        /// When.
        at: Time,
        /// Whose it is, and by which claim it came.
        grant: Grant,
        /// What it is.
        submission: Box<Submission>,
        /// No event with a higher number has been told.
        reserved: u64,
    },
    /// No event with a higher number has been told.
    Reserved {
        /// The number.
        seq: u64,
    },
    /// The one end. A later one does not count.
    Ended {
        /// How.
        terminal: Terminal,
        /// The number of the event that tells it.
        seq: u64,
    },
    /// The client has the results.
    Delivered {
        /// When.
        at: Time,
        /// Their root hash.
        root: Hash,
    },
}

impl JobRecord {
    /// The line, with its end.
    pub fn line(&self) -> String {
        // Nothing in a record can fail to be written: no maps with keys that are not texts, no failing `Serialize`.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub struct JobState {
    /// Whose the job is.
    pub grant: Grant,
    /// What it is.
    pub submission: Submission,
    /// No event with a higher number has been told.
    pub reserved: u64,
    /// How it ended, and the number of that event.
    pub end: Option<(Terminal, u64)>,
    /// Whether the client has the results.
    pub delivered: Option<Hash>,
    /// How many bytes of the file are whole lines. What is beyond was being written when the worker died: cut it off before
    /// the next line is appended.
    pub valid_len: u64,
}

/// A record that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// No whole line: the job was never accepted.
    #[error("the job's record has no whole line")]
    Empty,
    /// The first line is not the acceptance.
    #[error("the job's record does not begin with its acceptance")]
    NoBeginning,
    /// A line in the middle cannot be read.
    #[error("line {line} of the job's record: {cause}")]
    Line {
        /// From 1.
        line: usize,
        /// Why.
        cause: String,
    },
}

/// Reads a record. A last line without its end was being written when the worker died, and does not count.
pub fn replay(bytes: &[u8]) -> Result<JobState, BadRecord> {
    let valid = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut lines = bytes[..valid].split_inclusive(|byte| *byte == b'\n').enumerate().map(|(index, line)| {
        serde_json::from_slice(line).map_err(|error| BadRecord::Line { line: index + 1, cause: error.to_string() })
    });
    let mut state = match lines.next().ok_or(BadRecord::Empty)?? {
        JobRecord::Accepted { grant, submission, reserved, .. } => {
            JobState { grant, submission: *submission, reserved, end: None, delivered: None, valid_len: valid as u64 }
        }
        _ => return Err(BadRecord::NoBeginning),
    };
    for record in lines {
        state.apply(record?);
    }
    Ok(state)
}

impl JobState {
    fn apply(&mut self, record: JobRecord) {
        match record {
            JobRecord::Accepted { .. } => {}
            JobRecord::Reserved { seq } => self.reserved = self.reserved.max(seq),
            JobRecord::Ended { .. } if self.end.is_some() => {}
            JobRecord::Ended { terminal, seq } => self.end = Some((terminal, seq)),
            JobRecord::Delivered { root, .. } => self.delivered = Some(root),
        }
    }
}
