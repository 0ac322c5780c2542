//! What the worker's half takes and wants.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sleap_rtc_wire::claim::ClaimGranted;
use sleap_rtc_wire::job::{FailCode, JobSpec, Terminal, What};
use sleap_rtc_wire::manifest::{FileEntry, Hash};
use sleap_rtc_wire::peer::{RefuseCode, Wish};
use sleap_rtc_wire::{ClaimId, Fence, JobId, PeerId, PublicKey, RoomId};

use crate::record::JobRecord;
use crate::transfer::{DiskAnswer, DiskRequest};
use crate::{Binding, LinkId};

/// Who may bring which job: what the room told when it granted the claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The room.
    pub room: RoomId,
    /// This peer.
    pub worker: PeerId,
    /// The claim.
    pub claim_id: ClaimId,
    /// Its fence.
    pub fence: Fence,
    /// The job.
    pub job_id: JobId,
    /// Which try of it.
    pub attempt: u32,
    /// The job's owner: the only key that is let in.
    pub client_key: PublicKey,
}

impl Grant {
    /// From the room's word; `None` if the client signed in without a key, so that it can prove nothing.
    pub fn new(room: RoomId, worker: PeerId, granted: &ClaimGranted) -> Option<Self> {
        Some(Self {
            room,
            worker,
            claim_id: granted.claim_id.clone(),
            fence: granted.fence,
            job_id: granted.job_id.clone(),
            attempt: granted.attempt,
            client_key: granted.client_key?,
        })
    }
}

/// What happened around the job.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerInput {
    /// A peer made a link for this job.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// Who sent the offer.
        peer: PeerId,
        /// Its two ends.
        binding: Binding,
        /// Chance, fresh for this link.
        nonce: [u8; 32],
    },
    /// A control message came.
    Control {
        /// On which link.
        link: LinkId,
        /// It.
        text: String,
    },
    /// A bulk message came.
    Bulk {
        /// On which link.
        link: LinkId,
        /// It.
        data: Bytes,
    },
    /// The link took bulk messages.
    BulkTaken {
        /// Which link.
        link: LinkId,
        /// How many.
        count: u32,
    },
    /// The link is gone.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// Answer to [`WorkerEffect::Accept`]: the job can be done here.
    Accepted,
    /// Answer to [`WorkerEffect::Accept`]: it cannot; the job ends failed.
    Rejected {
        /// For a program.
        code: FailCode,
        /// For a person.
        cause: String,
    },
    /// A record is on the disk.
    Recorded {
        /// Which.
        ticket: u64,
    },
    /// A record could not be written.
    RecordFailed {
        /// Which.
        ticket: u64,
        /// Why.
        cause: String,
    },
    /// Something happened to the job. Not `End`: that is made here.
    Happened(What),
    /// The trainer and its whole group are gone. Exactly one follows each [`WorkerEffect::Run`].
    Ended(Terminal),
    /// Answer to [`WorkerEffect::ListResults`]; their chunks follow as [`DiskAnswer::Hashed`].
    Results(Vec<FileEntry>),
    /// Answer to [`WorkerEffect::ListResults`]: they cannot be read.
    ResultsFailed {
        /// Why.
        cause: String,
    },
    /// The disk says something.
    Disk(DiskAnswer),
    /// The worker's own side wants the job to end.
    Wish(Wish),
    /// A later attempt of the job was granted elsewhere: this one ends cancelled.
    Superseded,
    /// The worker cannot go on with it (it shuts down, its GPU is gone): the job ends failed.
    Abort {
        /// For a program.
        code: FailCode,
        /// For a person.
        cause: String,
    },
    /// The room ended the claim. Counts only while nobody has brought the job.
    Withdrawn,
    /// The time of `next_timeout` has come.
    Tick,
}

/// What the worker's half wants done, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerEffect {
    /// Queue a control message.
    Send {
        /// On which link.
        link: LinkId,
        /// It.
        text: String,
    },
    /// Queue a bulk message; answer with [`WorkerInput::BulkTaken`] once the link took it.
    SendBulk {
        /// On which link.
        link: LinkId,
        /// It.
        data: Bytes,
    },
    /// Flush what was queued, close, answer with [`WorkerInput::LinkDown`].
    Close {
        /// Which link.
        link: LinkId,
    },
    /// For the disk.
    Disk(DiskRequest),
    /// Can this job be done here (configuration, trainer, GPU, disk)? Answer with [`WorkerInput::Accepted`] or
    /// [`WorkerInput::Rejected`].
    Accept {
        /// The job.
        job: Box<JobSpec>,
        /// How many files will come.
        files: u32,
        /// How many bytes they have; more is never accepted.
        bytes: u64,
    },
    /// Append to the job's record and fsync; answer with [`WorkerInput::Recorded`] or [`WorkerInput::RecordFailed`].
    Record {
        /// For the answer.
        ticket: u64,
        /// What.
        record: Box<JobRecord>,
    },
    /// The job is accepted and recorded: tell the room that the claim is used.
    Taken,
    /// Every file is in place: start the trainer. Ends in [`WorkerInput::Ended`].
    Run {
        /// The job.
        job: Box<JobSpec>,
    },
    /// Ask the trainer to end early and keep the model, until it obeys.
    Stop,
    /// End the trainer's process group now.
    Cancel,
    /// The job is over and recorded: the slot is free, tell the room.
    Over {
        /// How.
        terminal: Terminal,
    },
    /// Which files are the results? Answer with [`WorkerInput::Results`] or [`WorkerInput::ResultsFailed`].
    ListResults,
    /// The client has all results, whole.
    Delivered {
        /// Their root hash.
        root: Hash,
    },
    /// Nothing of this job is worth keeping: drop it. Nothing follows.
    Forget,
    /// Something for the log.
    Report(Fact),
}

/// What happened, for the log. No secrets, nothing of the job's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A link was refused.
    Refused {
        /// Which.
        link: LinkId,
        /// For a program.
        code: RefuseCode,
        /// For a person.
        message: String,
    },
    /// The owner proved itself on a link.
    Proven {
        /// Which.
        link: LinkId,
        /// The peer.
        peer: PeerId,
    },
    /// A record could not be written; it is tried again.
    RecordFailed {
        /// Why.
        cause: String,
    },
}
