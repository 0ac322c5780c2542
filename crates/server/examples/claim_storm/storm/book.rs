//! What the peers saw, and what must never be among it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sleap_rtc_wire::claim::{ClaimGranted, Reason};
use sleap_rtc_wire::{ClaimId, Fence, JobId, PeerId};

/// Everything that all peers of a storm saw.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Records>);

/// The pages.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// What must not be; empty if all is well.
    pub(crate) violations: Vec<String>,
    /// Those who wait are going home: what takes long now says nothing.
    pub(crate) is_over: bool,
    /// Which job is where now: the peers' own word, not the server's.
    inside: BTreeMap<JobId, PeerId>,
    /// For each client, how long it waited for each of its jobs, from wanting a worker to having its slot.
    pub(crate) waits: BTreeMap<PeerId, Vec<Duration>>,
    /// From a worker's release to the next grant on it.
    pub(crate) hand_overs: Vec<Duration>,
    /// A frame to the bare forwarder and back.
    pub(crate) round_trips: Vec<Duration>,
    pub(crate) restarts: Vec<Restart>,
    /// Why clients waited, as they were told.
    pub(crate) reasons: BTreeMap<String, usize>,
    /// What failed on the way and was tried again.
    pub(crate) setbacks: BTreeMap<String, usize>,
}

/// A server that was killed and came back.
#[derive(Debug)]
pub(crate) struct Restart {
    /// When it listened again.
    pub(crate) at: Instant,
    /// How long after that it granted the first claim to each worker.
    pub(crate) grants: BTreeMap<PeerId, Duration>,
}

impl Book {
    /// To read or to write.
    pub(crate) fn open(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    pub(crate) fn setback(&mut self, what: impl Into<String>) {
        *self.setbacks.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn waits_because(&mut self, reason: Reason) {
        *self.reasons.entry(format!("{reason:?}")).or_default() += 1;
    }

    fn granted(&mut self, worker: &PeerId) {
        if let Some(restart) = self.restarts.last_mut() {
            restart.grants.entry(worker.clone()).or_insert_with(|| restart.at.elapsed());
        }
    }
}

/// A worker's own truth about its slot, kept beside the machine that is tested.
#[derive(Debug)]
pub(crate) struct Truth {
    worker: PeerId,
    highest: Fence,
    /// The claim that the server has put on the slot and nobody has taken off yet.
    claim: Option<ClaimId>,
    /// Who is in the slot.
    inside: Option<(PeerId, JobId)>,
    released_at: Option<Instant>,
}

impl Truth {
    pub(crate) fn of(worker: PeerId) -> Self {
        Self { worker, highest: Fence::default(), claim: None, inside: None, released_at: None }
    }

    /// The server's grant came.
    pub(crate) fn granted(&mut self, grant: &ClaimGranted, book: &Book) {
        let mut records = book.open();
        let Self { worker, highest, claim, inside, .. } = self;
        if grant.fence <= *highest {
            records.violations.push(format!("{worker}: fence {:?} after {highest:?}", grant.fence));
        }
        if let Some(claim) = claim {
            records.violations.push(format!("{worker}: {} granted beside {claim}", grant.claim_id));
        }
        if let Some((client, job)) = inside {
            records.violations.push(format!("{worker}: {} granted while {client} runs {job}", grant.claim_id));
        }
        if let Some(at) = self.released_at.take().filter(|_| !records.is_over) {
            records.hand_overs.push(at.elapsed());
        }
        records.granted(worker);
        self.highest = grant.fence.max(self.highest);
        self.claim = Some(grant.claim_id.clone());
    }

    /// The claim is off the slot: the server said so, or it was told.
    pub(crate) fn ended(&mut self, claim: &ClaimId) {
        self.claim.take_if(|held| held == claim);
    }

    /// The worker itself takes the claim off its slot now.
    pub(crate) fn released(&mut self, claim: &ClaimId) {
        self.ended(claim);
        self.released_at = Some(Instant::now());
    }

    /// A new connection begins with this.
    pub(crate) fn registers(&mut self, held: Option<&ClaimId>) {
        self.claim = held.cloned();
        self.released_at = None;
    }

    /// A client comes in with its job.
    pub(crate) fn enters(&mut self, client: &PeerId, job: &JobId, book: &Book) {
        let mut records = book.open();
        if let Some((other, its)) = &self.inside {
            records.violations.push(format!("{}: {client} with {job} beside {other} with {its}", self.worker));
        }
        if let Some(elsewhere) = records.inside.insert(job.clone(), self.worker.clone()) {
            records.violations.push(format!("{}: {job} runs on {elsewhere} too", self.worker));
        }
        self.inside = Some((client.clone(), job.clone()));
    }

    /// It goes.
    pub(crate) fn leaves(&mut self, job: &JobId, book: &Book) {
        book.open().inside.remove(job);
        self.inside.take_if(|(_, inside)| inside == job);
    }
}
