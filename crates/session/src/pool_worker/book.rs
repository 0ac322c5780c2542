//! The claims of a worker: granted, honoured once the fence is on disk, ended, used, released.

use sleap_rtc_wire::claim::{ClaimEnded, ClaimGranted, ClaimUsed, EndReason};
use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::{ClaimId, Fence, FromPeer, JobId, Time, limits};

use super::effect::{Admission, Effect, Fact, Start, StartRefused};
use super::slot::{Lease, Run, Slot, Stage};
use super::{PoolWorker, plain};

/// How long a lease is remembered after the longest that the server allows, ms, so that it is the server who ends it.
pub const LEASE_SLACK_MS: u64 = 10_000;

impl PoolWorker {
    pub(super) fn granted(&mut self, grant: ClaimGranted, now: Time) {
        if self.slot.fence() == Some(grant.fence) {
            // Told again after we named it in `register`.
            return;
        }
        if grant.fence <= self.seen.fence && !mutation::on(Mutation::FenceCheckOff) {
            return self.refuse_grant(&grant, "its fence is not higher than one seen before");
        }
        self.seen.fence = grant.fence;
        if self.draining {
            return self.refuse_grant(&grant, "the worker is draining");
        }
        match &self.slot {
            Slot::Running(_) => return self.refuse_grant(&grant, "a job runs"),
            Slot::Plain(plain) if !matches!(plain.stage, Stage::Taking { .. }) => {
                return self.refuse_grant(&grant, "the slot is taken by a peer without a claim");
            }
            // The server decided before it read our update: that one will fail.
            Slot::Plain(_) => self.forget_taking(),
            // The server gave the lease to somebody else, with a higher fence.
            Slot::Leased(lease) => {
                let (client, job) = (lease.grant.client.clone(), lease.grant.job_id.clone());
                self.withdraw(&client, Some(&job));
            }
            Slot::Free => {}
        }
        // `lease_until` is on the server's clock: it ends the claim, we only bound how long we believe in it.
        let ends = now.plus_ms(limits::LEASE_MS + LEASE_SLACK_MS);
        self.seen.granted(&grant);
        self.out.push_back(Effect::Persist(self.seen.clone()));
        self.slot = Slot::Leased(Lease { grant, persisted: false, offer: None, ends });
    }

    fn refuse_grant(&mut self, grant: &ClaimGranted, why: &'static str) {
        self.released.push(grant.claim_id.clone());
        self.out.push_back(Effect::Report(Fact::GrantRefused {
            claim: grant.claim_id.clone(),
            fence: grant.fence,
            why,
        }));
    }

    pub(super) fn fence_persisted(&mut self, fence: Fence, now: Time) {
        let Slot::Leased(lease) = &mut self.slot else { return };
        if lease.grant.fence != fence || lease.persisted {
            return;
        }
        lease.persisted = true;
        let (grant, offer) = (lease.grant.clone(), lease.offer.take());
        self.out.push_back(Effect::Report(Fact::Expecting { client: grant.client.clone(), job: grant.job_id.clone() }));
        if let Some(sdp) = offer {
            self.answer(grant.client.clone(), sdp, Admission::Claim(grant), now);
        }
    }

    pub(super) fn fence_failed(&mut self, fence: Fence, cause: String) {
        if matches!(&self.slot, Slot::Leased(lease) if lease.grant.fence == fence && !lease.persisted) {
            self.out.push_back(Effect::Report(Fact::FenceFailed { fence, cause }));
            self.hand_back();
        }
    }

