//! The frames by which a worker is booked: looking and taking in one step.
//!
//! A claim goes waiting → leased → used → ended. A client that waits may `withdraw`. Only peers that named [`crate::CLAIMS`] when they registered get these
//! frames.

use serde::{Deserialize, Serialize};

use crate::{ClaimId, Code, Fence, Filters, JobId, PeerId, PublicKey, Time, limits};

/// Client: give me a free worker that matches, now or within `wait_ms`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Comes back in the answer; chosen by the client.
    pub request_id: String,
    /// Which workers will do. The role is always `worker`.
    #[serde(default)]
    pub filters: Filters,
    /// How long to wait in line; 0 asks for an answer at once.
    #[serde(default)]
    pub wait_ms: u64,
    /// How long the claim may stay unused, at most [`limits::LEASE_MS`].
    #[serde(default = "default_lease")]
    pub lease_ms: u64,
    /// The job that it is for.
    pub job_id: JobId,
    /// Which try of the job this is, from 1.
    #[serde(default = "one")]
    pub attempt: u32,
    /// How many workers are wanted; all of them are granted at once, or none.
    #[serde(default = "one")]
    pub count: u32,
    /// The place that a [`ClaimWaiting`] gave to this job's claim before the line to the server broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<Seat>,
}

/// When a job's claim was first asked for, in the server's own hand: it keeps a place in line over lost connections and
/// restarts of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// When the claim was first asked for.
    pub asked_at: Time,
    /// Until when the seat is good; a waiting client gets a new one long before.
    pub until: Time,
    /// Over room, member, job and both times; only the server can make it. Not a secret: it is worth nothing to anybody else.
    pub proof: String,
}

/// What the workers do that match a claim, whatever their status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workers {
    /// Connected workers that match.
    #[serde(default)]
    pub matching: u32,
    /// Of those, how many are taken.
    #[serde(default)]
    pub busy: u32,
    /// Of those, how many finish what they have and take no more.
    #[serde(default)]
    pub draining: u32,
    /// Of those, how many their owners keep.
    #[serde(default)]
    pub held: u32,
    /// Matching workers that are not connected and not known to have left.
    #[serde(default)]
    pub silent: u32,
}

fn default_lease() -> u64 {
    limits::DEFAULT_LEASE_MS
}

fn one() -> u32 {
    1
}

/// To the client: this worker is yours until `lease_until`, and for the job's whole time once it has used the claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// Of the request.
    pub request_id: String,
    /// Names the claim from now on.
    pub claim_id: ClaimId,
    /// Goes into the hello to the worker, which refuses any lower one.
    pub fence: Fence,
    /// Where to send the offer.
    pub worker: PeerId,
    /// The key that the worker proves; absent for a worker that signed in without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_key: Option<PublicKey>,
    /// When an unused claim ends.
    pub lease_until: Time,
}

/// Why a claim waits or is refused: a closed list, with [`Reason::Unknown`] for newer servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Workers match, each of them is taken.
    AllMatchingBusy,
    /// No connected worker matches the filter.
    NoMatchingWorker,
    /// The worker finishes what it has and takes no more.
    Draining,
    /// The worker has not been heard of.
    Silent,
    /// The worker's owner keeps it.
    Held,
    /// The member holds too many claims; the next is granted when one of them ends.
    TooManyClaims,
    /// Workers are free, but those ahead in line wait for them.
    BehindOthers,
    /// The server has restarted and waits until its workers have said what they hold.
    Recovering,
    /// Another try of this job has a worker, or a later one has been granted.
    JobRuns,
    /// So many claims wait in this room, or of this member, that no more are taken.
    LineFull,
    /// A reason of a newer server.
    #[serde(other)]
    Unknown,
}

/// To the client: in line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimWaiting {
    /// Of the request.
    pub request_id: String,
    /// Place among those who wait for such workers, from 1.
    pub place: u32,
    /// Why nobody can be given yet.
    pub reason: Reason,
    /// The numbers behind the reason.
    #[serde(flatten)]
    pub workers: Workers,
    /// When a worker will be free at the latest, if that can be said honestly, ms from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_ms: Option<u64>,
    /// To be shown when the claim is asked for again on another connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<Seat>,
}

/// To the client: no worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRefused {
    /// Of the request.
    pub request_id: String,
    /// For a program.
    pub code: Code,
    /// Why, from a closed list.
    pub reason: Reason,
    /// Why, for a person.
    pub message: String,
    /// The numbers behind the reason.
    #[serde(flatten)]
    pub workers: Workers,
}

/// To the worker: this client may come, with this fence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimGranted {
    /// The claim.
    pub claim_id: ClaimId,
    /// Higher than any before it.
    pub fence: Fence,
    /// The peer that will send the offer.
    pub client: PeerId,
    /// The key that the client must prove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PublicKey>,
    /// The job.
    pub job_id: JobId,
    /// Which try.
    pub attempt: u32,
    /// When the claim ends if it is not used.
    pub lease_until: Time,
}

/// Why a claim ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Nobody used it in time.
    LeaseExpired,
    /// The client gave it back.
    Released,
    /// The worker is done with it.
    Finished,
    /// The worker registered again and does not hold it any more.
    Lost,
    /// The room was removed.
    RoomRemoved,
    /// A later try of the same job was granted elsewhere: a worker that still runs this one cancels it.
    Superseded,
    /// A reason of a newer server.
    #[serde(other)]
    Unknown,
}

/// To client and worker: the claim is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimEnded {
    /// The claim.
    pub claim_id: ClaimId,
    /// Why.
    pub reason: EndReason,
}

/// Client: not needed any more. Ends a leased claim; a used claim is the worker's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The claim.
    pub claim_id: ClaimId,
}

/// Client: wait no more. Gives up the place in line, without an answer; what was granted meanwhile is to be released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdraw {
    /// Of the claim that waits.
    pub request_id: String,
}

/// Worker: the client came and proved itself, the job is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimUsed {
    /// The claim.
    pub claim_id: ClaimId,
}

/// Worker: the slot is free again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimReleased {
    /// The claim.
    pub claim_id: ClaimId,
}

/// What state a claim is in that a worker still holds when it registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// Granted, nobody has come yet.
    Leased,
    /// A job runs.
    Used,
}

/// A claim that a worker still holds, told in `register`; the room takes it over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldClaim {
    /// As it was granted.
    #[serde(flatten)]
    pub grant: ClaimGranted,
    /// Leased or used.
    pub state: HeldState,
    /// Since when it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Time>,
}
