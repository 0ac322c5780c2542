//! What two peers say to each other about one job: frames on the control channel, pieces of chunks on the bulk channel.
//!
//! ```text
//!   client                                   worker
//!   hello          ───────────────────────▶
//!                  ◀───────────────────────  hello          both at once, on every new link
//!   proof          ───────────────────────▶
//!                  ◀───────────────────────  proof          nothing else is read before it
//!   submit (parts) ───────────────────────▶                 a new job; or: attach {from_seq}
//!                  ◀───────────────────────  accepted {files}
//!   transfer       ───────────────────────▶                 files: true
//!   files          ───────────────────────▶
//!                  ◀───────────────────────  taken
//!   chunks         ───────────────────────▶
//!                  ◀───────────────────────  want
//!   (bulk pieces)  ═══════════════════════▶
//!                  ◀───────────────────────  verified
//!   sealed         ───────────────────────▶
//!                  ◀───────────────────────  transfer_done
//!                  ◀───────────────────────  event …
//!   ack            ───────────────────────▶
//!   stop, cancel   ───────────────────────▶                 at any time
//!                  ◀───────────────────────  obeyed
//!                  ◀───────────────────────  event {event: "end"}
//!                  ◀───────────────────────  transfer, files, chunks, sealed      the results, the same way back
//!   taken, want, verified, transfer_done ─▶
//!   bye            ───────────────────────▶
//! ```

mod bulk;
mod submission;

use serde::{Deserialize, Serialize};

pub use bulk::{BadBulk, Bulk, PIECE};
pub use submission::{BadSubmission, Parts, Submission};

use crate::job::{EndState, FailCode, JobEvent};
use crate::manifest::{Chunk, FileEntry, Hash};
use crate::{ClaimId, Fence, JobId, PeerId, PublicKey, RoomId, Signature, limits};

/// The version of this conversation.
pub const VERSION: u32 = 1;
/// The method of proving by installation keys.
pub const METHOD_KEY: &str = "key";
/// Chunks of one [`PeerFrame::Chunks`]: at most 80 bytes each.
pub const CHUNKS_PER_PAGE: usize = 512;
/// What the files of one [`PeerFrame::Files`] may take as JSON, bytes.
pub const FILES_PAGE: usize = 48 << 10;
/// Pages of files, and pages of chunks, that may wait for their answer.
pub const PAGES: u32 = 4;
/// Bytes of chunks that may be on their way, sent and not yet reported in [`PeerFrame::Verified`].
pub const WINDOW: u64 = 32 << 20;
/// Events that may wait for their [`PeerFrame::Ack`].
pub const EVENTS: u64 = 256;

/// Which end of the link speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Brings the job.
    Client,
    /// Does it.
    Worker,
}

/// One direction of files on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransferId(pub u32);

impl TransferId {
    /// The job's files, client to worker.
    pub const FILES: Self = Self(1);
    /// The results, worker to client.
    pub const RESULTS: Self = Self(2);
}

/// The first frame of each end: who it is, what it speaks, and what the link is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Versions that it speaks; the highest common one is used.
    pub versions: Vec<u32>,
    /// Its program and version, for the log.
    #[serde(default)]
    pub software: String,
    /// What it can beyond the version. Unknown ones are ignored.
    #[serde(default)]
    pub features: Vec<String>,
    /// Which end it is.
    pub role: Role,
    /// The room in which the two met.
    pub room: RoomId,
    /// Its own peer id.
    pub from: PeerId,
    /// The other end's.
    pub to: PeerId,
    /// The key that it will prove.
    pub key: PublicKey,
    /// 32 bytes of chance, fresh for this link.
    pub nonce: Hash,
    /// The job.
    pub job_id: JobId,
    /// Which try of it.
    pub attempt: u32,
    /// The claim by which the job came.
    pub claim_id: ClaimId,
    /// The claim's fence.
    pub fence: Fence,
    /// How it can prove itself. Unknown ones are ignored; without a common one the link ends.
    pub methods: Vec<String>,
}

/// A wish about a running job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// End early and keep the model.
    Stop,
    /// End now.
    Cancel,
}

/// Why a link or a request on it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefuseCode {
    /// No common version.
    Version,
    /// No common way of proving.
    NoMethod,
    /// The hello is for another room, peer, role, job, attempt or claim.
    WrongHello,
    /// The key is not the one that the room told, nor the job's owner.
    WrongKey,
    /// The claim is older than the job's.
    StaleFence,
    /// The signature does not hold for this link.
    BadProof,
    /// A frame before the proof.
    NotProven,
    /// The proof did not come in time.
    TimedOut,
    /// Nothing of this job is here.
    UnknownJob,
    /// The job's files have not arrived, and only who has them may come.
    FilesMissing,
    /// The job was submitted before with another content.
    JobDiffers,
    /// A frame that breaks the rules.
    Protocol,
    /// The claim is over.
    ClaimEnded,
    /// A code of a newer peer.
    #[serde(other)]
    Unknown,
}

/// Why an end closes the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByeReason {
    /// All is said.
    Done,
    /// The user leaves; the job goes on.
    Leaving,
    /// The same owner watches the job on a later link.
    Replaced,
    /// A reason of a newer peer.
    #[serde(other)]
    Unknown,
}

