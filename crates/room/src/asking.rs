//! How a worker is asked for: at once, or by getting in line.

use sleap_rtc_wire::claim::{Claim, ClaimRefused, Claimed, EndReason, Reason, Withdraw, Workers};
use sleap_rtc_wire::{Code, ConnId, Filters, PeerId, Time, ToPeer, limits};

use crate::claims::Tell;
use crate::line::{Client, Entry, GroupId, Line, Place};
use crate::peers::Joined;
use crate::seat::Sitter;
use crate::slot::Slot;
use crate::{Fact, Room};

/// Claims that wait for the room's epoch to be committed; more are refused.
const EARLY_CLAIMS: usize = 1024;

impl Room {
    pub(crate) fn claim(&mut self, joined: Joined, claim: Claim, now: Time) {
        let Some(conn) = self.claimant(joined) else { return };
        if claim.request_id.len() > limits::REQUEST_ID {
            let (bytes, most) = (claim.request_id.len(), limits::REQUEST_ID);
            let text = format!("request id of {bytes} bytes, at most {most} are allowed");
            return self.refuse(conn, Code::TooLarge, text, Some(&claim.request_id));
        }
        if !self.lifetime.is_committed() {
            return self.claim_early(joined, conn, claim, now);
        }
        if let Err((code, reason, message)) = self.check_claim(&claim) {
            return self.refuse_claim(conn, claim.request_id, code, reason, message);
        }
        if self.repeat(joined, &claim) {
            return;
        }
        self.end_dead_leases(joined, &claim);
        if let Some(message) = self.attempt_conflict(joined, &claim) {
            return self.refuse_claim(conn, claim.request_id, Code::Conflict, Reason::JobRuns, message);
        }
        if !self.grant_at_once(joined, &claim, now) {
            self.get_in_line(joined, claim, now);
        }
    }

    /// A fence may only be given out once the store has its first half: the claim waits for that.
    fn claim_early(&mut self, joined: Joined, conn: ConnId, claim: Claim, now: Time) {
        if self.lifetime.early_claims.len() >= EARLY_CLAIMS {
            let text = format!("{EARLY_CLAIMS} claims wait for the room to be loaded, no more are allowed");
            return self.refuse(conn, Code::RateLimited, text, Some(&claim.request_id));
        }
        self.lifetime.early_claims.push((joined, claim));
        self.commit_epoch(now);
    }

    /// What is wrong with a claim, whoever waits and whatever the workers do.
    fn check_claim(&self, claim: &Claim) -> Result<(), (Code, Reason, String)> {
        if claim.count == 0 || claim.count > limits::CLAIM_COUNT {
            let text = format!("{} workers asked for, 1 to {} are allowed", claim.count, limits::CLAIM_COUNT);
            return Err((Code::TooLarge, Reason::Unknown, text));
        }
        if self.lifetime.is_removing() {
            return Err((Code::RoomNotFound, Reason::Unknown, "the room is being removed".to_owned()));
        }
        Ok(())
    }

