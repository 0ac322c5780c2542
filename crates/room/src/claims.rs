//! How a worker is booked: looking and taking in one step.
//!
//! A claim is *leased* when granted, *used* once the worker says that its client came, and then only the worker ends it. The
//! worker's status changes in the same step. The worker that has been idle longest gets the next claim, so that a broken one
//! is not tried again and again.

use sleap_rtc_wire::claim::{Claim, ClaimEnded, ClaimGranted, ClaimRefused, Claimed, EndReason, Reason, Workers};
use sleap_rtc_wire::{ClaimId, Code, ConnId, Filters, PeerId, Time, ToPeer, limits};

use crate::presence::{Joined, Peer};
use crate::slot::{Slot, claim_id};
use crate::{Fact, Room};

/// Claims that wait for the room's epoch to be committed; more are refused.
const EARLY_CLAIMS: usize = 1024;

/// Who hears that a claim ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    Both,
    Client,
}

/// The workers that a claim means.
struct Found {
    matching: usize,
    /// The one that has been idle longest first.
    free: Vec<Joined>,
}

impl Room {
    pub(crate) fn claim(&mut self, joined: Joined, claim: Claim, now: Time) {
        let Some(conn) = self.claimant(joined) else { return };
        if claim.request_id.len() > limits::REQUEST_ID {
            let (bytes, most) = (claim.request_id.len(), limits::REQUEST_ID);
            let text = format!("request id of {bytes} bytes, at most {most} are allowed");
            return self.refuse(conn, Code::TooLarge, text, Some(&claim.request_id));
        }
        if !self.lifetime.is_committed() {
            // A fence may only be given out once the store has its first half.
            if self.lifetime.early_claims.len() >= EARLY_CLAIMS {
                let text = format!("{EARLY_CLAIMS} claims wait for the room to be loaded, no more are allowed");
                return self.refuse(conn, Code::RateLimited, text, Some(&claim.request_id));
            }
            self.lifetime.early_claims.push((joined, claim));
            return self.commit_epoch(now);
        }
        if self.repeat(joined, &claim) {
            return;
        }
        match self.book(joined, &claim, now) {
            Ok(workers) => {
                for worker in workers {
                    self.grant(joined, worker, &claim, now);
                }
            }
            Err(refused) => {
                self.send(conn, ToPeer::ClaimRefused(refused));
                self.report(Fact::Refused);
            }
        }
    }

    /// The connection of a peer that takes part in claims; says so to one that does not.
    fn claimant(&mut self, joined: Joined) -> Option<ConnId> {
        let peer = self.presence.get(joined)?;
        if peer.claims {
            return Some(peer.conn);
        }
        let conn = peer.conn;
        self.refuse(conn, Code::InvalidMessage, "claims need the feature claims/1 in register", None);
        None
    }

    /// The same request for the same try again, while its claims are unused: the same answer, not another worker.
    fn repeat(&mut self, joined: Joined, claim: &Claim) -> bool {
        let Some(peer) = self.presence.get(joined) else { return false };
        let conn = peer.conn;
        let same = |slot: &Slot| {
            slot.granted_here
                && !slot.is_used()
                && slot.grant.client == peer.id
                && slot.request_id == claim.request_id
                && slot.grant.job_id == claim.job_id
                && slot.grant.attempt == claim.attempt
        };
        let again: Vec<Claimed> = self
            .claims
            .of_member(&peer.member)
            .filter(|(_, slot)| same(slot))
            .map(|(worker, slot)| self.claimed(worker, slot))
            .collect();
        let found = !again.is_empty();
        for claimed in again {
            self.send(conn, ToPeer::Claimed(claimed));
        }
        found
    }

    fn claimed(&self, worker: &PeerId, slot: &Slot) -> Claimed {
        let key = self.presence.by_id(worker).and_then(|joined| self.presence.get(joined)).and_then(|peer| peer.key);
        Claimed {
            request_id: slot.request_id.clone(),
            claim_id: slot.grant.claim_id.clone(),
            fence: slot.grant.fence,
            worker: worker.clone(),
            worker_key: key,
            lease_until: slot.grant.lease_until,
        }
    }

