//! What a client's half of the signaling is told, and what it wants done.

use sleap_rtc_wire::claim::{ClaimEnded, ClaimRefused, ClaimWaiting, Claimed, EndReason};
use sleap_rtc_wire::signal::{AbsentPeer, PeerEntry, RegisteredAuth};
use sleap_rtc_wire::{ClaimId, ErrorFrame, Filters, FromPeer, JobId, PeerId, ToPeer};

use crate::pool_line::Cause;

/// Names a call until its answer. Chosen by the shell, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Workers are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimRequest {
    /// Which will do.
    pub filters: Filters,
    /// How many: all of them come, or none.
    pub count: u32,
    /// How long to wait in line, ms, from the moment when the server is first asked; 0: an answer at once. A claim that waits
    /// outlives the line to the server: it is asked again with the time that is left and the place that it had.
    pub wait_ms: u64,
    /// How long the claim may stay unused, ms.
    pub lease_ms: u64,
    /// The job that it is for.
    pub job_id: JobId,
    /// Which try of the job this is, from 1.
    pub attempt: u32,
}

/// A link is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// With whom.
    pub worker: PeerId,
    /// The session description, with all its candidates.
    pub sdp: String,
    /// The claim that books the worker; `None` to find a job again, or for a worker that knows no claims. A claim whose offer
    /// fails is given back.
    pub claim: Option<ClaimId>,
    /// The job: a worker that runs it, or keeps its results, answers whatever the server remembers.
    pub job: Option<JobId>,
}

/// Who is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Those who match; the first of them by the order asked for, if not all fit into one answer.
    pub peers: Vec<PeerEntry>,
    /// How many match.
    pub total: usize,
    /// Workers that match and are silent or lost, if they were asked for.
    pub absent: Vec<AbsentPeer>,
}

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
    /// Book workers; answered by [`Effect::ClaimDone`], until then [`Fact::Waiting`] tells of the place in line.
    Claim {
        /// The call.
        call: CallId,
        /// Which, and what for.
        request: ClaimRequest,
    },
    /// Look who is there; answered by [`Effect::DiscoverDone`].
    Discover {
        /// The call.
        call: CallId,
        /// Who is meant.
        filters: Filters,
        /// Also workers that are silent or lost.
        absent: bool,
    },
    /// Offer a link; answered by [`Effect::OfferDone`].
    Offer {
        /// The call.
        call: CallId,
        /// To whom, with what.
        offer: Offer,
    },
    /// Nobody waits for this call any more: no answer, its place in line is given up, and what it books is given back.
    Abandon {
        /// The call.
        call: CallId,
    },
    /// The claim is not needed any more.
    Release {
        /// The claim.
        claim: ClaimId,
    },
    /// A job of ours runs (`true`), or none does (`false`): while one runs the line is never given up.
    JobRuns(bool),
    /// Give back what no job uses and close the line.
    Leave,
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
    /// Drop the socket, after what was sent, or the attempt to open it. Nothing of it may be reported afterwards.
    Disconnect,
    /// Send a frame.
    Send(FromPeer),
    /// The answer to [`Input::Claim`].
    ClaimDone {
        /// The call.
        call: CallId,
        /// The claims, as many as were asked for, or why there are none.
        outcome: Result<Vec<Claimed>, Failure>,
    },
    /// The answer to [`Input::Discover`].
    DiscoverDone {
        /// The call.
        call: CallId,
        /// Who is there.
        outcome: Result<Found, Failure>,
    },
    /// The answer to [`Input::Offer`].
    OfferDone {
        /// The call.
        call: CallId,
        /// The worker's session description.
        outcome: Result<String, Failure>,
    },
    /// For the log and the screen.
    Report(Fact),
    /// There will be no further try; every call fails from now on.
    GiveUp(Cause),
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// No worker, with the server's reason and numbers.
    #[error("{}", .0.message)]
    Refused(ClaimRefused),
    /// The server does not know claims.
    #[error("the server is too old to book a worker")]
    NoClaims,
    /// The server refused the call.
    #[error("{}", .0.text())]
    Server(ErrorFrame),
    /// The worker refused the offer.
    #[error("worker {worker} refused: {}", .error.text())]
    WorkerRefused {
        /// The worker.
        worker: PeerId,
        /// What it said.
        error: ErrorFrame,
    },
    /// The worker did not answer the offer in time.
    #[error("worker {worker} did not answer within {} s", super::ANSWER_MS / 1000)]
    WorkerSilent {
        /// The worker.
        worker: PeerId,
    },
    /// The claim ended before its worker answered.
    #[error("the claim ended before the worker answered")]
    ClaimEnded(EndReason),
    /// The line broke after the call was sent: whether it took effect is not known.
    #[error("lost the server: {0}")]
    ServerLost(Cause),
    /// The server could not be reached in time.
    #[error("the server could not be reached in time")]
    TimedOut,
    /// The line was given up.
    #[error("{0}")]
    GivenUp(Cause),
    /// We have left the room.
    #[error("left the room")]
    Left,
}

/// Something for the log and the screen. No secrets.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// In the room.
    Registered(Box<RegisteredAuth>),
    /// Out of reach of the server.
    Away {
        /// Why.
        cause: Cause,
        /// When the next try is, ms from now.
        retry_in_ms: u64,
        /// Whether a job runs meanwhile; it is not touched by this.
        job_runs: bool,
    },
    /// A claim waits in line: its place, or what it waits for, has changed.
    Waiting(ClaimWaiting),
    /// A claim of ours is over.
    ClaimEnded(ClaimEnded),
    /// A claim came that nobody waits for any more; it was given back.
    LateClaim {
        /// The claim.
        claim: ClaimId,
    },
    /// An error that belongs to no call.
    ServerError(ErrorFrame),
}
