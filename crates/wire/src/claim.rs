//! The frames by which a worker is booked: looking and taking in one step.
//!
//! A claim goes waiting → leased → used → ended. Only peers that named [`crate::CLAIMS`] when they registered get these
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
    /// How many workers are wanted.
    #[serde(default = "one")]
    pub count: u32,
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
    /// The member holds or waits for too many claims.
    TooManyClaims,
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
    /// When a worker may be free, if that can be said honestly, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_ms: Option<u64>,
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
    /// Connected workers that match.
    #[serde(default)]
    pub matching: u32,
    /// Of those, how many are taken.
    #[serde(default)]
    pub busy: u32,
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

/// Client: not needed any more. Ends a leased claim or a place in line; a used claim is the worker's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The claim.
    pub claim_id: ClaimId,
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