    /// The workers to grant: as many as the claim asks for, or none at all.
    fn book(&self, joined: Joined, claim: &Claim, now: Time) -> Result<Vec<Joined>, ClaimRefused> {
        let refused = |code, reason, message: String| ClaimRefused {
            request_id: claim.request_id.clone(),
            code,
            reason,
            message,
            workers: Workers::default(),
        };
        if claim.count == 0 || claim.count > limits::CLAIM_COUNT {
            let text = format!("{} workers asked for, 1 to {} are allowed", claim.count, limits::CLAIM_COUNT);
            return Err(refused(Code::TooLarge, Reason::Unknown, text));
        }
        if self.lifetime.is_removing() || self.is_expired(now) {
            return Err(refused(Code::RoomNotFound, Reason::Unknown, "the room is being removed".to_owned()));
        }
        let wanted = claim.count as usize;
        let open = self.presence.get(joined).map_or(0, |peer| self.claims.open(&peer.member));
        if open + wanted > limits::OPEN_CLAIMS {
            let text =
                format!("{open} claims open and {wanted} asked for, at most {} are allowed", limits::OPEN_CLAIMS);
            return Err(refused(Code::RateLimited, Reason::TooManyClaims, text));
        }
        let found = self.find_workers(&claim.filters, joined, wanted);
        if found.free.len() < wanted {
            let (reason, message) = found.reason(wanted);
            return Err(ClaimRefused {
                workers: Workers {
                    matching: found.matching as u32,
                    busy: (found.matching - found.free.len()) as u32,
                    ..Workers::default()
                },
                ..refused(Code::NoFreeWorker, reason, message)
            });
        }
        Ok(found.free)
    }

    fn find_workers(&self, filters: &Filters, asker: Joined, wanted: usize) -> Found {
        let free = self.free_workers(filters, asker, wanted);
        let matching = if free.len() < wanted { self.matching_workers(filters, asker).len() } else { wanted };
        Found { matching, free }
    }

    fn grant(&mut self, client: Joined, worker: Joined, claim: &Claim, now: Time) {
        let fence = self.claims.next_fence(self.record.epoch);
        let Some(worker) = self.presence.get_mut(worker) else { return };
        worker.last_granted = fence.counter;
        let (worker_id, worker_conn, worker_member) = (worker.id.clone(), worker.conn, worker.member.clone());
        let Some(client) = self.presence.get(client) else { return };
        let client_conn = client.conn;
        let grant = ClaimGranted {
            claim_id: claim_id(fence),
            fence,
            client: client.id.clone(),
            client_key: client.key,
            job_id: claim.job_id.clone(),
            attempt: claim.attempt,
            lease_until: now.plus_ms(claim.lease_ms.clamp(1, limits::LEASE_MS)),
        };
        let slot =
            Slot::leased(grant.clone(), claim.request_id.clone(), Some(client.member.clone()), true, worker_member);
        let claimed = self.claimed(&worker_id, &slot);
        self.claims.insert(worker_id.clone(), slot);
        self.reindex(&worker_id);
        self.send(worker_conn, ToPeer::ClaimGranted(grant));
        self.send(client_conn, ToPeer::Claimed(claimed));
        self.report(Fact::Granted);
    }

    /// Worker: the client came.
    pub(crate) fn claim_used(&mut self, joined: Joined, claim: &ClaimId, now: Time) {
        if let Some(worker) = self.own_claim(joined, claim)
            && self.claims.slot(&worker).is_some_and(|slot| !slot.is_used())
        {
            self.claims.set_used(&worker, now);
            self.reindex(&worker);
        }
    }

    /// Worker: the slot is free again.
    pub(crate) fn claim_released(&mut self, joined: Joined, claim: &ClaimId) {
        if let Some(worker) = self.own_claim(joined, claim) {
            self.end_claim(&worker, EndReason::Finished, Tell::Client);
        }
    }

    /// The sender's id if it is the worker of this claim; says so if not.
    fn own_claim(&mut self, joined: Joined, claim: &ClaimId) -> Option<PeerId> {
        let peer = self.presence.get(joined)?;
        if self.claims.slot(&peer.id).is_some_and(|slot| slot.grant.claim_id == *claim) {
            return Some(peer.id.clone());
        }
        self.no_such_claim(peer.conn, claim);
        None
    }

    fn no_such_claim(&mut self, conn: ConnId, claim: &ClaimId) {
        self.refuse(conn, Code::ClaimNotFound, format!("no claim {claim} of this peer"), None);
    }

    /// Client: not needed any more.
    pub(crate) fn release(&mut self, joined: Joined, claim: &ClaimId) {
        let Some(peer) = self.presence.get(joined) else { return };
        let conn = peer.conn;
        let own = |slot: &&Slot| slot.grant.claim_id == *claim && slot.grant.client == peer.id;
        let named = self.claims.of_member(&peer.member).filter(|(_, slot)| own(slot));
        // Two only if a worker lies about what it holds: then the unused one is meant.
        let named = named.map(|(worker, slot)| (slot.is_used(), worker.clone())).min();
        match named {
            None => self.no_such_claim(conn, claim),
            Some((true, _)) => {
                self.refuse(conn, Code::Forbidden, format!("claim {claim} is used: only its worker ends it"), None);
            }
            Some((false, worker)) => self.end_claim(&worker, EndReason::Released, Tell::Both),
        }
    }

