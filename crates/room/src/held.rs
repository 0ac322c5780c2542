//! Claims that a worker still holds when it registers: it knows what runs on it, so the room takes over.

use std::cmp::Reverse;

use sleap_rtc_wire::claim::{ClaimEnded, EndReason, HeldClaim, HeldState};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{CLAIMS, PeerId, PublicKey, Time, ToPeer, limits};

use crate::Room;
use crate::claims::Tell;
use crate::discovery::WORKER;
use crate::presence::Joined;
use crate::slot::{Slot, claim_id};

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
            match self.claims.slot(&worker) {
                Some(slot) if is_same(slot, &held) => self.go_on(&worker, &held, now),
                None if self.may_be_true(&held, now) => self.take_over(joined, held, now),
                _ => self.tell_lost(joined, held),
            }
        }
    }

    fn go_on(&mut self, worker: &PeerId, held: &HeldClaim, now: Time) {
        self.claims.set_away(worker, false);
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
            HeldState::Leased => grant.fence.epoch < self.record.epoch && grant.lease_until > now,
        };
        given && current && grant.claim_id == claim_id(grant.fence) && !self.is_granted_to_another(held)
    }

    /// Whether the room itself has granted this claim, and it is still on another worker.
    fn is_granted_to_another(&self, held: &HeldClaim) -> bool {
        let client = held.grant.client_key.as_ref().map(PublicKey::member);
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

    fn tell_lost(&mut self, joined: Joined, held: HeldClaim) {
        let Some(peer) = self.presence.get(joined) else { return };
        let ended = ClaimEnded { claim_id: held.grant.claim_id, reason: EndReason::Lost };
        self.send(peer.conn, ToPeer::ClaimEnded(ended));
    }
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