    pub(super) fn claim_ended(&mut self, ended: &ClaimEnded) {
        match &mut self.slot {
            Slot::Leased(lease) if lease.grant.claim_id == ended.claim_id => {
                let (client, job) = (lease.grant.client.clone(), lease.grant.job_id.clone());
                self.slot = Slot::Free;
                self.withdraw(&client, Some(&job));
                let claim = ended.claim_id.clone();
                self.out.push_back(Effect::Report(Fact::ClaimEnded { claim, reason: Some(ended.reason) }));
            }
            // It crossed our `claim_used`: the job runs on, and from now on we say ourselves that we are busy.
            Slot::Running(run) if run.claim() == Some(&ended.claim_id) => {
                run.live = false;
                if ended.reason == EndReason::Superseded {
                    self.out.push_back(Effect::Superseded { job: run.job.clone() });
                }
            }
            _ => {}
        }
    }

    /// Gives the slot back that no job has yet.
    pub(super) fn hand_back(&mut self) {
        match &self.slot {
            Slot::Leased(lease) => {
                let grant = lease.grant.clone();
                self.slot = Slot::Free;
                self.released.push(grant.claim_id);
                self.withdraw(&grant.client, Some(&grant.job_id));
            }
            Slot::Plain(plain) => {
                let client = plain.client.clone();
                self.forget_taking();
                self.slot = Slot::Free;
                self.withdraw(&client, None);
            }
            Slot::Free | Slot::Running(_) => {}
        }
    }

    /// The slot's own time is over: nobody came.
    pub(super) fn slot_timeout(&mut self, now: Time) {
        if self.slot.ends().is_none_or(|ends| now < ends) {
            return;
        }
        match &self.slot {
            Slot::Leased(lease) => {
                let claim = lease.grant.claim_id.clone();
                self.out.push_back(Effect::Report(Fact::ClaimEnded { claim, reason: None }));
            }
            Slot::Plain(plain) => {
                let (peer, why) = (plain.client.clone(), plain::late(&plain.stage));
                self.out.push_back(Effect::Report(Fact::Refused { peer, why }));
            }
            Slot::Free | Slot::Running(_) => {}
        }
        self.hand_back();
    }

    pub(super) fn take_slot(&mut self, start: &Start, now: Time) -> Result<(), StartRefused> {
        if self.line.is_over() {
            return Err(StartRefused::NotExpected);
        }
        let grant = match &self.slot {
            Slot::Leased(lease) if lease.fits(start) => Some(lease.grant.clone()),
            Slot::Plain(plain) if plain.fits(start) => None,
            Slot::Running(_) => return Err(StartRefused::Busy),
            Slot::Free | Slot::Leased(_) | Slot::Plain(_) => return Err(StartRefused::NotExpected),
        };
        if grant.as_ref().is_some_and(|grant| self.seen.attempt(&grant.job_id) > Some(grant.attempt)) {
            self.hand_back();
            return Err(StartRefused::OlderAttempt);
        }
        let live = grant.is_some();
        if let Some(grant) = &grant {
            self.send(FromPeer::ClaimUsed(ClaimUsed { claim_id: grant.claim_id.clone() }));
        }
        self.slot = Slot::Running(Run { job: start.job.clone(), grant, live, used_at: now, free_at: None });
        self.out.push_back(Effect::Report(Fact::Started { job: start.job.clone() }));
        Ok(())
    }

    pub(super) fn job_over(&mut self, job: JobId, kept: bool) {
        if let Slot::Running(run) = &self.slot
            && run.job == job
        {
            // A claim that the server has ended already is not released again.
            self.released.extend(run.claim().filter(|_| run.live).cloned());
            self.slot = Slot::Free;
        }
        if kept {
            self.kept.insert(job);
        }
    }

    /// Whether somebody who says that this job is theirs may come and prove it.
    pub(super) fn knows(&self, job: &JobId) -> bool {
        self.slot.job() == Some(job) || self.kept.contains(job)
    }
}

impl Lease {
    fn fits(&self, start: &Start) -> bool {
        self.persisted && start.claim.as_ref() == Some(&self.grant.claim_id) && start.job == self.grant.job_id
    }
}

impl Run {
    fn claim(&self) -> Option<&ClaimId> {
        self.grant.as_ref().map(|grant| &grant.claim_id)
    }
}
