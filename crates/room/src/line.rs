//! The claims that wait, as data: by place, by filter, by member, by deadline.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sleap_rtc_wire::claim::{Claim, Reason, Workers};
use sleap_rtc_wire::{Filters, MemberId, PeerId, Time};

use crate::peers::Joined;
use crate::pool::Set;
use crate::seat::Turns;

/// Where a claim stands: when it was first asked for, and among those of the same moment in the order of coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) asked_at: Time,
    pub(crate) nth: u64,
}

/// Names the claims that have the same filters.
pub(crate) type GroupId = u64;

/// Where the client of a claim in line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Here(Joined),
    /// Its connection is lost; the place is kept until then.
    Away(Time),
}

/// A claim that waits.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As it was asked for, but for its filters, which the group has.
    pub(crate) claim: Claim,
    pub(crate) client: PeerId,
    pub(crate) member: MemberId,
    pub(crate) at: Client,
    /// When it has waited for long enough.
    pub(crate) until: Time,
    pub(crate) group: GroupId,
    /// What its client was told last.
    pub(crate) told: Option<Told>,
    /// When its client needs a fresh seat.
    pub(crate) seat_due: Time,
}

impl Entry {
    fn deadline(&self) -> Time {
        match self.at {
            Client::Here(_) => self.until,
            Client::Away(until) => until.min(self.until),
        }
    }
}

/// What a client in line knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) place: u32,
    pub(crate) reason: Reason,
    pub(crate) workers: Workers,
    /// When a worker is free at the latest.
    pub(crate) free_at: Option<Time>,
}

/// Claims with the same filters.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) filters: Filters,
    /// The workers that the room knows and that match, whatever they do.
    pub(crate) matching: Set,
    pub(crate) places: BTreeSet<Place>,
    key: String,
}

/// All claims that wait in a room.
#[derive(Debug, Default)]
pub(crate) struct Line {
    entries: BTreeMap<Place, Entry>,
    groups: BTreeMap<GroupId, Group>,
    by_filters: BTreeMap<String, GroupId>,
    by_member: BTreeMap<MemberId, BTreeSet<Place>>,
    deadlines: BTreeSet<(Time, Place)>,
    seats: BTreeSet<(Time, Place)>,
    last_place: u64,
    last_group: GroupId,
    /// Something has changed since the line was served.
    pub(crate) is_stale: bool,
    /// Something has changed since those who wait were told.
    pub(crate) has_news: bool,
    /// When they were told last.
    pub(crate) told_at: Option<Time>,
    /// Who had a turn, and has a seat that is older.
    pub(crate) turns: Turns,
}

impl Line {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn get(&self, place: Place) -> Option<&Entry> {
        self.entries.get(&place)
    }

    pub(crate) fn get_mut(&mut self, place: Place) -> Option<&mut Entry> {
        self.entries.get_mut(&place)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (Place, &Entry)> {
        self.entries.iter().map(|(place, entry)| (*place, entry))
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (GroupId, &Group)> {
        self.groups.iter().map(|(id, group)| (*id, group))
    }

    pub(crate) fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id)
    }

    /// The claims of a member, the first one first.
    pub(crate) fn of_member(&self, member: &MemberId) -> impl Iterator<Item = (Place, &Entry)> {
        let places = self.by_member.get(member).into_iter().flatten();
        places.filter_map(|place| self.entries.get(place).map(|entry| (*place, entry)))
    }

    /// A place behind all who asked by this moment.
    pub(crate) fn new_place(&mut self, asked_at: Time) -> Place {
        self.last_place += 1;
        Place { asked_at, nth: self.last_place }
    }

    /// Equal filters have equal keys.
    pub(crate) fn key(filters: &Filters) -> String {
        Value::from(filters.clone()).to_string()
    }

    pub(crate) fn group_with(&self, key: &str) -> Option<GroupId> {
        self.by_filters.get(key).copied()
    }

