//! What those who wait are told: at once when they get in line, then at most once a second a room and only what is new.

use std::collections::BTreeMap;

use sleap_rtc_wire::claim::{ClaimRefused, ClaimWaiting, Reason, Seat, Workers};
use sleap_rtc_wire::{Time, ToPeer};

use crate::line::{Client, Entry, Group, GroupId, Place, Told};
use crate::pool::{Set, Work};
use crate::queue::{Waiting, order};
use crate::reason::Outlook;
use crate::seat::Sitter;
use crate::{Fact, Room};

/// How often the line is told what is new, ms.
const ROUND_MS: u64 = 1_000;
/// An estimate that has moved by less is not new, ms: it moves a little with every epoch of a training.
const ESTIMATE_STEP_MS: u64 = 10_000;

/// What is ahead of a claim.
#[derive(Clone, Copy, Debug, Default)]
struct Ahead {
    claims: u32,
    /// How many workers they want.
    workers: u32,
}

impl Room {
    /// Tells a claim that has just got in line where it stands.
    pub(crate) fn tell_first(&mut self, place: Place, now: Time) {
        let Some(entry) = self.line.get(place) else { return };
        let near: Vec<GroupId> = self.near(entry.group);
        let waiting = self.waiting(self.line.entries().filter(|(_, entry)| near.contains(&entry.group)), now);
        let ahead = waiting.iter().take_while(|other| **other != place).filter_map(|place| self.line.get(*place));
        let ahead = ahead.fold(Ahead::default(), Ahead::and);
        let Some(told) = self.outcome(entry, ahead, now) else { return };
        self.tell(place, told, true, now);
    }

    /// Tells everybody in line what is new to them, and gives fresh seats.
    pub(crate) fn tell_line(&mut self, now: Time) {
        while let Some(place) = self.line.seat_due(now) {
            self.line.set_seat_due(place, now.plus_ms(self.config.seat_ms.max(1)));
            if let Some(told) = self.line.get(place).and_then(|entry| entry.told) {
                self.tell(place, told, true, now);
            }
        }
        if self.line_round().is_none_or(|at| at > now) {
            return;
        }
        self.line.has_news = false;
        self.line.told_at = Some(now);
        for (place, told) in self.news(now) {
            self.tell(place, told, false, now);
        }
    }

    /// When the next round is due, if there may be something new.
    pub(crate) fn line_round(&self) -> Option<Time> {
        let is_due = self.line.has_news && !self.line.is_empty();
        is_due.then(|| self.line.told_at.map_or(Time(0), |at| at.plus_ms(ROUND_MS)))
    }

    /// What each claim in line would be told, where that differs from what it was told.
    fn news(&self, now: Time) -> Vec<(Place, Told)> {
        let groups: Vec<GroupId> = self.line.groups().map(|(id, _)| id).collect();
        let index: BTreeMap<GroupId, usize> = groups.iter().enumerate().map(|(nth, id)| (*id, nth)).collect();
        // By index: in a long line with many filters this is looked at for each claim and each filter.
        let near = |id: &GroupId| self.near(*id).iter().filter_map(|id| index.get(id).copied()).collect();
        let near: Vec<Vec<usize>> = groups.iter().map(near).collect();
        let mut ahead = vec![Ahead::default(); groups.len()];
        let mut news = Vec::new();
        for place in self.waiting(self.line.entries(), now) {
            let Some(entry) = self.line.get(place) else { continue };
            let Some(group) = index.get(&entry.group).copied() else { continue };
            let others = near.get(group).into_iter().flatten().filter_map(|other| ahead.get(*other));
            let sum = others.fold(Ahead::default(), |sum, other| sum.plus(*other));
            if let Some(own) = ahead.get_mut(group) {
                *own = own.and(entry);
            }
            if let Some(told) = self.outcome(entry, sum, now)
                && matches!(entry.at, Client::Here(_))
                && entry.told.is_none_or(|before| before.differs(&told))
            {
                news.push((place, told));
            }
        }
        news
    }

