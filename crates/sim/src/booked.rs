//! The claims of one loading of a room: each change of them has a reason, and none is where it must not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;
use sleap_rtc_room::Room;
use sleap_rtc_wire::claim::{ClaimEnded, ClaimGranted, Claimed, EndReason};
use sleap_rtc_wire::record::WorkerRecord;
use sleap_rtc_wire::{ClaimId, MemberId, PeerId, Time};

use crate::hall::{Hall, Told};
use crate::model::{Rule, Violation};
use crate::seen::{Note, Seen};

pub(crate) static RESERVED: LazyLock<Value> = LazyLock::new(|| Value::from("reserved"));
pub(crate) static BUSY: LazyLock<Value> = LazyLock::new(|| Value::from("busy"));

/// A claim on a worker.
#[derive(Clone, Debug)]
pub(crate) struct Booking {
    pub(crate) grant: ClaimGranted,
    pub(crate) member: Option<MemberId>,
    pub(crate) used: bool,
    /// This loading of the room has granted it.
    pub(crate) here: bool,
    client_until: Option<Time>,
}

/// All of them, and whom the room has to wait for.
#[derive(Debug, Default)]
pub(crate) struct Booked {
    pub(crate) on: BTreeMap<PeerId, Booking>,
    /// Of this round: workers that were given out, to whom.
    pub(crate) granted: Vec<(PeerId, ClaimGranted, MemberId)>,
    /// Of this round: workers that have registered, with what they hold.
    pub(crate) came: BTreeMap<PeerId, Vec<ClaimId>>,
    /// Those who are expected and have not answered yet.
    expected: BTreeSet<PeerId>,
    had_expected: bool,
    /// Since when workers are missed.
    pub(crate) away: BTreeMap<PeerId, Time>,
}

impl Booked {
    pub(crate) fn new(workers: &[WorkerRecord], lost_ms: u64, now: Time) -> Self {
        // Those of the deployed kind hold no claims.
        let workers = workers.iter().filter(|worker| worker.taken.is_none());
        let since = |worker: &WorkerRecord| worker.silent_since.map_or(now, |at| at.min(now));
        let away: BTreeMap<_, _> = workers.map(|worker| (worker.peer_id.clone(), since(worker))).collect();
        let silent = away.iter().filter(|(_, since)| now.since(**since) < lost_ms);
        let expected: BTreeSet<_> = silent.map(|(worker, _)| worker.clone()).collect();
        Self { had_expected: !expected.is_empty(), expected, away, ..Self::default() }
    }

    /// What a claim says of its worker's status.
    pub(crate) fn status(&self, worker: &PeerId) -> Option<&'static Value> {
        self.on.get(worker).map(|booking| if booking.used { &*BUSY } else { &*RESERVED })
    }

    pub(crate) fn worker_came(&mut self, worker: &PeerId, held: Vec<ClaimId>) {
        self.expected.remove(worker);
        self.away.remove(worker);
        // What it does not hold any more is over before it is there.
        self.on.retain(|on, booking| on != worker || held.contains(&booking.grant.claim_id));
        self.came.insert(worker.clone(), held);
    }

    /// The worker is not missed: it leaves for good, or was deleted.
    pub(crate) fn worker_goes(&mut self, worker: &PeerId) {
        self.expected.remove(worker);
        self.away.remove(worker);
    }
}

impl Booking {
    fn due(&self, now: Time) -> bool {
        !self.used && (self.grant.lease_until <= now || self.client_until.is_some_and(|at| at <= now))
    }
}

impl Hall {
    /// A claim ends: what its worker said of itself under it was about the claim.
    fn end(&mut self, worker: &PeerId) {
        self.booked.on.remove(worker);
        if !self.booked.came.contains_key(worker)
            && let Some(peer) = self.by_id.get(worker).and_then(|conn| self.peers.get_mut(conn))
            && matches!(peer.metadata.property("status").and_then(Value::as_str), Some("reserved" | "busy"))
        {
            peer.metadata.set_property("status", "available".into());
        }
    }

    /// A worker says that its slot is free: its claim is over before anybody else gets it.
    pub(crate) fn slot_is_free(&mut self, claim: &ClaimId) {
        if let Told::Released(worker) = &self.told
            && self.booked.on.get(worker).is_some_and(|booking| booking.grant.claim_id == *claim)
        {
            let worker = worker.clone();
            self.end(&worker);
        }
    }

