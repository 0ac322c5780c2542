//! One channel: its latest events, and who reads them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use sleap_rtc_wire::{PeerId, Time};

use super::Bounds;
use super::watch::Bell;

/// The job of a channel.
#[derive(Debug)]
pub(crate) struct Job {
    /// On which worker it is: no other speaks of it.
    pub(crate) worker: PeerId,
    /// Whether the last that was heard of it was its end. A job of several parts ends several times.
    pub(crate) is_over: bool,
    /// Whether those who watch were told that the worker is away.
    pub(crate) is_away: bool,
}

impl Job {
    pub(crate) const fn of(worker: PeerId) -> Self {
        Self { worker, is_over: false, is_away: false }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Channel {
    /// No other channel has it, also none of the same name later.
    pub(crate) serial: u64,
    /// When something last came in, or somebody last came to watch.
    pub(crate) used_at: Time,
    pub(crate) job: Option<Job>,
    events: VecDeque<Bytes>,
    /// Number of the first of the events, which are counted from 0.
    first: u64,
    bytes: usize,
    bells: BTreeMap<u64, Watcher>,
}

#[derive(Debug)]
struct Watcher {
    bell: Arc<Bell>,
    /// Number of the event that it reads next.
    next: u64,
}

/// What there is for somebody who watches.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Read(Bytes),
    Wait,
    /// What it would read next is not kept any more.
    Behind,
}

impl Channel {
    pub(crate) fn new(serial: u64, now: Time) -> Self {
        Self { serial, used_at: now, job: None, events: VecDeque::new(), first: 0, bytes: 0, bells: BTreeMap::new() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_watched(&self) -> bool {
        !self.bells.is_empty()
    }

    /// Adds an event, forgets those that are too many, and tells those who watch.
    pub(crate) fn push(&mut self, event: Bytes, bounds: &Bounds) {
        self.bytes += event.len();
        self.events.push_back(event);
        while self.events.len() > bounds.events || self.bytes > bounds.event_bytes && self.events.len() > 1 {
            self.drop_first();
        }
        self.tell();
    }

    /// Forgets its oldest event.
    pub(crate) fn shorten(&mut self) {
        self.drop_first();
        self.tell();
    }

    fn drop_first(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.len();
            self.first += 1;
        }
    }

    /// Wakes those who watch; one who has not read what is gone now is dropped, also if it is in the middle of writing.
    fn tell(&self) {
        for watcher in self.bells.values() {
            watcher.bell.ring(watcher.next < self.first);
        }
    }

    /// Somebody watches from now on, from the first event that is kept.
    pub(crate) fn add(&mut self, watcher: u64, bell: Arc<Bell>) {
        self.bells.insert(watcher, Watcher { bell, next: self.first });
    }

    pub(crate) fn remove(&mut self, watcher: u64) {
        self.bells.remove(&watcher);
    }

    /// What this one reads next.
    pub(crate) fn turn(&mut self, watcher: u64) -> Turn {
        let Some(watcher) = self.bells.get_mut(&watcher) else { return Turn::Behind };
        let Some(at) = watcher.next.checked_sub(self.first) else { return Turn::Behind };
        let Some(event) = self.events.get(usize::try_from(at).unwrap_or(usize::MAX)) else { return Turn::Wait };
        watcher.next += 1;
        Turn::Read(event.clone())
    }

    /// Everybody who watches hears nothing more.
    pub(crate) fn end(&mut self) {
        for watcher in std::mem::take(&mut self.bells).into_values() {
            watcher.bell.ring(false);
        }
    }
}