    /// Places in the order in which they are served.
    fn waiting<'a>(&self, entries: impl Iterator<Item = (Place, &'a Entry)>, now: Time) -> Vec<Place> {
        let waiting = entries.map(|(place, entry)| Waiting { place, member: &entry.member }).collect();
        order(waiting, |member| self.claims.open(member), now).into_iter().map(|waiting| waiting.place).collect()
    }

    /// The groups that wait for a connected worker for which this one waits, itself among them.
    fn near(&self, id: GroupId) -> Vec<GroupId> {
        let Some(group) = self.line.group(id) else { return Vec::new() };
        let absent = self.pool.all(Work::Absent);
        let shares =
            |other: &(GroupId, &Group)| other.0 == id || group.matching.meets_outside(&other.1.matching, absent);
        self.line.groups().filter(shares).map(|(id, _)| id).collect()
    }

    fn outcome(&self, entry: &Entry, ahead: Ahead, now: Time) -> Option<Told> {
        let outlook = self.outlook(entry)?;
        let reason = outlook.reason();
        let may_estimate = matches!(reason, Reason::AllMatchingBusy | Reason::BehindOthers);
        let matching = &self.line.group(entry.group)?.matching;
        let nth = (ahead.workers + entry.claim.count).saturating_sub(1) as usize;
        let mut own = self.pool.ends(now).filter(|(_, number)| matching.has(*number));
        let free_at = if may_estimate { own.nth(nth).map(|(at, _)| at) } else { None };
        Some(Told { place: ahead.claims + 1, reason, workers: outlook.workers, free_at })
    }

    /// What a claim in line may hope for.
    pub(crate) fn outlook(&self, entry: &Entry) -> Option<Outlook> {
        let own = match entry.at {
            Client::Here(joined) => self.presence.get(joined).and_then(|peer| peer.number),
            Client::Away(_) => None,
        };
        let numbers = self.numbers(self.line.group(entry.group)?, own);
        let (wanted, open) = (entry.claim.count, self.claims.open(&entry.member));
        Some(Outlook { wanted, open, is_recovering: self.recovery.is_some(), ..numbers })
    }

    /// What the workers do that match, but for the asker itself.
    pub(crate) fn numbers(&self, group: &Group, asker: Option<u32>) -> Outlook {
        let own = |set: &Set| asker.is_some_and(|number| set.has(number) && group.matching.has(number));
        let count = |work| {
            let set = self.pool.all(work);
            group.matching.shared(set) - u32::from(own(set))
        };
        let (free, busy) = (count(Work::Free), count(Work::Busy));
        let (draining, held, silent) = (count(Work::Draining), count(Work::Held), count(Work::Absent));
        let workers = Workers { matching: free + busy + draining + held, busy, draining, held, silent };
        Outlook { wanted: 0, workers, free, open: 0, is_recovering: false }
    }

    fn tell(&mut self, place: Place, told: Told, with_seat: bool, now: Time) {
        let Some(entry) = self.line.get_mut(place) else { return };
        entry.told = Some(told);
        let Some(entry) = self.line.get(place) else { return };
        let Client::Here(client) = entry.at else { return };
        let Some(conn) = self.presence.get(client).map(|peer| peer.conn) else { return };
        let waiting = ClaimWaiting {
            request_id: entry.claim.request_id.clone(),
            place: told.place,
            reason: told.reason,
            workers: told.workers,
            estimate_ms: told.free_at.map(|at| at.since(now)),
            seat: with_seat.then(|| self.seat(place, entry, now)),
        };
        self.send(conn, ToPeer::ClaimWaiting(waiting));
    }

    fn seat(&self, place: Place, entry: &Entry, now: Time) -> Seat {
        let sitter = Sitter { room: &self.record.room_id, member: &entry.member, claim: &entry.claim };
        sitter.seat(&self.config.line_key, place.asked_at, now.plus_ms(self.seat_is_good_ms()))
    }

    pub(crate) fn seat_is_good_ms(&self) -> u64 {
        self.config.seat_ms.saturating_mul(2)
    }

    /// Ends the wait of a claim with the reason that it has for waiting.
    pub(crate) fn refuse_waiting(&mut self, place: Place) {
        let Some(outlook) = self.line.get(place).and_then(|entry| self.outlook(entry)) else { return };
        let (code, reason, message) = outlook.refusal();
        self.refuse_entry(place, |request_id| ClaimRefused {
            request_id,
            code,
            reason,
            message,
            workers: outlook.workers,
        });
    }

    /// Takes a claim out of line with an answer, if its client is here to hear it.
    pub(crate) fn refuse_entry(&mut self, place: Place, answer: impl FnOnce(String) -> ClaimRefused) {
        let Some(entry) = self.line.remove(place) else { return };
        let Client::Here(client) = entry.at else { return };
        let Some(conn) = self.presence.get(client).map(|peer| peer.conn) else { return };
        self.send(conn, ToPeer::ClaimRefused(answer(entry.claim.request_id)));
        self.report(Fact::Refused);
    }
}

impl Ahead {
    fn plus(self, other: Self) -> Self {
        Self { claims: self.claims + other.claims, workers: self.workers + other.workers }
    }

    fn and(self, entry: &Entry) -> Self {
        self.plus(Self { claims: 1, workers: entry.claim.count })
    }
}

impl Told {
    fn differs(&self, new: &Self) -> bool {
        let moved = match (self.free_at, new.free_at) {
            (Some(before), Some(after)) => before.since(after).max(after.since(before)) >= ESTIMATE_STEP_MS,
            (before, after) => before != after,
        };
        moved || Self { free_at: None, ..*self } != Self { free_at: None, ..*new }
    }
}