    /// What is due is over before anything else happens.
    pub(crate) fn end_due(&mut self, now: Time, seen: &mut Seen) {
        while let Some(worker) =
            self.booked.on.iter().find(|(_, booking)| booking.due(now)).map(|(worker, _)| worker.clone())
        {
            seen.note(Note::LeaseRan);
            self.end(&worker);
        }
    }

    pub(crate) fn granted(
        &mut self,
        conn: u64,
        grant: &ClaimGranted,
        now: Time,
        seen: &mut Seen,
    ) -> Result<(), Violation> {
        seen.note(Note::Granted);
        if self.again {
            seen.note(Note::FenceOverRestart);
        }
        let Some(worker) = self.peers.get(&conn) else { return Ok(()) };
        let (id, text) = (worker.id.clone(), format!("{:?} on {} in {}", grant.fence, worker.id, self.room));
        if let Some(other) = self.booked.on.get(&id) {
            let text = format!("{text}, which has {:?}", other.grant.fence);
            return Err(Violation::new(Rule::OneJobPerSlot, text));
        }
        let status = worker.metadata.property("status").and_then(Value::as_str);
        if !worker.claims || status != Some("available") || grant.lease_until <= now {
            return Err(Violation::new(Rule::OneJobPerSlot, format!("{text}, which is {status:?}")));
        }
        let last = std::mem::replace(&mut self.fence, grant.fence);
        if grant.fence <= last {
            return Err(Violation::new(Rule::FencesNeverGoBack, format!("{text} after {last:?}")));
        }
        self.may_be_given(grant, now)?;
        let Some(client) = self.by_id.get(&grant.client).and_then(|conn| self.peers.get(conn)) else {
            let text = format!("{text} for {}, which is not there", grant.client);
            return Err(Violation::new(Rule::RepliesStayInTheRoom, text));
        };
        let member = client.member.clone();
        self.one_attempt(grant, &member, now, seen)?;
        let booking =
            Booking { grant: grant.clone(), member: Some(member.clone()), used: false, here: true, client_until: None };
        self.booked.on.insert(id.clone(), booking);
        self.booked.granted.push((id, grant.clone(), member));
        Ok(())
    }

    /// Nothing is given out before those who may hold something have said so, or their time for that is over.
    fn may_be_given(&self, grant: &ClaimGranted, now: Time) -> Result<(), Violation> {
        let passed = now.since(self.loaded_at);
        let early = self.booked.had_expected && passed < self.knobs.settle_ms;
        if early || passed < self.knobs.recover_ms && !self.booked.expected.is_empty() {
            let text = format!("{:?} {passed} ms after the start, awaited {:?}", grant.fence, self.booked.expected);
            return Err(Violation::new(Rule::TakeoverWaits, text));
        }
        Ok(())
    }

    /// Whether the room has reason to believe that this worker may still be at work.
    pub(crate) fn within_reach(&self, worker: &PeerId, now: Time) -> bool {
        self.by_id.contains_key(worker)
            || self.booked.away.get(worker).is_some_and(|since| now.since(*since) < self.knobs.lost_ms)
    }

    fn one_attempt(
        &self,
        grant: &ClaimGranted,
        member: &MemberId,
        now: Time,
        seen: &mut Seen,
    ) -> Result<(), Violation> {
        for (worker, other) in &self.booked.on {
            if other.member.as_ref() != Some(member)
                || other.grant.job_id != grant.job_id
                || other.grant.attempt == grant.attempt
            {
                continue;
            }
            if self.within_reach(worker, now) {
                let text = format!(
                    "{} is tried as {} and as {}, on {worker}",
                    grant.job_id, other.grant.attempt, grant.attempt
                );
                return Err(Violation::new(Rule::OneAttemptAtWork, text));
            }
            seen.note(Note::TriedElsewhere);
        }
        Ok(())
    }

    pub(crate) fn claimed(&self, conn: u64, claimed: &Claimed) -> Result<(), Violation> {
        let to = self.peers.get(&conn).map(|peer| &peer.id);
        let known = self.booked.on.get(&claimed.worker);
        let right = known.is_some_and(|booking| {
            booking.grant.claim_id == claimed.claim_id
                && booking.grant.fence == claimed.fence
                && to == Some(&booking.grant.client)
        });
        if right {
            return Ok(());
        }
        let text = format!("{to:?} is told {claimed:?}; the claim there is {known:?}");
        Err(Violation::new(Rule::RepliesStayInTheRoom, text))
    }

