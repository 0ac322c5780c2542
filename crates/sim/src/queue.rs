//! Who waits in a room, and whether they must: nobody starves, and those who came first are served first.

use std::collections::BTreeMap;

use serde_json::Value;
use sleap_rtc_room::{InLine, Room};
use sleap_rtc_wire::{Filters, JobId, MemberId, PeerId, Time, limits};

use crate::booked::Booking;
use crate::hall::{Hall, Peer};
use crate::model::{Rule, Violation};
use crate::seen::{Note, Seen};

/// Where each claim stood, by member and job.
pub(crate) type Places = BTreeMap<(MemberId, JobId), (Time, u64)>;

fn means(filters: &Filters, worker: &Peer) -> bool {
    let available = Value::from("available");
    filters.matches_with(&worker.role, &worker.metadata, |name| (name == "status").then_some(&available))
}

impl Hall {
    /// What counts against a member's limit: not what a lost worker keeps, nor what only a worker says of it.
    fn open(&self, member: &MemberId, now: Time) -> usize {
        let own = |booking: &Booking| booking.here && booking.member.as_ref() == Some(member);
        let held = self.booked.on.iter().filter(|(_, booking)| own(booking));
        held.filter(|(worker, _)| self.within_reach(worker, now)).count()
    }

    /// Whether this claim may be given something now.
    fn eligible(&self, waiting: &InLine<'_>, now: Time) -> bool {
        waiting.is_here && self.open(waiting.member, now) + waiting.count as usize <= limits::OPEN_CLAIMS
    }

    /// Free workers that this claim means.
    fn free_for<'a>(&'a self, waiting: &InLine<'a>) -> impl Iterator<Item = &'a Peer> {
        let (client, filters) = (waiting.client, waiting.filters);
        self.peers.values().filter(move |peer| {
            peer.role == "worker"
                && peer.claims
                && peer.id != *client
                && peer.metadata.property("status").and_then(Value::as_str) == Some("available")
                && !self.booked.on.contains_key(&peer.id)
                && means(filters, peer)
        })
    }

    pub(crate) fn line_is_fair(&mut self, room: &Room, now: Time, seen: &mut Seen) -> Result<(), Violation> {
        let before = std::mem::take(&mut self.places);
        let granted = std::mem::take(&mut self.booked.granted);
        let mut ahead: Vec<InLine<'_>> = Vec::new();
        for waiting in room.in_line() {
            self.places.insert((waiting.member.clone(), waiting.job.clone()), waiting.place);
            if self.eligible(&waiting, now) {
                seen.note(Note::Waits);
                if room.gives_out() {
                    self.must_wait(&waiting, &ahead)?;
                }
                ahead.push(waiting);
            }
        }
        for (worker, grant, member) in granted {
            let key = (member, grant.job_id);
            let place = before.get(&key).copied();
            if place.is_some() {
                seen.note(Note::ServedFromLine);
            }
            // A claim that was not in line stands behind all who were, unless it has shown a seat.
            if place.is_none() && self.seat_shown {
                continue;
            }
            let Some(worker) = self.by_id.get(&worker).and_then(|conn| self.peers.get(conn)) else { continue };
            let passed = ahead.iter().find(|one| {
                let stood = before.contains_key(&(one.member.clone(), one.job.clone()));
                one.count == 1
                    && stood
                    && one.client != &worker.id
                    && place.is_none_or(|place| one.place < place)
                    && means(one.filters, worker)
            });
            if let Some(passed) = passed {
                let text = format!("{} goes to {:?} before {passed:?}", worker.id, key.1);
                return Err(Violation::new(Rule::FirstComeFirstServed, text));
            }
        }
        Ok(())
    }

    /// Whoever waits does so for a reason: not enough workers are free, or others who came before wait for one of them.
    fn must_wait(&self, waiting: &InLine<'_>, ahead: &[InLine<'_>]) -> Result<(), Violation> {
        let free: Vec<&Peer> = self.free_for(waiting).collect();
        if free.len() < waiting.count as usize {
            return Ok(());
        }
        let behind = ahead.iter().any(|one| free.iter().any(|worker| means(one.filters, worker)));
        if behind {
            return Ok(());
        }
        let free: Vec<&PeerId> = free.into_iter().map(|worker| &worker.id).collect();
        let text = format!("{waiting:?} in {} while {free:?} are free", self.room);
        Err(Violation::new(Rule::NobodyStarves, text))
    }
}