/// A control message. At most [`limits::CONTROL`] bytes as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PeerFrame {
    /// Who speaks.
    Hello(Box<Hello>),
    /// That it is who it says.
    Proof {
        /// One of both hellos' methods.
        method: String,
        /// Over the transcript of this link.
        signature: Signature,
    },
    /// No; the link ends.
    Refused {
        /// For a program.
        code: RefuseCode,
        /// For a person.
        #[serde(default)]
        message: String,
    },
    /// A part of a [`Submission`]. Doing it again is harmless: the job is attached to.
    Submit {
        /// Length of the whole text, bytes.
        total: u32,
        /// Where this part begins, bytes; parts follow each other.
        from: u32,
        /// The part.
        text: String,
    },
    /// Watch a job that was accepted.
    Attach {
        /// The first event wanted.
        from_seq: u64,
        /// Whether the results are wanted at the end.
        results: bool,
        /// Whether the sender has the job's files. Without them nobody may watch before they have arrived, for it would take
        /// the place of the one who sends them.
        files: bool,
    },
    /// The job is the worker's; events follow on this link.
    Accepted {
        /// The job.
        job_id: JobId,
        /// Whether it was there before.
        attached: bool,
        /// The number of the next event that will happen.
        next_seq: u64,
        /// Whether the client's files are wanted now.
        files: bool,
    },
    /// Files follow.
    Transfer {
        /// Which direction.
        transfer: TransferId,
        /// How many.
        files: u32,
        /// How long they are together. Never more is accepted.
        bytes: u64,
    },
    /// The next files.
    Files {
        /// Which direction.
        transfer: TransferId,
        /// Index of the first of them.
        first: u32,
        /// They.
        files: Vec<FileEntry>,
    },
    /// So many files were read.
    Taken {
        /// Which direction.
        transfer: TransferId,
        /// Index of the next expected.
        files: u32,
    },
    /// The next chunks, at most [`CHUNKS_PER_PAGE`], after all files.
    Chunks {
        /// Which direction.
        transfer: TransferId,
        /// Index of the first of them.
        first: u32,
        /// They.
        chunks: Vec<Chunk>,
    },
    /// The answer to [`PeerFrame::Chunks`]: what is missing of them. Also for a chunk that arrived damaged.
    Want {
        /// Which direction.
        transfer: TransferId,
        /// Index of the chunk after the page; 0 for a chunk that is wanted again.
        until: u32,
        /// Indices of what is missing.
        missing: Vec<u32>,
    },
    /// That was all.
    Sealed {
        /// Which direction.
        transfer: TransferId,
        /// The root of the whole manifest.
        root: Hash,
    },
    /// Progress: counts only what is stored and has the right hash.
    Verified {
        /// Which direction.
        transfer: TransferId,
        /// Bytes of the files that are there, from now or before.
        bytes: u64,
        /// Bytes of chunks that this link brought.
        received: u64,
    },
    /// Every file is there, whole.
    TransferDone {
        /// Which direction.
        transfer: TransferId,
        /// The root of what is there.
        root: Hash,
    },
    /// This transfer cannot be finished, on no link.
    TransferFailed {
        /// Which direction.
        transfer: TransferId,
        /// For a program.
        code: FailCode,
        /// For a person.
        #[serde(default)]
        cause: String,
    },
    /// A line of the job's story.
    Event(JobEvent),
    /// Every event up to this number has been taken.
    Ack {
        /// The number.
        seq: u64,
    },
    /// End early and keep the model.
    Stop,
    /// End now.
    Cancel,
    /// The wish is in force.
    Obeyed {
        /// Which.
        wish: Wish,
        /// How the job had ended before the wish came, if it had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<EndState>,
    },
    /// Is anybody there?
    Ping,
    /// Yes.
    Pong,
    /// The link ends.
    Bye {
        /// Why.
        reason: ByeReason,
    },
    /// A frame of a newer peer, to be ignored.
    #[serde(other)]
    Unknown,
}

/// A control message that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Longer than [`limits::CONTROL`].
    #[error("control message of {0} bytes, at most {max} are allowed", max = limits::CONTROL)]
    TooLong(usize),
    /// Not JSON, or a field is missing or has the wrong form.
    #[error("control message: {0}")]
    Form(String),
}

impl PeerFrame {
    /// Writes one control message. Fails only if it would be too long for the link.
    pub fn encode(&self) -> Result<String, BadFrame> {
        let text = serde_json::to_string(self).map_err(|error| BadFrame::Form(error.to_string()))?;
        if text.len() <= limits::CONTROL { Ok(text) } else { Err(BadFrame::TooLong(text.len())) }
    }

    /// Reads one control message; an unknown type is [`PeerFrame::Unknown`].
    pub fn decode(text: &str) -> Result<Self, BadFrame> {
        if text.len() > limits::CONTROL {
            return Err(BadFrame::TooLong(text.len()));
        }
        serde_json::from_str(text).map_err(|error| BadFrame::Form(error.to_string()))
    }
}
