//! What a worker's half of the signaling is told, and what it wants done.

use sleap_rtc_wire::claim::{ClaimGranted, EndReason};
use sleap_rtc_wire::signal::RegisteredAuth;
use sleap_rtc_wire::{ClaimId, ErrorFrame, Fence, FromPeer, JobId, PeerId, Time, ToPeer};

use super::seen::Seen;
use crate::pool_line::Cause;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The socket of [`Effect::Connect`] is open.
    Connected {
        /// From the sign-in.
        id_token: Option<String>,
    },
    /// It could not be opened, or the sign-in failed.
    ConnectFailed(Cause),
    /// The socket was closed by the other side or broke: [`Cause::Closed`], or [`Cause::Replaced`].
    Disconnected(Cause),
    /// A frame of the server.
    Frame(ToPeer),
    /// The fence is on disk.
    FencePersisted(Fence),
    /// The fence is not on disk and will not be.
    FenceFailed {
        /// Of the effect.
        fence: Fence,
        /// For people.
        cause: String,
    },
    /// The answer to an offer is ready.
    Answered {
        /// Who waits for it.
        to: PeerId,
        /// The session description.
        sdp: String,
    },
    /// An offer cannot be answered.
    AnswerFailed {
        /// Who waits for it.
        to: PeerId,
        /// For people; the peer is told.
        cause: String,
    },
    /// A link that an answer made is gone, and no job runs by it.
    LinkClosed {
        /// Who was at its other end.
        peer: PeerId,
    },
    /// The job's one terminal state is recorded (and, where somebody listened, told): the slot is free.
    JobOver {
        /// The job.
        job: JobId,
        /// Whether its results are kept for somebody who comes back.
        kept: bool,
    },
    /// A job's results are not kept any more.
    Forget(JobId),
    /// The running job is over at this time at the latest, as far as can be said now; the room is told, for those who wait.
    FreeAt {
        /// The job.
        job: JobId,
        /// When.
        at: Time,
    },
    /// Take no more, finish what runs, then leave.
    Drain,
    /// The time given by `next_timeout` has come.
    Tick,
}

/// One thing to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Sign in if there is no valid token (with `fresh`: in any case), open the socket, then report
    /// [`Input::Connected`] or [`Input::ConnectFailed`].
    Connect {
        /// The token at hand was refused.
        fresh: bool,
    },
    /// Drop the socket, or the attempt to open it, if there is one. Nothing of it may be reported afterwards.
    Disconnect,
    /// Send a frame.
    Send(FromPeer),
    /// Write this to disk (fsync), then report [`Input::FencePersisted`] or [`Input::FenceFailed`] with its fence.
    Persist(Seen),
    /// Make a link out of this offer, then report [`Input::Answered`] or [`Input::AnswerFailed`]. A link that an earlier
    /// offer of the same peer made is replaced.
    Answer {
        /// Who sent the offer.
        from: PeerId,
        /// The offer.
        sdp: String,
        /// As what that peer may come in, once it has proved itself.
        admission: Admission,
    },
    /// This peer may not come in any more: close the link that an [`Effect::Answer`] made, unless a job runs by it.
    Withdraw {
        /// The peer.
        from: PeerId,
        /// The job that it was to bring by a claim: if it has not brought it yet, it will not.
        job: Option<JobId>,
    },
    /// A later attempt of the running job was granted elsewhere: end the run as cancelled, keep what it has apart. It has the slot
    /// until [`Input::JobOver`].
    Superseded {
        /// The job.
        job: JobId,
    },
    /// For the log and the screen.
    Report(Fact),
    /// There will be no further try; end with this error.
    GiveUp(Cause),
    /// The worker has drained: close the socket after what was sent, leave the room, end.
    Leave,
}

/// As what a peer may come in. The proof decides whether it is that peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It holds this claim: expect its key, its claim id, its fence, its job.
    Claim(ClaimGranted),
    /// It says that this job is its own; the job runs here, or its results are kept.
    Reattach(JobId),
    /// It knows no claims; the slot is taken for it.
    Plain {
        /// From its `job_request`, if there was one.
        job: Option<JobId>,
    },
}

/// A job that wants the slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Who brings it, by the id under which its offer came.
    pub client: PeerId,
    /// The job.
    pub job: JobId,
    /// The claim that was proved.
    pub claim: Option<ClaimId>,
}

/// Why a job does not get the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartRefused {
    /// Another job runs.
    #[error("the worker runs another job")]
    Busy,
    /// The claim is over, or was never for this job.
    #[error("the claim is over")]
    NotExpected,
    /// This worker has seen a later attempt of the job.
    #[error("a later attempt of this job has been here")]
    OlderAttempt,
}

/// Something for the log and the screen. No secrets.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// In the room.
    Registered(Box<RegisteredAuth>),
    /// Out of reach of the server; a running job goes on.
    Away {
        /// Why.
        cause: Cause,
        /// When the next try is, ms from now.
        retry_in_ms: u64,
    },
    /// A client may come.
    Expecting {
        /// Who.
        client: PeerId,
        /// For which job.
        job: JobId,
    },
    /// A grant was refused: its fence is not higher than one seen before, or the slot is taken.
    GrantRefused {
        /// The claim.
        claim: ClaimId,
        /// Its fence.
        fence: Fence,
        /// For people.
        why: &'static str,
    },
    /// A fence could not be written to disk: its claim was given back.
    FenceFailed {
        /// The fence.
        fence: Fence,
        /// For people.
        cause: String,
    },
    /// A claim ended before a job began.
    ClaimEnded {
        /// The claim.
        claim: ClaimId,
        /// Why; `None`: nobody came and the server did not say so.
        reason: Option<EndReason>,
    },
    /// A peer without a claim was refused.
    Refused {
        /// Who.
        peer: PeerId,
        /// For people.
        why: &'static str,
    },
    /// A job has the slot.
    Started {
        /// The job.
        job: JobId,
    },
    /// The server refused something that the worker can go on without.
    ServerError(ErrorFrame),
}