    /// A claim is over, says the room: to its client, its worker, or a worker that says it holds it.
    pub(crate) fn ended(&mut self, ended: &ClaimEnded, seen: &mut Seen) -> Result<(), Violation> {
        seen.note(match ended.reason {
            EndReason::LeaseExpired => Note::EndLease,
            EndReason::Released => Note::EndReleased,
            EndReason::Finished => Note::EndFinished,
            EndReason::RoomRemoved => Note::EndRemoved,
            EndReason::Superseded => Note::EndSuperseded,
            EndReason::Lost | EndReason::Unknown => Note::EndLost,
        });
        let on = self.booked.on.iter().find(|(_, booking)| booking.grant.claim_id == ended.claim_id);
        match on.map(|(worker, booking)| (worker.clone(), booking.used)) {
            Some((worker, used)) => self.ends(&worker, used, ended.reason == EndReason::RoomRemoved),
            None => Ok(()),
        }
    }

    fn ends(&mut self, worker: &PeerId, used: bool, removed: bool) -> Result<(), Violation> {
        if used && !removed && !self.may_end(worker) {
            let text = format!("the running claim on {worker} in {} ended by {:?}", self.room, self.told);
            return Err(Violation::new(Rule::ClaimsAreKnown, text));
        }
        self.end(worker);
        Ok(())
    }

    /// Each claim that the room has is one that it must have, and each that it has no more has ended for a reason.
    pub(crate) fn agrees(&mut self, room: &Room, now: Time, seen: &mut Seen) -> Result<(), Violation> {
        let mut there = 0;
        for booked in room.booked() {
            there += 1;
            let wrong = |rule, why: &str| Err(Violation::new(rule, format!("{} {booked:?} {why}", self.room)));
            let due = booked.grant.lease_until <= now || booked.client_until.is_some_and(|at| at <= now);
            if due && !booked.is_used {
                return wrong(Rule::NoClaimOutlivesItsLease, &format!("is there at {now:?}"));
            }
            let came = self.booked.came.get(booked.worker);
            let known = self.booked.on.get_mut(booked.worker);
            match known.filter(|known| known.grant.claim_id == booked.grant.claim_id) {
                Some(known) => {
                    let told = matches!(&self.told, Told::Used(worker, claim)
                        if worker == booked.worker && *claim == known.grant.claim_id);
                    if booked.is_used && !known.used && !told && came.is_none() {
                        return wrong(Rule::ClaimsAreKnown, "is used, and its worker has not said so");
                    }
                    if came.is_some() {
                        seen.note(Note::WentOn);
                    }
                    known.used = booked.is_used;
                    known.client_until = booked.client_until;
                }
                None if came.is_some_and(|held| held.contains(&booked.grant.claim_id)) => {
                    seen.note(if booked.is_used { Note::TookOverUsed } else { Note::TookOverLease });
                    let (grant, used, client_until) = (booked.grant.clone(), booked.is_used, booked.client_until);
                    let booking = Booking { grant, member: booked.member.cloned(), used, here: false, client_until };
                    self.booked.on.insert(booked.worker.clone(), booking);
                }
                None => return wrong(Rule::ClaimsAreKnown, "was neither granted nor told of"),
            }
        }
        if there == self.booked.on.len() {
            return Ok(());
        }
        let now_there: BTreeSet<&PeerId> = room.booked().map(|booked| booked.worker).collect();
        let gone = self.booked.on.iter().filter(|(worker, _)| !now_there.contains(worker));
        let gone: Vec<(PeerId, bool)> = gone.map(|(worker, booking)| (worker.clone(), booking.used)).collect();
        for (worker, used) in gone {
            self.ends(&worker, used, false)?;
        }
        Ok(())
    }

    /// A running claim ends by the word of its worker, or with the worker.
    fn may_end(&self, worker: &PeerId) -> bool {
        let told = match &self.told {
            Told::Released(by) | Told::Deleted(by) => by == worker,
            Told::Left(_) => !self.by_id.contains_key(worker),
            _ => false,
        };
        told || self.booked.came.contains_key(worker) || self.comes(worker)
    }
}
