//! Who has a worker of the deployed kind, as data. Such a worker takes no part in claims and does not tell by itself: what it says of
//! its status lags behind, or is wrong. What changes a hold, and why, is in `occupancy`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sleap_rtc_wire::record::Taken;
use sleap_rtc_wire::{ConnId, MemberId, PeerId, Time};

use crate::peer::Peer;

/// Who has a worker: a client, a job that came through the server, or (where offers are not strict) both.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) guest: Option<Guest>,
    pub(crate) errand: Option<Errand>,
    /// Whose the worker is.
    pub(crate) member: MemberId,
    pub(crate) since: Time,
    /// Since when the worker's connection is gone.
    pub(crate) away_since: Option<Time>,
}

/// The client whose offer the worker was handed.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) id: PeerId,
    /// Who that is; `None`: not known since the server has restarted.
    pub(crate) member: Option<MemberId>,
    /// The connection by which it made its offer, while that is there.
    pub(crate) conn: Option<ConnId>,
    pub(crate) stage: Stage,
    /// No answer until then, or no certainty: it has left.
    pub(crate) until: Option<Time>,
    /// Its connection is gone: then it has left.
    pub(crate) gone_until: Option<Time>,
}

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its offer was handed on. What the worker says may be older than that.
    Offered,
    /// The worker has said since that it has something.
    Heard,
    /// The worker has answered.
    Engaged,
}

/// A job that came through the server.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    pub(crate) job_id: String,
    pub(crate) course: Course,
    /// Over if nothing is heard of it until then.
    pub(crate) until: Time,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// The worker has not said anything of it.
    Assigned,
    /// The worker has.
    Running,
    /// A part of it has ended: a model of several, or the training before its inference.
    Ending,
}

impl Guest {
    /// Whether this is the peer.
    pub(crate) fn is(&self, peer: &Peer) -> bool {
        self.id == peer.id && self.member.as_ref().is_none_or(|member| *member == peer.member)
    }

    /// When it has left if nothing happens before.
    pub(crate) fn due(&self) -> Option<Time> {
        [self.until, self.gone_until].into_iter().flatten().min()
    }
}

impl Hold {
    pub(crate) fn new(member: MemberId, since: Time) -> Self {
        Self { guest: None, errand: None, member, since, away_since: None }
    }

    /// What everybody sees as the worker's status: what it would say itself if it told the truth.
    pub(crate) fn status(&self) -> &'static str {
        if self.errand.is_some() { "busy" } else { "reserved" }
    }

    /// What that says of the worker, before its own word.
    pub(crate) fn shown(&self) -> Vec<(&'static str, Value)> {
        let job = self.errand.as_ref().map(|errand| ("current_job_id", Value::from(errand.job_id.as_str())));
        std::iter::once(("status", Value::from(self.status()))).chain(job).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.guest.is_none() && self.errand.is_none()
    }

    /// When it is looked at again.
    pub(crate) fn due(&self) -> Option<Time> {
        [self.guest.as_ref().and_then(Guest::due), self.errand.as_ref().map(|errand| errand.until)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether it ends soon, of which its record says nothing.
    pub(crate) fn is_ending(&self) -> bool {
        self.guest.as_ref().is_some_and(|guest| guest.gone_until.is_some())
            || self.errand.as_ref().is_some_and(|errand| errand.course == Course::Ending)
    }

    /// Drops what is due.
    pub(crate) fn end_due(&mut self, now: Time) {
        self.guest.take_if(|guest| guest.due().is_some_and(|at| at <= now));
        self.errand.take_if(|errand| errand.until <= now);
    }

    /// What the store is to know: what the worker has confirmed. An offer or a job that nobody has answered yet is most likely lost
    /// with the server.
    pub(crate) fn record(&self) -> Option<Taken> {
        let by = self.guest.as_ref().filter(|guest| guest.stage == Stage::Engaged).map(|guest| guest.id.clone());
        let errand = self.errand.as_ref().filter(|errand| errand.course != Course::Assigned);
        let job_id = errand.map(|errand| errand.job_id.clone());
        (by.is_some() || job_id.is_some()).then_some(Taken { by, job_id, since: self.since })
    }

    /// As the store has it, on a worker that is to come.
    pub(crate) fn restored(taken: Taken, member: MemberId, away_since: Time, until: Time) -> Self {
        let guest = taken.by.map(|id| Guest {
            id,
            member: None,
            conn: None,
            stage: Stage::Engaged,
            until: Some(until),
            gone_until: None,
        });
        let errand = taken.job_id.map(|job_id| Errand { job_id, course: Course::Running, until });
        Self { guest, errand, member, since: taken.since, away_since: Some(away_since) }
    }
}

/// All of them, by worker.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    workers: BTreeMap<PeerId, Hold>,
    /// The workers that a client has, by its id.
    by_guest: BTreeMap<PeerId, BTreeSet<PeerId>>,
    due: BTreeSet<(Time, PeerId)>,
    /// Those whose connection is gone, by how long.
    away: BTreeSet<(Time, PeerId)>,
}

