//! Claims that a worker still holds when it registers: it knows what runs on it, so the room takes over.

use std::cmp::Reverse;

use sleap_rtc_wire::claim::{ClaimEnded, EndReason, HeldClaim, HeldState};
use sleap_rtc_wire::{PeerId, PublicKey, Time, ToPeer, limits};

use crate::Room;
use crate::claims::Tell;
use crate::discovery::WORKER;
use crate::presence::Joined;
use crate::slot::{Slot, claim_id};

impl Room {
    /// Compares what a worker says it holds with what the room knows. A claim that it does not hold any more is lost; one that
    /// the room does not know is taken over if it can be true, and ended otherwise.
    ///
    /// A lie occupies only the liar's own slot: claims are kept by worker, and a name that does not follow from its fence, or a
    /// fence that was never given out, is refused.
    pub(crate) fn compare_held(&mut self, joined: Joined, mut held: Vec<HeldClaim>, now: Time) {
        let Some(peer) = self.presence.get(joined) else { return };
        let worker = peer.id.clone();
        if peer.role != WORKER || !peer.claims {
            held.clear();
        }
        self.compare_known(&worker, &held, now);
        held.sort_by_key(|held| Reverse((held.state == HeldState::Used, held.grant.fence)));
        for held in held {
            if self.claims.slot(&worker).is_some_and(|slot| slot.grant.claim_id == held.grant.claim_id) {
                continue;
            }
            if self.claims.slot(&worker).is_none() && self.may_be_true(&held, now) {
                self.take_over(joined, held, now);
            } else {
                self.tell_lost(joined, held);
            }
        }
    }

    fn compare_known(&mut self, worker: &PeerId, held: &[HeldClaim], now: Time) {
        let Some(slot) = self.claims.slot(worker) else { return };
        let same =
            |held: &&HeldClaim| held.grant.claim_id == slot.grant.claim_id && held.grant.fence == slot.grant.fence;
        match held.iter().find(same) {
            None => self.end_claim(worker, EndReason::Lost, Tell::Client),
            Some(held) => {
                let was_used = slot.is_used();
                self.claims.set_away(worker, false);
                if held.state == HeldState::Used && !was_used {
                    self.claims.set_used(worker, held.used_at.map_or(now, |at| at.min(now)));
                }
            }
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
        given && current && grant.claim_id == claim_id(grant.fence)
    }

    fn take_over(&mut self, joined: Joined, held: HeldClaim, now: Time) {
        let Some(peer) = self.presence.get(joined) else { return };
        let mut grant = held.grant;
        grant.lease_until = grant.lease_until.min(now.plus_ms(limits::LEASE_MS));
        let client = grant.client_key.as_ref().map(PublicKey::member);
        let mut slot = Slot::leased(grant, String::new(), client, false, peer.member.clone());
        if held.state == HeldState::Used {
            slot.set_used(held.used_at.map_or(now, |at| at.min(now)));
        }
        self.claims.insert(peer.id.clone(), slot);
    }

    fn tell_lost(&mut self, joined: Joined, held: HeldClaim) {
        let Some(peer) = self.presence.get(joined) else { return };
        let ended = ClaimEnded { claim_id: held.grant.claim_id, reason: EndReason::Lost };
        self.send(peer.conn, ToPeer::ClaimEnded(ended));
    }
}
