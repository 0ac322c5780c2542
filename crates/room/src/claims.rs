//! What peers say of claims that are granted, and how they end.
//!
//! A claim is *leased* when granted, *used* once the worker says that its client came, and then only the worker ends it. The
//! worker's status changes in the same step.

use sleap_rtc_wire::claim::{ClaimEnded, EndReason};
use sleap_rtc_wire::{ClaimId, Code, ConnId, PeerId, Time, ToPeer};

use crate::attempts::Doubtful;
use crate::line::{Client, Place};
use crate::peer::Peer;
use crate::peers::Joined;
use crate::slot::{Reach, Slot};
use crate::{Fact, Room};

/// Who hears that a claim ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    Both,
    Client,
}

impl Room {
    /// Worker: the client came.
    pub(crate) fn claim_used(&mut self, joined: Joined, claim: &ClaimId, now: Time) {
        if let Some(worker) = self.own_claim(joined, claim)
            && self.claims.slot(&worker).is_some_and(|slot| !slot.is_used())
        {
            self.claims.set_used(&worker, now);
            self.reindex(&worker);
            if let Some(peer) = self.presence.get_mut(joined) {
                peer.doubtful = None;
            }
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
        let (conn, member) = (peer.conn, peer.member.clone());
        let own = |slot: &&Slot| slot.grant.claim_id == *claim && slot.grant.client == peer.id;
        let named = self.claims.of_member(&peer.member).filter(|(_, slot)| own(slot));
        // Two only if a worker lies about what it holds: then the unused one is meant.
        let named = named.map(|(worker, slot)| (slot.is_used(), worker.clone())).min();
        match named {
            None if self.recovery.as_mut().is_some_and(|recovery| recovery.give_back(&member, claim)) => {}
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
        // Its member may have one more now.
        self.line.changed();
        let ended = ToPeer::ClaimEnded(ClaimEnded { claim_id: slot.grant.claim_id.clone(), reason });
        let client = self.presence.by_id(&slot.grant.client).and_then(|joined| self.presence.get(joined));
        let client = client.filter(|peer| peer.claims && Some(&peer.member) == slot.client_member.as_ref());
        if let Some(conn) = client.map(|peer| peer.conn) {
            self.send(conn, ended.clone());
        }
        if let Some(joined) = self.presence.by_id(worker) {
            if let Some(peer) = self.presence.get_mut(joined) {
                // A worker that speaks of a claim is at none of those before it.
                let before = peer.doubtful.take();
                peer.doubtful = if reason == EndReason::Finished { None } else { Doubtful::and(&slot, before) };
            }
            self.set_available(joined);
            let worker = self.presence.get(joined).filter(|peer| peer.claims && tell == Tell::Both);
            if let Some(conn) = worker.map(|peer| peer.conn) {
                self.send(conn, ended);
            }
        }
        self.report(Fact::Ended);
    }

    /// What a worker said of itself under a claim (`reserved`, `busy`) was about the claim. Any other word stays.
    pub(crate) fn set_available(&mut self, joined: Joined) {
        let Some(peer) = self.presence.get(joined) else { return };
        let status = peer.metadata.property("status").and_then(serde_json::Value::as_str);
        if matches!(status, Some("reserved" | "busy")) {
            let mut metadata = peer.metadata.clone();
            metadata.set_property("status", "available".into());
            self.presence.set_metadata(joined, metadata);
            self.settle_work(joined);
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
            Some(true) => self.claims.set_reach(worker, Reach::Away),
            Some(false) => self.end_claim(worker, EndReason::Lost, Tell::Client),
            None => {}
        }
    }

    /// A client's connection is gone: its places in line and its unused claims stay for a reconnect's time.
    pub(crate) fn client_is_away(&mut self, client: &Peer, now: Time) {
        let until = now.plus_ms(self.config.client_grace_ms);
        for worker in self.claims_of(client) {
            self.claims.set_client_until(&worker, Some(until));
        }
        self.set_places_of(client, Client::Away(until));
    }

    /// Its claims in line are of this connection from now on, or of none: a client that comes on another one asks again for what
    /// it still wants.
    pub(crate) fn set_places_of(&mut self, client: &Peer, at: Client) {
        for place in self.places_of(client) {
            self.line.set_client(place, at);
        }
    }

    pub(crate) fn places_of(&self, client: &Peer) -> Vec<Place> {
        let own = self.line.of_member(&client.member).filter(|(_, entry)| entry.client == client.id);
        own.map(|(place, _)| place).collect()
    }

    /// A client that goes for good waits for nothing and does not come to use anything.
    pub(crate) fn client_is_gone(&mut self, client: &Peer) {
        for place in self.places_of(client) {
            self.line.remove(place);
        }
        for worker in self.claims_of(client) {
            if self.claims.slot(&worker).is_some_and(|slot| !slot.is_used()) {
                self.end_claim(&worker, EndReason::Released, Tell::Both);
            }
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
}