    /// Takes the claim off a worker; those who are connected and take part in claims are told.
    pub(crate) fn end_claim(&mut self, worker: &PeerId, reason: EndReason, tell: Tell) {
        let Some(slot) = self.claims.remove(worker) else { return };
        self.reindex(worker);
        let ended = ToPeer::ClaimEnded(ClaimEnded { claim_id: slot.grant.claim_id.clone(), reason });
        let client = self.presence.by_id(&slot.grant.client).and_then(|joined| self.presence.get(joined));
        let client = client.filter(|peer| peer.claims && Some(&peer.member) == slot.client_member.as_ref());
        if let Some(conn) = client.map(|peer| peer.conn) {
            self.send(conn, ended.clone());
        }
        if let Some(joined) = self.presence.by_id(worker) {
            self.set_available(joined);
            let worker = self.presence.get(joined).filter(|peer| peer.claims && tell == Tell::Both);
            if let Some(conn) = worker.map(|peer| peer.conn) {
                self.send(conn, ended);
            }
        }
        self.report(Fact::Ended);
    }

    /// What a worker said of itself under a claim (`reserved`, `busy`) was about the claim. Any other word stays.
    fn set_available(&mut self, joined: Joined) {
        let Some(peer) = self.presence.get(joined) else { return };
        let status = peer.metadata.property("status").and_then(serde_json::Value::as_str);
        if matches!(status, Some("reserved" | "busy")) {
            let mut metadata = peer.metadata.clone();
            metadata.set_property("status", "available".into());
            self.presence.set_metadata(joined, metadata);
        }
    }

    pub(crate) fn end_due_claims(&mut self, now: Time) {
        while let Some(worker) = self.claims.due(now) {
            self.end_claim(&worker, EndReason::LeaseExpired, Tell::Both);
        }
    }

    /// A worker's connection is gone: nobody can come to use its claim, but a running job goes on.
    pub(crate) fn worker_is_away(&mut self, worker: &PeerId) {
        match self.claims.slot(worker).map(Slot::is_used) {
            Some(true) => self.claims.set_away(worker, true),
            Some(false) => self.end_claim(worker, EndReason::Lost, Tell::Client),
            None => {}
        }
    }

    /// A client's connection is gone: its unused claims stay for a reconnect's time.
    pub(crate) fn client_is_away(&mut self, client: &Peer, now: Time) {
        let until = now.plus_ms(self.config.client_grace_ms);
        for worker in self.claims_of(client) {
            self.claims.set_client_until(&worker, Some(until));
        }
    }

    pub(crate) fn client_is_back(&mut self, joined: Joined) {
        let Some(client) = self.presence.get(joined) else { return };
        for worker in self.claims_of(client) {
            self.claims.set_client_until(&worker, None);
        }
    }

    /// The workers on which this very peer has claims.
    pub(crate) fn claims_of(&self, client: &Peer) -> Vec<PeerId> {
        let claims = self.claims.of_member(&client.member);
        claims.filter(|(_, slot)| slot.grant.client == client.id).map(|(worker, _)| worker.clone()).collect()
    }

    /// What has waited for the epoch, now that the store has it or does not.
    pub(crate) fn settle_early_claims(&mut self, now: Time) {
        let stored = self.lifetime.is_committed();
        for (joined, claim) in std::mem::take(&mut self.lifetime.early_claims) {
            if stored {
                self.claim(joined, claim, now);
            } else if let Some(conn) = self.presence.get(joined).map(|peer| peer.conn) {
                let text = "the store did not answer, no worker is booked";
                self.refuse(conn, Code::StoreUnavailable, text, Some(&claim.request_id));
            }
        }
    }
}

impl Found {
    /// Why there are not as many as wanted.
    fn reason(&self, wanted: usize) -> (Reason, String) {
        let (matching, free) = (self.matching, self.free.len());
        if matching == 0 {
            return (Reason::NoMatchingWorker, "no connected worker matches".to_owned());
        }
        if matching < wanted {
            return (Reason::NoMatchingWorker, format!("{matching} connected workers match, {wanted} are asked for"));
        }
        let text = match (wanted, free) {
            (1, _) if matching == 1 => "the one worker that matches is busy".to_owned(),
            (1, _) => format!("all {matching} workers that match are busy"),
            _ => format!("{free} of the {matching} workers that match are free, {wanted} are asked for"),
        };
        (Reason::AllMatchingBusy, text)
    }
}
