//! The claims of a room as data: at most one on each worker, because a worker peer is one slot.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sleap_rtc_wire::claim::ClaimGranted;
use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::{ClaimId, Fence, MemberId, PeerId, Time};

use crate::discovery::seconds;

/// A claim on a worker.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) grant: ClaimGranted,
    /// Of the client's request; empty if the claim was taken over.
    pub(crate) request_id: String,
    /// Whose claim it is; a claim that was taken over names it by the client's key, unproven.
    pub(crate) client_member: Option<MemberId>,
    /// Granted by this room since it was loaded, so that its client is known for certain.
    pub(crate) granted_here: bool,
    pub(crate) worker_member: MemberId,
    used: bool,
    reach: Reach,
    /// When its client's connection, gone by now, has been gone for too long.
    client_until: Option<Time>,
    shown: Vec<(&'static str, Value)>,
}

impl Slot {
    pub(crate) fn leased(
        grant: ClaimGranted,
        request_id: String,
        client_member: Option<MemberId>,
        granted_here: bool,
        worker_member: MemberId,
    ) -> Self {
        Self {
            grant,
            request_id,
            client_member,
            granted_here,
            worker_member,
            used: false,
            reach: Reach::Here,
            client_until: None,
            shown: vec![("status", Value::from("reserved"))],
        }
    }

    pub(crate) fn is_used(&self) -> bool {
        self.used
    }

    pub(crate) fn is_away(&self) -> bool {
        self.reach != Reach::Here
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.reach == Reach::Lost
    }

    /// When it ends because its client is away.
    pub(crate) fn client_until(&self) -> Option<Time> {
        self.client_until
    }

    /// The client came: a job runs since then.
    pub(crate) fn set_used(&mut self, since: Time) {
        self.used = true;
        self.shown = vec![
            ("status", Value::from("busy")),
            ("current_job_id", Value::from(self.grant.job_id.as_str())),
            ("job_start_time", Value::from(seconds(since))),
        ];
    }

    /// What the claim says of its worker, before the worker's own word.
    pub(crate) fn shown(&self) -> &[(&'static str, Value)] {
        &self.shown
    }

    /// When it ends by itself.
    fn deadline(&self) -> Option<Time> {
        let lease = self.grant.lease_until;
        (!self.used && !mutation::on(Mutation::LeaseNotEnded))
            .then(|| self.client_until.map_or(lease, |until| until.min(lease)))
    }
}

/// Where the worker of a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Here,
    /// Its connection is gone.
    Away,
    /// And has been for so long that the job may be tried elsewhere.
    Lost,
}

/// All claims of a room.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    slots: BTreeMap<PeerId, Slot>,
    /// The workers on which a member has claims.
    by_member: BTreeMap<MemberId, BTreeSet<PeerId>>,
    deadlines: BTreeSet<(Time, PeerId)>,
    away: usize,
    /// Second half of the last fence.
    counter: u64,
}

