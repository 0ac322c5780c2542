//! Claims that a worker still holds when it registers: it knows what runs on it, so the room takes over.

use std::cmp::Reverse;

use sleap_rtc_wire::claim::{ClaimEnded, ClaimRefused, EndReason, HeldClaim, HeldState, Reason, Workers};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{CLAIMS, Code, MemberId, PeerId, PublicKey, Time, ToPeer, limits};

use crate::Room;
use crate::claims::Tell;
use crate::discovery::WORKER;
use crate::line::Place;
use crate::peers::Joined;
use crate::slot::{Reach, Slot, claim_id};

impl Room {
    /// Ends the claim that the room knows on this worker if the worker does not hold it any more. Done before the worker is
    /// there, because what it says of its own status then is not about that claim.
    pub(crate) fn end_lost_claim(&mut self, worker: &PeerId, held: &[HeldClaim]) {
        if self.claims.slot(worker).is_some_and(|slot| !held.iter().any(|held| is_same(slot, held))) {
            self.end_claim(worker, EndReason::Lost, Tell::Client);
        }
    }

    /// Goes on with the claim that the room knows, or takes over one that it does not know and that can be true; the others are
    /// ended.
    ///
    /// A lie occupies only the liar's own slot: claims are kept by worker, and a name that does not follow from its fence, a
    /// fence that was never given out, or a claim that this room has granted to another worker is refused.
    pub(crate) fn take_over_held(&mut self, joined: Joined, held: Vec<HeldClaim>, now: Time) {
        let Some(worker) = self.presence.get(joined).map(|peer| peer.id.clone()) else { return };
        for held in held {
            let known = self.claims.slot(&worker).filter(|slot| is_same(slot, &held));
            let client = known.map_or_else(|| client_of(&held), |slot| slot.client_member.clone());
            let is_known = known.is_some();
            if client.as_ref().is_some_and(|client| self.is_superseded(client, &held.grant.job_id, held.grant.attempt))
            {
                self.supersede(joined, &worker, held);
            } else if is_known {
                self.go_on(&worker, &held, now);
                self.stop_waiting(client.as_ref(), &held);
            } else if self.claims.slot(&worker).is_none() && self.may_be_true(&held, now) && !self.is_asked_again(&held)
            {
                self.stop_waiting(client.as_ref(), &held);
                self.take_over(joined, held, now);
            } else {
                self.tell_ended(joined, held, EndReason::Lost);
            }
        }
    }

    /// A later try of the job was granted elsewhere: the worker cancels this one, and is busy until it says otherwise.
    fn supersede(&mut self, joined: Joined, worker: &PeerId, held: HeldClaim) {
        if self.claims.slot(worker).is_some_and(|slot| is_same(slot, &held)) {
            self.end_claim(worker, EndReason::Superseded, Tell::Client);
        }
        if held.state == HeldState::Used {
            self.set_busy(joined);
        }
        self.tell_ended(joined, held, EndReason::Superseded);
    }

    fn set_busy(&mut self, joined: Joined) {
        let Some(peer) = self.presence.get(joined).filter(|peer| peer.is_free()) else { return };
        let mut metadata = peer.metadata.clone();
        metadata.set_property("status", "busy".into());
        self.presence.set_metadata(joined, metadata);
        self.settle_work(joined);
    }

    /// Whether the client of a lease that this room does not know asks for a worker again: it does not come to use the lease.
    fn is_asked_again(&self, held: &HeldClaim) -> bool {
        held.state == HeldState::Leased && self.place_of_job(client_of(held).as_ref(), held).is_some()
    }

    /// A job that runs does not wait for a worker as well.
    fn stop_waiting(&mut self, client: Option<&MemberId>, held: &HeldClaim) {
        let Some(place) = self.place_of_job(client, held) else { return };
        let message = format!("attempt {} of this job has a worker", held.grant.attempt);
        self.refuse_entry(place, |request_id| ClaimRefused {
            request_id,
            code: Code::Conflict,
            reason: Reason::JobRuns,
            message,
            workers: Workers::default(),
        });
    }

