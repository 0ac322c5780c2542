//! Who has the workers of the deployed kind in one loading of a room: nobody comes to one or leaves it without a reason.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sleap_rtc_room::Room;
use sleap_rtc_wire::record::WorkerRecord;
use sleap_rtc_wire::signal::RelayKind;
use sleap_rtc_wire::{MemberId, PeerId, Time};

use crate::booked::{BUSY, RESERVED};
use crate::hall::{Hall, Told};
use crate::joining::STALE_MS;
use crate::model::{Rule, Violation};
use crate::seen::{Note, Seen};

/// Who has a worker, as the room said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Having {
    guest: Option<PeerId>,
    guest_until: Option<Time>,
    job: Option<String>,
    job_until: Option<Time>,
    /// Whose the worker is, if it has been here.
    member: Option<MemberId>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Occupied {
    on: BTreeMap<PeerId, Having>,
    /// What the store said of workers, until the room has been looked at.
    loaded: Option<BTreeMap<PeerId, bool>>,
    /// Of this round: who has registered on the connection on which it was, and who on another.
    again: BTreeSet<PeerId>,
    anew: BTreeSet<PeerId>,
    /// What the room was told may be more than what came in: frames that waited behind a registration.
    pub(crate) is_blurred: bool,
}

impl Occupied {
    pub(crate) fn new(workers: &[WorkerRecord], now: Time) -> Self {
        let taken = workers.iter().filter(|worker| worker.taken.is_some());
        let is_young = |worker: &WorkerRecord| worker.silent_since.unwrap_or(now).min(now).plus_ms(STALE_MS) > now;
        let loaded = taken.map(|worker| (worker.peer_id.clone(), is_young(worker))).collect();
        Self { loaded: Some(loaded), ..Self::default() }
    }

    /// What everybody is to see as the worker's status.
    pub(crate) fn status(&self, worker: &PeerId) -> Option<&'static Value> {
        self.on.get(worker).map(|having| if having.job.is_some() { &*BUSY } else { &*RESERVED })
    }

    pub(crate) fn came(&mut self, worker: &PeerId, is_again: bool, seen: &mut Seen) {
        if is_again {
            self.again.insert(worker.clone());
        } else {
            if self.on.contains_key(worker) {
                seen.note(Note::OldBack);
            }
            self.anew.insert(worker.clone());
        }
    }

    pub(crate) fn clear_round(&mut self) {
        self.again.clear();
        self.anew.clear();
    }
}

impl Hall {
    /// What is due is over before anything else happens.
    pub(crate) fn end_due_holds(&mut self, now: Time, seen: &mut Seen) {
        let mut free = Vec::new();
        for (worker, having) in &mut self.occupied.on {
            if having.guest_until.is_some_and(|at| at <= now) {
                (having.guest, having.guest_until) = (None, None);
            }
            if having.job_until.is_some_and(|at| at <= now) {
                (having.job, having.job_until) = (None, None);
            }
            if having.guest.is_none() && having.job.is_none() {
                seen.note(Note::OldTimed);
                free.push(worker.clone());
            }
        }
        for worker in free {
            self.is_free(&worker);
        }
    }

    /// What it said of itself was about whom it had.
    fn is_free(&mut self, worker: &PeerId) {
        self.occupied.on.remove(worker);
        if let Some(peer) = self.by_id.get(worker).and_then(|conn| self.peers.get_mut(conn))
            && matches!(peer.metadata.property("status").and_then(Value::as_str), Some("reserved" | "busy"))
        {
            peer.metadata.set_property("status", "available".into());
        }
    }

    fn is_old(&self, worker: &PeerId) -> bool {
        let peer = self.by_id.get(worker).and_then(|conn| self.peers.get(conn));
        peer.is_some_and(|peer| peer.role == "worker" && !peer.claims)
    }

