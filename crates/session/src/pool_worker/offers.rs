//! Offers: whose are answered, and how the answers go out.

use serde_json::{Map, Value, json};
use sleap_rtc_wire::signal::{Description, Relay, RelayKind};
use sleap_rtc_wire::{Code, FromPeer, JobId, PeerId, Time, limits};

use super::PoolWorker;
use super::effect::{Admission, Effect, Fact};
use super::plain::LINK_MS;
use super::slot::{Ask, Slot, Stage};

/// Offers that may be with the shell at once. One peer has one at most; a lab's worker sees two or three.
pub const ANSWERING: usize = 8;

impl PoolWorker {
    /// A claim's offer first, then a job's own client that comes back, then peers that know no claims.
    pub(super) fn offer(&mut self, offer: Description, now: Time) {
        let Description { sender, sdp, job_id, claim_id, .. } = offer;
        if sdp.len() > limits::SDP {
            return self.refuse(&sender, Code::TooLarge, "the offer is too large");
        }
        let reattach = job_id.filter(|job| self.knows(job));
        match &mut self.slot {
            Slot::Leased(lease)
                if lease.grant.client == sender
                    && (claim_id.as_ref() == Some(&lease.grant.claim_id)
                        || claim_id.is_none() && reattach.is_none()) =>
            {
                if lease.persisted {
                    let admission = Admission::Claim(lease.grant.clone());
                    self.answer(sender, sdp, admission, now);
                } else {
                    lease.offer = Some(sdp);
                }
            }
            _ if reattach.is_some() => {
                if let Some(job) = reattach {
                    self.answer(sender, sdp, Admission::Reattach(job), now);
                }
            }
            _ if claim_id.is_some() => self.refuse(&sender, Code::ClaimNotFound, "the claim is over"),
            Slot::Plain(plain) if plain.client == sender && !matches!(plain.stage, Stage::Taking { .. }) => {
                plain.stage = Stage::Assigned;
                plain.ends = now.plus_ms(LINK_MS);
                let admission = Admission::Plain { job: plain.job.clone() };
                self.answer(sender, sdp, admission, now);
            }
            Slot::Free if !self.draining => self.take(sender, None, Ask::Offer { sdp }, now),
            _ => self.refuse(&sender, Code::WorkerBusy, "the worker is taken"),
        }
    }

    /// Hands an offer to the shell.
    pub(super) fn answer(&mut self, from: PeerId, sdp: String, admission: Admission, now: Time) {
        // Who has waited for so long does not wait any more.
        self.answering.retain(|_, (_, since)| now.since(*since) < LINK_MS);
        if !self.answering.contains_key(&from) && self.answering.len() >= ANSWERING {
            return self.refuse(&from, Code::RateLimited, "too many offers at once");
        }
        self.answering.insert(from.clone(), (admission.clone(), now));
        self.out.push_back(Effect::Answer { from, sdp, admission });
    }

    pub(super) fn answered(&mut self, to: &PeerId, sdp: &str, now: Time) {
        // Gone: the line was lost meanwhile, or the peer was withdrawn.
        let Some((admission, _)) = self.answering.remove(to) else { return };
        let mut more = Map::new();
        match &admission {
            Admission::Claim(grant) => {
                more.insert("job_id".to_owned(), grant.job_id.as_str().into());
                more.insert("claim_id".to_owned(), grant.claim_id.as_str().into());
            }
            Admission::Reattach(job) => {
                more.insert("job_id".to_owned(), job.as_str().into());
            }
            Admission::Plain { .. } => {
                if let Slot::Plain(plain) = &mut self.slot {
                    plain.ends = now.plus_ms(LINK_MS);
                }
            }
        }
        self.send(FromPeer::description(RelayKind::Answer, &self.setup.peer_id, to, sdp, more));
    }

    pub(super) fn answer_failed(&mut self, to: &PeerId, cause: &str) {
        if self.answering.remove(to).is_some() {
            self.send_refusal(to, Code::Internal, "worker_error", cause);
        }
        self.link_closed(to);
    }

    /// A peer without a claim that is gone does not hold the slot; one with a claim may try again while its lease lasts.
    pub(super) fn link_closed(&mut self, peer: &PeerId) {
        if matches!(&self.slot, Slot::Plain(plain) if plain.client == *peer && plain.stage == Stage::Assigned) {
            self.slot = Slot::Free;
        }
    }

    /// Whoever was to come in by an answer to this peer may not any more.
    pub(super) fn withdraw(&mut self, peer: &PeerId, job: Option<&JobId>) {
        self.answering.remove(peer);
        self.out.push_back(Effect::Withdraw { from: peer.clone(), job: job.cloned() });
    }

    /// Tells a peer by the routed `error` frame of the deployed workers that its offer is not answered.
    pub(super) fn refuse(&mut self, peer: &PeerId, code: Code, why: &'static str) {
        let reason = match code {
            Code::ClaimNotFound => "claim_not_found",
            Code::WorkerBusy => "worker_busy",
            _ => "worker_error",
        };
        self.send_refusal(peer, code, reason, why);
        self.out.push_back(Effect::Report(Fact::Refused { peer: peer.clone(), why }));
    }

    fn send_refusal(&mut self, peer: &PeerId, code: Code, reason: &str, message: &str) {
        let status = self.slot.status();
        let text: Value = json!({
            "type": "error", "sender": self.setup.peer_id, "target": peer, "code": code,
            "reason": reason, "message": message, "current_status": status,
        });
        let from = self.setup.peer_id.clone();
        self.send(FromPeer::Relay(Relay {
            kind: RelayKind::Error,
            from,
            to: peer.clone(),
            text: text.to_string().into(),
        }));
    }
}