    fn place_of_job(&self, client: Option<&MemberId>, held: &HeldClaim) -> Option<Place> {
        self.line.of_member(client?).find(|(_, entry)| entry.claim.job_id == held.grant.job_id).map(|(place, _)| place)
    }

    fn go_on(&mut self, worker: &PeerId, held: &HeldClaim, now: Time) {
        self.claims.set_reach(worker, Reach::Here);
        if held.state == HeldState::Used && self.claims.slot(worker).is_some_and(|slot| !slot.is_used()) {
            self.claims.set_used(worker, since(held, now));
            self.reindex(worker);
        }
    }

    /// Whether this room may have granted the claim and not ended it for a reason that still holds. A lease of this very epoch
    /// that the room does not know has ended; a job that runs is running, whatever the room was told meanwhile.
    fn may_be_true(&self, held: &HeldClaim, now: Time) -> bool {
        let grant = &held.grant;
        let given = self.claims.has_given(grant.fence, self.record.epoch);
        let current = match held.state {
            HeldState::Used => true,
            HeldState::Leased => {
                grant.fence.epoch < self.record.epoch && grant.lease_until > now && !self.is_given_back(held)
            }
        };
        given && current && grant.claim_id == claim_id(grant.fence) && !self.is_granted_to_another(held)
    }

    /// Whether the client has given the claim back since the room was loaded, before its worker told of it.
    fn is_given_back(&self, held: &HeldClaim) -> bool {
        let Some((recovery, client)) = self.recovery.as_ref().zip(client_of(held)) else { return false };
        recovery.is_given_back(&client, &held.grant.claim_id)
    }

    /// Whether the room itself has granted this claim, and it is still on another worker.
    fn is_granted_to_another(&self, held: &HeldClaim) -> bool {
        let client = client_of(held);
        let claims = client.as_ref().into_iter().flat_map(|client| self.claims.of_member(client));
        claims.into_iter().any(|(_, slot)| slot.granted_here && is_same(slot, held))
    }

    fn take_over(&mut self, joined: Joined, held: HeldClaim, now: Time) {
        let Some(peer) = self.presence.get(joined) else { return };
        let used_since = since(&held, now);
        let mut grant = held.grant;
        grant.lease_until = grant.lease_until.min(now.plus_ms(limits::LEASE_MS));
        let client = grant.client_key.as_ref().map(PublicKey::member);
        let mut slot = Slot::leased(grant, String::new(), client, false, peer.member.clone());
        if held.state == HeldState::Used {
            slot.set_used(used_since);
        }
        let worker = peer.id.clone();
        self.claims.insert(worker.clone(), slot);
        self.reindex(&worker);
    }

    fn tell_ended(&mut self, joined: Joined, held: HeldClaim, reason: EndReason) {
        let Some(peer) = self.presence.get(joined) else { return };
        self.send(peer.conn, ToPeer::ClaimEnded(ClaimEnded { claim_id: held.grant.claim_id, reason }));
    }
}

/// Whose claim it is by the worker's word.
fn client_of(held: &HeldClaim) -> Option<MemberId> {
    held.grant.client_key.as_ref().map(PublicKey::member)
}

/// What the peer says it holds, the running jobs and the latest grants first. Only workers that take part in claims hold any.
pub(crate) fn held_claims(register: &mut Register) -> Vec<HeldClaim> {
    let mut held = std::mem::take(&mut register.claims);
    if register.role != WORKER || !register.features.iter().any(|feature| feature == CLAIMS) {
        held.clear();
    }
    held.sort_by_key(|held| Reverse((held.state == HeldState::Used, held.grant.fence)));
    held
}

fn is_same(slot: &Slot, held: &HeldClaim) -> bool {
    slot.grant.claim_id == held.grant.claim_id && slot.grant.fence == held.grant.fence
}

fn since(held: &HeldClaim, now: Time) -> Time {
    held.used_at.map_or(now, |at| at.min(now))
}