    /// A description is handed on to this connection.
    pub(crate) fn handed_on(&self, conn: u64, seen: &mut Seen) -> Result<(), Violation> {
        let Told::Relay(sender, kind, ..) = &self.told else { return Ok(()) };
        let (Some(from), Some(to)) = (self.peers.get(sender), self.peers.get(&conn)) else { return Ok(()) };
        let (worker, client) = match kind {
            RelayKind::Offer if self.is_old(&to.id) => (&to.id, &from.id),
            RelayKind::Answer if self.is_old(&from.id) => (&from.id, &to.id),
            _ => return Ok(()),
        };
        seen.note(if *kind == RelayKind::Offer { Note::OldReached } else { Note::OldEngaged });
        match self.occupied.on.get(worker) {
            Some(having) if having.job.is_some() || having.guest.as_ref().is_some_and(|guest| guest != client) => {
                let text = format!("{client} reaches {worker} by {kind:?} in {}: {having:?}", self.room);
                Err(Violation::new(Rule::OneClientAtATime, text))
            }
            _ => Ok(()),
        }
    }

    /// What the room thinks of old workers follows from what it was told.
    pub(crate) fn occupancy_agrees(&mut self, room: &Room, now: Time, seen: &mut Seen) -> Result<(), Violation> {
        let mut there: BTreeMap<PeerId, Having> = BTreeMap::new();
        for one in room.occupied() {
            let member = self.by_id.get(one.worker).and_then(|conn| self.peers.get(conn));
            let having = Having {
                guest: one.guest.cloned(),
                guest_until: one.guest_until,
                job: one.job.map(str::to_owned),
                job_until: one.job_until,
                member: member.map(|peer| peer.member.clone()),
            };
            if [having.guest_until, having.job_until].into_iter().flatten().any(|at| at <= now) {
                return self.unknown(one.worker, &having, "is there after its time");
            }
            there.insert(one.worker.clone(), having);
        }
        if let Some(loaded) = self.occupied.loaded.take() {
            return self.adopt(&loaded, there, seen);
        }
        let before = std::mem::take(&mut self.occupied.on);
        let workers: BTreeSet<PeerId> = before.keys().chain(there.keys()).cloned().collect();
        for worker in workers {
            let (was, mut is) = (before.get(&worker).cloned().unwrap_or_default(), there.remove(&worker));
            let now_is = is.clone().unwrap_or_default();
            self.changes(&worker, &was, &now_is, seen)?;
            if let Some(is) = &mut is {
                is.member = is.member.take().or(was.member);
                self.occupied.on.insert(worker, is.clone());
            } else if !self.is_declined(&worker) {
                self.is_free(&worker);
            }
        }
        Ok(())
    }

    /// A room that was loaded knows all that the store knew, and nothing else.
    fn adopt(
        &mut self,
        loaded: &BTreeMap<PeerId, bool>,
        there: BTreeMap<PeerId, Having>,
        seen: &mut Seen,
    ) -> Result<(), Violation> {
        for (worker, is_young) in loaded {
            if *is_young != there.contains_key(worker) {
                return self.unknown(worker, &Having::default(), "is not as the store has it");
            }
            seen.note(Note::OldRestored);
        }
        if let Some((worker, having)) = there.iter().find(|(worker, _)| !loaded.contains_key(*worker)) {
            return self.unknown(worker, having, "is not known to the store");
        }
        self.occupied.on = there;
        Ok(())
    }

    fn unknown(&self, worker: &PeerId, having: &Having, why: &str) -> Result<(), Violation> {
        let text = format!("{worker} in {} {why}: {having:?} after {:?}", self.room, self.told);
        Err(Violation::new(Rule::OccupancyIsKnown, text))
    }

