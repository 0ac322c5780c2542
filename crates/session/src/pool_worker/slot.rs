//! The slot: free, promised, or in use. One value, so that two jobs cannot be in it.

use serde_json::Value;
use sleap_rtc_wire::claim::{ClaimGranted, HeldClaim, HeldState};
use sleap_rtc_wire::{Fence, JobId, Metadata, PeerId, Time};

/// The state of the slot.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Slot {
    Free,
    /// A claim was granted; nobody has used it yet.
    Leased(Lease),
    /// Taken for a peer that knows no claims.
    Plain(Plain),
    /// A job runs.
    Running(Run),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lease {
    pub(super) grant: ClaimGranted,
    /// Whether the fence is on disk: not honoured before.
    pub(super) persisted: bool,
    /// An offer that came before the fence was on disk.
    pub(super) offer: Option<String>,
    /// When we forget it ourselves, in case the server cannot say that it is over.
    pub(super) ends: Time,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plain {
    pub(super) client: PeerId,
    pub(super) job: Option<JobId>,
    pub(super) stage: Stage,
    /// When the slot is free again if nothing happens.
    pub(super) ends: Time,
}

/// How far a peer without a claim has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// The server was asked to mark us reserved; this is what the peer hears if it does.
    Taking { request_id: String, ask: Ask },
    /// `accepted: true` is sent; `job_assignment` is awaited.
    Accepted,
    /// The offer, or the job over the link, is awaited.
    Assigned,
}

/// What a peer without a claim asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    /// By `job_request`; the estimate that goes into the answer, minutes.
    Request { minutes: f64 },
    /// By a bare offer.
    Offer { sdp: String },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) job: JobId,
    pub(super) grant: Option<ClaimGranted>,
    /// Whether the server still has the claim; it may have ended it while our `claim_used` was on its way.
    pub(super) live: bool,
    pub(super) used_at: Time,
    /// When it is over at the latest, if that is known.
    pub(super) free_at: Option<Time>,
}

impl Slot {
    pub(super) fn is_free(&self) -> bool {
        matches!(self, Self::Free)
    }

    /// The job that runs.
    pub(super) fn job(&self) -> Option<&JobId> {
        if let Self::Running(run) = self { Some(&run.job) } else { None }
    }

    /// When the running job is over at the latest.
    pub(super) fn free_at(&self) -> Option<Time> {
        if let Self::Running(run) = self { run.free_at } else { None }
    }

    /// When the slot is given up by itself.
    pub(super) fn ends(&self) -> Option<Time> {
        match self {
            Self::Leased(lease) => Some(lease.ends),
            Self::Plain(plain) => Some(plain.ends),
            Self::Free | Self::Running(_) => None,
        }
    }

    /// The fence of the claim on the slot.
    pub(super) fn fence(&self) -> Option<Fence> {
        match self {
            Self::Leased(lease) => Some(lease.grant.fence),
            Self::Running(run) => run.grant.as_ref().map(|grant| grant.fence),
            Self::Free | Self::Plain(_) => None,
        }
    }

    /// What `register` says of the claim on the slot.
    pub(super) fn held(&self) -> Option<HeldClaim> {
        match self {
            Self::Leased(lease) => {
                Some(HeldClaim { grant: lease.grant.clone(), state: HeldState::Leased, used_at: None })
            }
            Self::Running(run) => {
                run.grant.clone().map(|grant| HeldClaim { grant, state: HeldState::Used, used_at: Some(run.used_at) })
            }
            Self::Free | Self::Plain(_) => None,
        }
    }

    /// The running job is over at this time at the latest.
    pub(super) fn set_free_at(&mut self, job: &JobId, at: Time) {
        if let Self::Running(run) = self
            && run.job == *job
        {
            run.free_at = Some(at);
        }
    }

    /// The server has the claim that it was told by `register`.
    pub(super) fn set_claim_live(&mut self) {
        if let Self::Running(run) = self {
            run.live = run.grant.is_some();
        }
    }

    /// The status that an old client understands.
    pub(super) fn status(&self) -> &'static str {
        match self {
            Self::Free => "available",
            Self::Leased(_) | Self::Plain(_) => "reserved",
            Self::Running(_) => "busy",
        }
    }

    /// What the server must be told in our own words; `None`: nothing, the room speaks for us by the claim that it holds.
    pub(super) fn word(&self, draining: bool, server_has_claims: bool) -> Option<Word> {
        match self {
            Self::Free if draining => Some(Word { status: "draining", ..Word::default() }),
            Self::Free => Some(Word::default()),
            // The room gave the lease, and the conditional update that takes the slot speaks for itself.
            Self::Leased(_) | Self::Plain(Plain { stage: Stage::Taking { .. }, .. }) => None,
            Self::Plain(plain @ Plain { stage: Stage::Accepted, .. }) => Some(Word::reserved(plain.job.clone())),
            Self::Plain(plain) => match &plain.job {
                Some(job) => Some(Word::busy(job.clone())),
                None => Some(Word::reserved(None)),
            },
            Self::Running(run) if run.live && server_has_claims => None,
            Self::Running(run) => Some(Word::busy(run.job.clone())),
        }
    }
}

/// What a worker says of itself: the properties that old clients look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) status: &'static str,
    pub(super) current_job: Option<JobId>,
    pub(super) pending_job: Option<JobId>,
}

impl Default for Word {
    fn default() -> Self {
        Self { status: "available", current_job: None, pending_job: None }
    }
}

impl Word {
    pub(super) fn reserved(job: Option<JobId>) -> Self {
        Self { status: "reserved", current_job: None, pending_job: job }
    }

    fn busy(job: JobId) -> Self {
        Self { status: "busy", current_job: Some(job), pending_job: None }
    }

    pub(super) fn write(&self, metadata: &mut Metadata) {
        let job = |id: &Option<JobId>| id.as_ref().map_or(Value::Null, |id| id.as_str().into());
        metadata.set_property("status", self.status.into());
        metadata.set_property("current_job_id", job(&self.current_job));
        metadata.set_property("pending_job_id", job(&self.pending_job));
    }
}