    /// A group to which the next claim belongs; it goes with its last claim.
    pub(crate) fn new_group(&mut self, key: String, filters: Filters, matching: Set) -> GroupId {
        self.last_group += 1;
        self.by_filters.insert(key.clone(), self.last_group);
        self.groups.insert(self.last_group, Group { filters, matching, places: BTreeSet::new(), key });
        self.last_group
    }

    pub(crate) fn insert(&mut self, place: Place, entry: Entry) {
        if let Some(group) = self.groups.get_mut(&entry.group) {
            group.places.insert(place);
        }
        self.by_member.entry(entry.member.clone()).or_default().insert(place);
        self.deadlines.insert((entry.deadline(), place));
        self.seats.insert((entry.seat_due, place));
        self.entries.insert(place, entry);
        self.changed();
    }

    pub(crate) fn remove(&mut self, place: Place) -> Option<Entry> {
        let entry = self.entries.remove(&place)?;
        if let Some(group) = self.groups.get_mut(&entry.group) {
            group.places.remove(&place);
            if group.places.is_empty() {
                let gone = self.groups.remove(&entry.group);
                gone.map(|group| self.by_filters.remove(&group.key));
            }
        }
        if let Some(places) = self.by_member.get_mut(&entry.member) {
            places.remove(&place);
            if places.is_empty() {
                self.by_member.remove(&entry.member);
            }
        }
        self.deadlines.remove(&(entry.deadline(), place));
        self.seats.remove(&(entry.seat_due, place));
        self.changed();
        Some(entry)
    }

    /// Those who wait may be served otherwise, and be told something else.
    pub(crate) fn changed(&mut self) {
        self.is_stale = true;
        self.has_news = true;
    }

    pub(crate) fn set_client(&mut self, place: Place, at: Client) {
        let Some(entry) = self.entries.get_mut(&place) else { return };
        self.deadlines.remove(&(entry.deadline(), place));
        entry.at = at;
        self.deadlines.insert((entry.deadline(), place));
        self.changed();
    }

    pub(crate) fn set_seat_due(&mut self, place: Place, due: Time) {
        let Some(entry) = self.entries.get_mut(&place) else { return };
        self.seats.remove(&(entry.seat_due, place));
        entry.seat_due = due;
        self.seats.insert((due, place));
    }

    /// Which filters a worker matches from now on.
    pub(crate) fn match_worker(&mut self, number: u32, matches: impl Fn(&Filters) -> bool) {
        let mut has_changed = false;
        for group in self.groups.values_mut() {
            let is_match = matches(&group.filters);
            if is_match == group.matching.has(number) {
                continue;
            }
            has_changed = true;
            if is_match {
                group.matching.insert(number);
            } else {
                group.matching.remove(number);
            }
        }
        if has_changed {
            self.changed();
        }
    }

    /// Whether the other orders tell of exactly the claims that wait.
    pub(crate) fn is_filed(&self) -> bool {
        let deadlines = self.entries.iter().map(|(place, entry)| (entry.deadline(), *place));
        let seats = self.entries.iter().map(|(place, entry)| (entry.seat_due, *place));
        let in_groups: usize = self.groups.values().map(|group| group.places.len()).sum();
        let of_members: usize = self.by_member.values().map(BTreeSet::len).sum();
        deadlines.collect::<BTreeSet<_>>() == self.deadlines
            && seats.collect::<BTreeSet<_>>() == self.seats
            && in_groups == self.entries.len()
            && of_members == self.entries.len()
            && self.groups.values().all(|group| !group.places.is_empty())
            && self.groups.len() == self.by_filters.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(crate) fn due(&self, now: Time) -> Option<Place> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, place)| *place)
    }

    pub(crate) fn next_seat(&self) -> Option<Time> {
        self.seats.first().map(|(at, _)| *at)
    }

    pub(crate) fn seat_due(&self, now: Time) -> Option<Place> {
        self.seats.first().filter(|(at, _)| *at <= now).map(|(_, place)| *place)
    }
}