    fn changes(&self, worker: &PeerId, was: &Having, is: &Having, seen: &mut Seen) -> Result<(), Violation> {
        if was.guest != is.guest {
            if was.guest.is_some() && !self.guest_may_go(worker, was, seen) {
                return self.unknown(worker, was, "has lost its client");
            }
            if is.guest.as_ref().is_some_and(|guest| !self.guest_may_come(worker, guest)) {
                return self.unknown(worker, is, "has a client from nowhere");
            }
        }
        if was.job != is.job {
            if was.job.as_ref().is_some_and(|job| !self.job_may_go(worker, was, job, seen)) {
                return self.unknown(worker, was, "has lost its job");
            }
            if is.job.as_ref().is_some_and(|job| !self.job_may_come(worker, job, seen)) {
                return self.unknown(worker, is, "has a job from nowhere");
            }
        }
        Ok(())
    }

    fn guest_may_come(&self, worker: &PeerId, guest: &PeerId) -> bool {
        let id = |conn: &u64| self.peers.get(conn).map(|peer| &peer.id);
        self.is_blurred()
            || match &self.told {
                Told::Relay(sender, RelayKind::Offer, _, to) => id(sender) == Some(guest) && to == worker,
                Told::Relay(sender, RelayKind::Answer, _, to) => id(sender) == Some(worker) && to == guest,
                _ => false,
            }
    }

    fn guest_may_go(&self, worker: &PeerId, was: &Having, seen: &mut Seen) -> bool {
        let is_own = |conn: &u64| self.by_id.get(worker) == Some(conn);
        let says = match &self.told {
            Told::Update(conn, update) => is_own(conn) && says_available(update),
            _ => {
                self.occupied.again.contains(worker) && self.peer(worker).is_some_and(|it| says_available(&it.metadata))
            }
        };
        if says {
            seen.note(Note::OldFreed);
        }
        says || self.is_declined(worker) || self.is_blurred() || self.is_another(worker, was)
    }

    fn job_may_come(&self, worker: &PeerId, job: &str, seen: &mut Seen) -> bool {
        let comes = match &self.told {
            Told::Assigned(to, given) => to == worker && given == job,
            Told::Report(conn, report) => {
                self.by_id.get(worker) == Some(conn)
                    && report.job_id.as_deref() == Some(job)
                    && report.status.as_deref() == Some("accepted")
            }
            _ => false,
        };
        if comes {
            seen.note(Note::OldJob);
        }
        comes || self.is_blurred()
    }

    fn job_may_go(&self, worker: &PeerId, was: &Having, job: &str, seen: &mut Seen) -> bool {
        let ends = match &self.told {
            Told::Report(conn, report) => self.by_id.get(worker) == Some(conn) && report.job_id.as_deref() == Some(job),
            _ => false,
        };
        if ends {
            seen.note(Note::OldJobEnds);
        }
        ends || self.is_blurred() || self.is_another(worker, was)
    }

    /// Frames that waited behind somebody's registration were read now.
    fn is_blurred(&self) -> bool {
        self.occupied.is_blurred && !(self.occupied.again.is_empty() && self.occupied.anew.is_empty())
    }

    fn peer(&self, id: &PeerId) -> Option<&crate::hall::Peer> {
        self.by_id.get(id).and_then(|conn| self.peers.get(conn))
    }

    /// The worker said that it does not want its client.
    fn is_declined(&self, worker: &PeerId) -> bool {
        matches!(&self.told, Told::Relay(sender, RelayKind::Error, ..) if self.by_id.get(worker) == Some(sender))
    }

    /// The worker has gone for good, or somebody else has its name.
    fn is_another(&self, worker: &PeerId, was: &Having) -> bool {
        let for_good = match &self.told {
            Told::Deleted(peer) => peer == worker,
            Told::Left(conn) => self.left.contains(&(*conn, worker.clone())),
            _ => false,
        };
        let came = self.occupied.anew.contains(worker) || self.occupied.again.contains(worker);
        let is_another = || self.peer(worker).is_some_and(|peer| Some(&peer.member) != was.member.as_ref());
        for_good || came && (!self.is_old(worker) || is_another())
    }
}

fn says_available(metadata: &sleap_rtc_wire::Metadata) -> bool {
    metadata.property("status").and_then(Value::as_str) == Some("available")
}