impl Claims {
    pub(crate) fn slot(&self, worker: &PeerId) -> Option<&Slot> {
        self.slots.get(worker)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = (&PeerId, &Slot)> {
        self.slots.iter()
    }

    /// Who holds the id of a worker that has a claim, connected or not.
    pub(crate) fn worker_member(&self, worker: &PeerId) -> Option<&MemberId> {
        self.slots.get(worker).map(|slot| &slot.worker_member)
    }

    /// The claims of a member, with their workers.
    pub(crate) fn of_member(&self, member: &MemberId) -> impl Iterator<Item = (&PeerId, &Slot)> {
        let workers = self.by_member.get(member).into_iter().flatten();
        workers.filter_map(|worker| self.slots.get_key_value(worker))
    }

    /// The claims of a member that count against its limit: what others say of it does not, nor what a lost worker keeps.
    pub(crate) fn open(&self, member: &MemberId) -> usize {
        self.of_member(member).filter(|(_, slot)| slot.granted_here && !slot.is_lost()).count()
    }

    /// Workers that are away with a running job.
    pub(crate) fn away(&self) -> usize {
        self.away
    }

    pub(crate) fn next_fence(&mut self, epoch: u64) -> Fence {
        self.counter += 1;
        Fence { epoch, counter: self.counter }
    }

    /// Whether this fence may have been given out, in this epoch or an earlier one.
    pub(crate) fn has_given(&self, fence: Fence, epoch: u64) -> bool {
        fence <= Fence { epoch, counter: self.counter }
    }

    /// Puts a claim on a worker that has none.
    pub(crate) fn insert(&mut self, worker: PeerId, slot: Slot) {
        debug_assert!(!self.slots.contains_key(&worker), "one claim a worker");
        if let Some(member) = &slot.client_member {
            self.by_member.entry(member.clone()).or_default().insert(worker.clone());
        }
        if let Some(at) = slot.deadline() {
            self.deadlines.insert((at, worker.clone()));
        }
        self.slots.insert(worker, slot);
    }

    pub(crate) fn remove(&mut self, worker: &PeerId) -> Option<Slot> {
        let slot = self.slots.remove(worker)?;
        if let Some(at) = slot.deadline() {
            self.deadlines.remove(&(at, worker.clone()));
        }
        if let Some(member) = &slot.client_member
            && let Some(workers) = self.by_member.get_mut(member)
        {
            workers.remove(worker);
            if workers.is_empty() {
                self.by_member.remove(member);
            }
        }
        self.away -= usize::from(slot.is_away());
        Some(slot)
    }

    /// Changes a claim's state and keeps its deadline true.
    fn change(&mut self, worker: &PeerId, change: impl FnOnce(&mut Slot)) {
        let Some(slot) = self.slots.get_mut(worker) else { return };
        let (before, was_away) = (slot.deadline(), slot.is_away());
        change(slot);
        self.away = self.away - usize::from(was_away) + usize::from(slot.is_away());
        let after = slot.deadline();
        if before != after {
            if let Some(at) = before {
                self.deadlines.remove(&(at, worker.clone()));
            }
            if let Some(at) = after {
                self.deadlines.insert((at, worker.clone()));
            }
        }
    }

    pub(crate) fn set_used(&mut self, worker: &PeerId, since: Time) {
        self.change(worker, |slot| slot.set_used(since));
    }

    pub(crate) fn set_reach(&mut self, worker: &PeerId, reach: Reach) {
        self.change(worker, |slot| slot.reach = reach);
    }

    /// The request by whose name its client knows the claim.
    pub(crate) fn set_request(&mut self, worker: &PeerId, request_id: String) {
        self.change(worker, |slot| slot.request_id = request_id);
    }

    /// Ends the claim at this time unless it is used or the client comes back (`None`).
    pub(crate) fn set_client_until(&mut self, worker: &PeerId, until: Option<Time>) {
        self.change(worker, |slot| slot.client_until = until);
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The worker of a claim whose time is over, if any.
    pub(crate) fn due(&self, now: Time) -> Option<PeerId> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, worker)| worker.clone())
    }

    pub(crate) fn deadlines_are_true(&self) -> bool {
        let own = self.slots.iter().filter_map(|(worker, slot)| Some((slot.deadline()?, worker.clone())));
        own.collect::<BTreeSet<_>>() == self.deadlines
    }

    #[cfg(debug_assertions)]
    pub(crate) fn check(&self, now: Time) {
        debug_assert!(self.next_deadline().is_none_or(|at| at > now), "no claim outlives its lease unless it is used");
        debug_assert!(self.deadlines.len() <= self.slots.len(), "one deadline a claim");
        debug_assert!(self.away <= self.slots.len(), "only workers with claims are kept while away");
    }
}

/// The name of the claim with this fence; no two in a room are the same, ever.
pub(crate) fn claim_id(fence: Fence) -> ClaimId {
    // At most 42 letters, digits and a hyphen: always a valid id.
    ClaimId::new(&format!("c{}-{}", fence.epoch, fence.counter)).unwrap_or_else(|_| unreachable!())
}
