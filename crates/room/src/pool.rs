//! What the workers do that can be booked, as sets of numbers: a filter in line is one set, what it may have an intersection.
//!
//! A worker keeps its number while the room knows it, connected or not.

use std::collections::BTreeMap;

use serde_json::Value;
use sleap_rtc_wire::PeerId;

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

    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        numbers(self.0.iter().copied())
    }

    /// Those who are in both.
    pub(crate) fn both(&self, other: &Self) -> impl Iterator<Item = u32> {
        numbers(self.0.iter().zip(&other.0).map(|(a, b)| a & b))
    }
}

impl FromIterator<u32> for Set {
    fn from_iter<T: IntoIterator<Item = u32>>(numbers: T) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }
}

fn numbers(words: impl Iterator<Item = u64>) -> impl Iterator<Item = u32> {
    (0_u32..).zip(words).filter(|(_, bits)| *bits != 0).flat_map(|(word, bits)| {
        (0..u64::BITS).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * u64::BITS + bit)
    })
}

fn place(number: u32) -> (usize, u64) {
    ((number / u64::BITS) as usize, 1 << (number % u64::BITS))
}

/// Every worker that the room knows and that takes part in claims.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    workers: BTreeMap<PeerId, (u32, Work)>,
    names: Vec<Option<PeerId>>,
    /// Numbers that nobody has.
    spare: Vec<u32>,
    sets: [Set; KINDS],
}

impl Pool {
    /// What a worker does from now on; answers its number.
    pub(crate) fn set(&mut self, worker: &PeerId, work: Work) -> u32 {
        if let Some((number, before)) = self.workers.get_mut(worker) {
            let (number, before) = (*number, std::mem::replace(before, work));
            self.sets[before as usize].remove(number);
            self.sets[work as usize].insert(number);
            return number;
        }
        let number = self.spare.pop().unwrap_or_else(|| {
            self.names.push(None);
            self.names.len() as u32 - 1
        });
        if let Some(name) = self.names.get_mut(number as usize) {
            *name = Some(worker.clone());
        }
        self.workers.insert(worker.clone(), (number, work));
        self.sets[work as usize].insert(number);
        number
    }

    /// The room does not know the worker any more; answers the number that it had.
    pub(crate) fn remove(&mut self, worker: &PeerId) -> Option<u32> {
        let (number, work) = self.workers.remove(worker)?;
        self.sets[work as usize].remove(number);
        if let Some(name) = self.names.get_mut(number as usize) {
            *name = None;
        }
        self.spare.push(number);
        Some(number)
    }

    pub(crate) fn number(&self, worker: &PeerId) -> Option<u32> {
        self.workers.get(worker).map(|(number, _)| *number)
    }

    pub(crate) fn name(&self, number: u32) -> Option<&PeerId> {
        self.names.get(number as usize)?.as_ref()
    }

    /// Those who do this.
    pub(crate) fn all(&self, work: Work) -> &Set {
        &self.sets[work as usize]
    }
}
