//! What the workers do that can be booked, as sets of numbers: a filter in line is one set, what it may have an intersection.
//!
//! A worker keeps its number while the room knows it, connected or not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sleap_rtc_wire::{PeerId, Time};

use crate::peer::Peer;

/// What a worker does, as far as claims are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// It takes the next claim.
    Free,
    /// Taken, by a claim or by its own word; free again some day.
    Busy,
    /// Finishes what it has and takes no more.
    Draining,
    /// Its owner keeps it: whatever its status is that is none of the others.
    Held,
    /// Not connected, and not known to have left.
    Absent,
}

const KINDS: usize = 5;

impl Work {
    /// Of a connected worker.
    pub(crate) fn of(worker: &Peer) -> Self {
        if worker.is_free() {
            return Self::Free;
        }
        match worker.metadata.property("status").and_then(Value::as_str) {
            Some("available" | "reserved" | "busy") => Self::Busy,
            Some("draining") => Self::Draining,
            _ => Self::Held,
        }
    }
}

/// Numbers of workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set(Vec<u64>);

impl Set {
    pub(crate) fn insert(&mut self, number: u32) {
        let (word, bit) = place(number);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= bit;
        }
    }

    pub(crate) fn remove(&mut self, number: u32) {
        let (word, bit) = place(number);
        if let Some(bits) = self.0.get_mut(word) {
            *bits &= !bit;
        }
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    /// How many are in both.
    pub(crate) fn shared(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a & b).count_ones()).sum()
    }

    /// Whether any is in both.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Whether any is in both that is not in `but`.
    pub(crate) fn meets_outside(&self, other: &Self, but: &Self) -> bool {
        let but = but.0.iter().copied().chain(std::iter::repeat(0));
        self.0.iter().zip(&other.0).zip(but).any(|((a, b), but)| a & b & !but != 0)
    }

    /// Those who are in both.
    pub(crate) fn both(&self, other: &Self) -> impl Iterator<Item = u32> {
        let words = self.0.iter().zip(&other.0).map(|(a, b)| a & b);
        (0_u32..).zip(words).filter(|(_, bits)| *bits != 0).flat_map(|(word, bits)| {
            (0..u64::BITS).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * u64::BITS + bit)
        })
    }
}

impl FromIterator<u32> for Set {
    fn from_iter<T: IntoIterator<Item = u32>>(numbers: T) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }
}

fn place(number: u32) -> (usize, u64) {
    ((number / u64::BITS) as usize, 1 << (number % u64::BITS))
}

/// Every worker that the room knows and that takes part in claims.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    workers: BTreeMap<PeerId, Worker>,
    names: Vec<Option<PeerId>>,
    /// Numbers that nobody has.
    spare: Vec<u32>,
    sets: [Set; KINDS],
    /// When busy workers will be free at the latest, by their own word.
    ends: BTreeSet<(Time, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Worker {
    number: u32,
    work: Work,
    /// Among the ends, if it is.
    free_at: Option<Time>,
}

impl Pool {
    /// What a worker does from now on, and until when at the latest if it is busy and says so; answers its number.
    pub(crate) fn set(&mut self, worker: &PeerId, work: Work, free_at: Option<Time>) -> u32 {
        let before = self.workers.get(worker).copied();
        let number = before.map_or_else(|| self.new_number(worker), |before| before.number);
        if let Some(before) = before {
            self.take_out(before);
        }
        let free_at = free_at.filter(|_| work == Work::Busy);
        self.workers.insert(worker.clone(), Worker { number, work, free_at });
        self.sets[work as usize].insert(number);
        self.ends.extend(free_at.map(|at| (at, number)));
        number
    }

    fn new_number(&mut self, worker: &PeerId) -> u32 {
        let number = self.spare.pop().unwrap_or_else(|| {
            self.names.push(None);
            self.names.len() as u32 - 1
        });
        if let Some(name) = self.names.get_mut(number as usize) {
            *name = Some(worker.clone());
        }
        number
    }

    fn take_out(&mut self, worker: Worker) {
        self.sets[worker.work as usize].remove(worker.number);
        if let Some(at) = worker.free_at {
            self.ends.remove(&(at, worker.number));
        }
    }

    /// The room does not know the worker any more; answers the number that it had.
    pub(crate) fn remove(&mut self, worker: &PeerId) -> Option<u32> {
        let worker = self.workers.remove(worker)?;
        self.take_out(worker);
        if let Some(name) = self.names.get_mut(worker.number as usize) {
            *name = None;
        }
        self.spare.push(worker.number);
        Some(worker.number)
    }

    /// Busy workers that will be free after this moment, and then at the latest, the first one first.
    pub(crate) fn ends(&self, now: Time) -> impl Iterator<Item = (Time, u32)> {
        self.ends.range((now.plus_ms(1), 0)..).copied()
    }

    pub(crate) fn number(&self, worker: &PeerId) -> Option<u32> {
        self.workers.get(worker).map(|worker| worker.number)
    }

    /// Whether these are the workers that it knows, and what they do, and that it knows nothing else.
    pub(crate) fn is_exactly(&self, all: &BTreeMap<&PeerId, Work>) -> bool {
        let known = self.workers.iter().map(|(id, worker)| (id, worker.work));
        let ends = self.workers.values().filter_map(|worker| Some((worker.free_at?, worker.number)));
        known.eq(all.iter().map(|(worker, work)| (*worker, *work)))
            && self.workers.values().all(|worker| self.sets[worker.work as usize].has(worker.number))
            && self.sets.iter().map(|set| set.shared(set) as usize).sum::<usize>() == self.workers.len()
            && ends.collect::<BTreeSet<_>>() == self.ends
    }

    pub(crate) fn name(&self, number: u32) -> Option<&PeerId> {
        self.names.get(number as usize)?.as_ref()
    }

    /// Those who do this.
    pub(crate) fn all(&self, work: Work) -> &Set {
        &self.sets[work as usize]
    }
}