    fn refuse_claim(&mut self, conn: ConnId, request_id: String, code: Code, reason: Reason, message: String) {
        let refused = ClaimRefused { request_id, code, reason, message, workers: Workers::default() };
        self.send(conn, ToPeer::ClaimRefused(refused));
        self.report(Fact::Refused);
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

    /// The same try of the same job again while its claims are unused: the same answer under the name of this request, not
    /// another worker. A client that has reconnected may not know that they were granted.
    fn repeat(&mut self, joined: Joined, claim: &Claim) -> bool {
        let Some(peer) = self.presence.get(joined) else { return false };
        let conn = peer.conn;
        let same = |slot: &Slot| {
            slot.granted_here && !slot.is_used() && slot.grant.client == peer.id && slot.grant.attempt == claim.attempt
        };
        let again: Vec<(PeerId, Claimed)> = self
            .claims_on_job(&peer.member, &claim.job_id)
            .filter(|(_, slot)| same(slot))
            .map(|(worker, slot)| {
                (worker.clone(), Claimed { request_id: claim.request_id.clone(), ..self.claimed(worker, slot) })
            })
            .collect();
        let is_whole = again.len() == claim.count as usize;
        for (worker, claimed) in again.into_iter().filter(|_| is_whole) {
            self.claims.set_request(&worker, claim.request_id.clone());
            self.send(conn, ToPeer::Claimed(claimed));
        }
        is_whole
    }

    /// Unused claims for this very try that nobody will come to use, as it is asked for again: only their workers tell of them,
    /// after a restart; or the peer to which they were granted is gone; or there are fewer than are asked for.
    fn end_dead_leases(&mut self, joined: Joined, claim: &Claim) {
        let Some(peer) = self.presence.get(joined) else { return };
        let is_dead = |slot: &Slot| {
            let client = &slot.grant.client;
            !slot.granted_here || *client == peer.id || self.presence.by_id(client).is_none()
        };
        let unused = self.claims_on_job(&peer.member, &claim.job_id).filter(|(_, slot)| !slot.is_used());
        let dead = unused.filter(|(_, slot)| slot.grant.attempt == claim.attempt && is_dead(slot));
        let dead: Vec<PeerId> = dead.map(|(worker, _)| worker.clone()).collect();
        for worker in dead {
            self.end_claim(&worker, EndReason::Released, Tell::Both);
        }
    }

    /// Nobody waits: there is nobody to overtake.
    fn grant_at_once(&mut self, joined: Joined, claim: &Claim, now: Time) -> bool {
        let wanted = claim.count as usize;
        let open = self.presence.get(joined).map_or(0, |peer| self.claims.open(&peer.member));
        if !self.line.is_empty() || !self.may_grant() || open + wanted > limits::OPEN_CLAIMS {
            return false;
        }
        let workers = self.free_workers(&claim.filters, joined, wanted);
        let is_enough = workers.len() == wanted;
        if is_enough
            && claim.seat.is_some()
            && let Some(peer) = self.presence.get(joined)
        {
            self.line.turns.had(&peer.member, &claim.job_id, self.seat_is_good_ms(), now);
        }
        for worker in workers.into_iter().filter(|_| is_enough) {
            self.grant(joined, worker, claim, now);
        }
        is_enough
    }

    /// Takes its place, is served if that can be, and waits or is refused otherwise.
    fn get_in_line(&mut self, joined: Joined, claim: Claim, now: Time) {
        let Some(peer) = self.presence.get(joined) else { return };
        let (conn, client, member) = (peer.conn, peer.id.clone(), peer.member.clone());
        let Some(place) = self.take_place(joined, &claim, now) else {
            let message = "a later attempt of this job waits".to_owned();
            return self.refuse_claim(conn, claim.request_id, Code::Conflict, Reason::JobRuns, message);
        };
        let (wait_ms, mut claim) = (claim.wait_ms.min(limits::WAIT_MS), claim);
        let filters = std::mem::take(&mut claim.filters);
        claim.seat = None;
        let group = self.group_of(filters);
        let entry = Entry {
            claim,
            client,
            member,
            at: Client::Here(joined),
            until: now.plus_ms(wait_ms),
            group,
            told: None,
            seat_due: now.plus_ms(self.config.seat_ms.max(1)),
        };
        self.line.insert(place, entry);
        self.serve(now);
        if self.line.get(place).is_none() {
            return;
        }
        if wait_ms == 0 {
            self.refuse_waiting(place);
        } else if let Some(message) = self.line_is_full(place) {
            self.refuse_entry(place, |request_id| ClaimRefused {
                request_id,
                code: Code::RateLimited,
                reason: Reason::LineFull,
                message,
                workers: Workers::default(),
            });
        } else {
            self.tell_first(place, now);
        }
    }

    /// The claims in line with these filters.
    fn group_of(&mut self, filters: Filters) -> GroupId {
        let key = Line::key(&filters);
        if let Some(group) = self.line.group_with(&key) {
            return group;
        }
        let matching = self.matching_workers(&filters);
        self.line.new_group(key, filters, matching)
    }

    /// Where a claim stands: where the same job's claim has stood, when it was first asked for by its seat, or last. `None`: a
    /// later try of the job is in line.
    fn take_place(&mut self, joined: Joined, claim: &Claim, now: Time) -> Option<Place> {
        let member = &self.presence.get(joined)?.member;
        let sitter = Sitter { room: &self.record.room_id, member, claim };
        let seat = claim.seat.as_ref().and_then(|seat| sitter.asked_at(&self.config.line_key, seat, now));
        let turn = seat.and_then(|_| self.line.turns.last(member, &claim.job_id));
        let asked_at = seat.map_or(now, |seat| turn.map_or(seat, |turn| turn.max(seat)));
        let Some((earlier, entry)) = self.line.of_member(member).find(|(_, entry)| entry.claim.job_id == claim.job_id)
        else {
            return Some(self.line.new_place(asked_at));
        };
        if entry.claim.attempt > claim.attempt {
            return None;
        }
        if entry.at == Client::Here(joined) && entry.claim.request_id == claim.request_id {
            self.line.remove(earlier);
        } else {
            // Whoever of the member's programs asked before, or by which name: that request will not be served.
            self.refuse_entry(earlier, |request_id| ClaimRefused {
                request_id,
                code: Code::Conflict,
                reason: Reason::JobRuns,
                message: "this job's claim was asked for again in another request".to_owned(),
                workers: Workers::default(),
            });
        }
        Some(if asked_at < earlier.asked_at { self.line.new_place(asked_at) } else { earlier })
    }

    /// Why no more claims are taken in line, if that is so.
    fn line_is_full(&self, place: Place) -> Option<String> {
        let member = &self.line.get(place)?.member;
        let of_member = self.line.of_member(member).count() - 1;
        if of_member >= limits::WAITING_CLAIMS {
            return Some(format!(
                "{of_member} claims of this member wait, at most {} are allowed",
                limits::WAITING_CLAIMS
            ));
        }
        let waiting = self.line.len() - 1;
        (waiting >= limits::LINE)
            .then(|| format!("{waiting} claims wait in this room, at most {} are allowed", limits::LINE))
    }

    /// The room is removed: nobody waits for anything in it.
    pub(crate) fn end_line(&mut self) {
        let places: Vec<Place> = self.line.entries().map(|(place, _)| place).collect();
        for place in places {
            self.refuse_entry(place, |request_id| ClaimRefused {
                request_id,
                code: Code::RoomNotFound,
                reason: Reason::Unknown,
                message: "the room was removed".to_owned(),
                workers: Workers::default(),
            });
        }
    }

    /// Client: wait no more.
    pub(crate) fn withdraw(&mut self, joined: Joined, withdraw: &Withdraw, now: Time) {
        let own = |request_id: &str| *request_id == withdraw.request_id;
        self.lifetime.early_claims.retain(|(claimant, claim)| *claimant != joined || !own(&claim.request_id));
        let Some(peer) = self.presence.get(joined) else { return };
        let places = self
            .line
            .of_member(&peer.member)
            .filter(|(_, entry)| entry.client == peer.id && own(&entry.claim.request_id));
        let places: Vec<Place> = places.map(|(place, _)| place).collect();
        for place in places {
            if let Some(entry) = self.line.remove(place) {
                self.line.turns.had(&entry.member, &entry.claim.job_id, self.seat_is_good_ms(), now);
            }
        }
    }

    /// Those who have waited for as long as they wanted, or whose client is not back in time.
    pub(crate) fn end_due_waits(&mut self, now: Time) {
        while let Some(place) = self.line.due(now) {
            if self.line.get(place).is_some_and(|entry| matches!(entry.at, Client::Here(_))) {
                self.refuse_waiting(place);
            } else {
                self.line.remove(place);
            }
        }
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