impl Holds {
    pub(crate) fn get(&self, worker: &PeerId) -> Option<&Hold> {
        self.workers.get(worker)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PeerId, &Hold)> {
        self.workers.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn away(&self) -> usize {
        self.away.len()
    }

    pub(crate) fn longest_away(&self) -> Option<&PeerId> {
        self.away.first().map(|(_, worker)| worker)
    }

    /// The workers that a client of this id has.
    pub(crate) fn of_guest(&self, id: &PeerId) -> Vec<PeerId> {
        self.by_guest.get(id).into_iter().flatten().cloned().collect()
    }

    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(crate) fn due(&self, now: Time) -> Option<PeerId> {
        self.due.first().filter(|(at, _)| *at <= now).map(|(_, worker)| worker.clone())
    }

    pub(crate) fn remove(&mut self, worker: &PeerId) -> Option<Hold> {
        let hold = self.workers.remove(worker)?;
        if let Some(at) = hold.due() {
            self.due.remove(&(at, worker.clone()));
        }
        if let Some(at) = hold.away_since {
            self.away.remove(&(at, worker.clone()));
        }
        if let Some(guest) = &hold.guest
            && let Some(workers) = self.by_guest.get_mut(&guest.id)
        {
            workers.remove(worker);
            if workers.is_empty() {
                self.by_guest.remove(&guest.id);
            }
        }
        Some(hold)
    }

    /// What has the worker from now on; one that is empty is nothing.
    pub(crate) fn set(&mut self, worker: &PeerId, hold: Hold) {
        self.remove(worker);
        if hold.is_empty() {
            return;
        }
        if let Some(at) = hold.due() {
            self.due.insert((at, worker.clone()));
        }
        if let Some(at) = hold.away_since {
            self.away.insert((at, worker.clone()));
        }
        if let Some(guest) = &hold.guest {
            self.by_guest.entry(guest.id.clone()).or_default().insert(worker.clone());
        }
        self.workers.insert(worker.clone(), hold);
    }

    /// Whether everything is filed where it is looked for.
    pub(crate) fn is_filed(&self) -> bool {
        let due: BTreeSet<_> =
            self.workers.iter().filter_map(|(worker, hold)| Some((hold.due()?, worker.clone()))).collect();
        let away: BTreeSet<_> =
            self.workers.iter().filter_map(|(worker, hold)| Some((hold.away_since?, worker.clone()))).collect();
        let guests = self.workers.iter().filter_map(|(worker, hold)| Some((&hold.guest.as_ref()?.id, worker)));
        let filed = self.by_guest.iter().flat_map(|(id, workers)| workers.iter().map(move |worker| (id, worker)));
        due == self.due && away == self.away && guests.collect::<BTreeSet<_>>() == filed.collect()
    }
}
