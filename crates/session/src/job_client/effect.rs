//! What the client's half takes and wants.

use bytes::Bytes;
use sleap_rtc_wire::job::{EndState, JobEvent, JobSpec, Terminal};
use sleap_rtc_wire::manifest::{FileEntry, Hash};
use sleap_rtc_wire::peer::{RefuseCode, Wish};
use sleap_rtc_wire::{ClaimId, Fence, JobId, PeerId, PublicKey, RoomId, Time};

use crate::transfer::{DiskAnswer, DiskRequest, Progress, TransferError};
use crate::{Binding, LinkId};

/// The worker and the job, as the claim told them. A job's file on the client keeps it, to come back later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The room.
    pub room: RoomId,
    /// This peer.
    pub me: PeerId,
    /// The worker.
    pub worker: PeerId,
    /// The key that the worker must prove.
    pub worker_key: PublicKey,
    /// The job.
    pub job_id: JobId,
    /// Which try of it.
    pub attempt: u32,
    /// The claim.
    pub claim_id: ClaimId,
    /// Its fence.
    pub fence: Fence,
}

/// What the client is there for.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Bring a new job and see it through.
    Submit {
        /// The job; its id and attempt are the target's.
        job: Box<JobSpec>,
        /// Its files. Their chunks come as [`DiskAnswer::Hashed`].
        files: Vec<FileEntry>,
    },
    /// See a job through that was accepted before.
    Attach {
        /// The first event wanted, from 1.
        from_seq: u64,
        /// Whether to bring the results home.
        results: bool,
    },
    /// Say one thing about a job that was accepted before, and leave. Does not disturb who watches.
    Command(Wish),
}

/// How patient the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimes {
    /// How long to try before the worker has taken the job, ms.
    pub connect_ms: u64,
    /// How long to try after that before the job counts as lost, ms.
    pub lost_ms: u64,
}

impl Default for ClientTimes {
    /// One minute, and the ten minutes after which the room calls a worker lost.
    fn default() -> Self {
        Self { connect_ms: 60_000, lost_ms: 600_000 }
    }
}

/// What happened around the client.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientInput {
    /// The link that [`ClientEffect::Connect`] asked for is there.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// Its two ends.
        binding: Binding,
        /// Chance, fresh for this link.
        nonce: [u8; 32],
    },
    /// The link that [`ClientEffect::Connect`] asked for could not be made.
    ConnectFailed {
        /// Why, for a person.
        cause: String,
        /// Any number: spreads the next try.
        chance: u32,
    },
    /// The room calls the worker lost: no further try can do.
    WorkerLost {
        /// For how long it has not heard of it, ms.
        for_ms: u64,
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
        /// Why, for a person.
        cause: String,
        /// Any number: spreads the next try.
        chance: u32,
    },
    /// The disk says something.
    Disk(DiskAnswer),
    /// The user wants something. A cancel after a stop counts, not the other way round.
    Wish(Wish),
    /// The user leaves; the job goes on.
    Leave,
    /// The time of `next_timeout` has come.
    Tick,
}

/// What the client wants done, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEffect {
    /// Make a link to the worker now; answer with [`ClientInput::LinkUp`] or [`ClientInput::ConnectFailed`].
    Connect,
    /// Queue a control message.
    Send {
        /// On which link.
        link: LinkId,
        /// It.
        text: String,
    },
    /// Queue a bulk message; answer with [`ClientInput::BulkTaken`] once the link took it.
    SendBulk {
        /// On which link.
        link: LinkId,
        /// It.
        data: Bytes,
    },
    /// Flush what was queued, close, answer with [`ClientInput::LinkDown`].
    Close {
        /// Which link.
        link: LinkId,
    },
    /// For the disk.
    Disk(DiskRequest),
    /// For the screen.
    Show(Show),
    /// The end. Nothing follows.
    Finished(Outcome),
}

/// What the user may see.
#[derive(Clone, Debug, PartialEq)]
pub enum Show {
    /// A link is being made, for the first time.
    Connecting,
    /// The worker has proved itself.
    Connected,
    /// The worker has the job.
    Accepted {
        /// Whether it had it before.
        attached: bool,
    },
    /// The job's files go out.
    Sending(Progress),
    /// Something happened to the job. Each number once, growing.
    Event(JobEvent),
    /// The link is cut.
    Reconnecting {
        /// Since when.
        since: Time,
        /// Whether the worker has the job, so that it runs on.
        accepted: bool,
        /// When the next try is made, ms from now.
        retry_ms: u64,
        /// Why, for a person.
        cause: String,
    },
    /// The results come home.
    Receiving(Progress),
}

/// How the client's part ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The job is over.
    Ended {
        /// How.
        terminal: Terminal,
        /// The results' root hash once all of them are there; why they are not; `None` if they were not wanted.
        results: Option<Result<Hash, TransferError>>,
    },
    /// The worker obeyed a [`Plan::Command`].
    Obeyed {
        /// Which.
        wish: Wish,
        /// How the job had ended before, if it had.
        end: Option<EndState>,
    },
    /// The user left; the job goes on.
    Left,
    /// It could not be done.
    Failed(ClientError),
}

/// What the client could not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No link, or no worker on it, before the worker had taken the job.
    #[error("the worker could not be reached: {cause}")]
    Unreachable {
        /// Of the last try.
        cause: String,
    },
    /// No link for so long after the worker had taken the job that it counts as lost. It may still come back.
    #[error("the worker has been gone for {for_ms} ms: {cause}")]
    Lost {
        /// How long.
        for_ms: u64,
        /// Of the last try.
        cause: String,
    },
    /// The other end is not who it must be, or breaks the rules.
    #[error("the worker was refused: {message}")]
    Unproven {
        /// For a program.
        code: RefuseCode,
        /// For a person.
        message: String,
    },
    /// The worker said no.
    #[error("the worker refused: {message}")]
    Refused {
        /// For a program.
        code: RefuseCode,
        /// For a person.
        message: String,
    },
    /// The same installation watches the job from another program now.
    #[error("the job is watched from somewhere else now")]
    Replaced,
}
