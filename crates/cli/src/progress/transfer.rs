//! How far a transfer is, how fast it goes, and whether it stands still.

use std::collections::VecDeque;
use std::time::Duration;

/// The rate is that of so much time.
const WINDOW: Duration = Duration::from_secs(10);

/// Bytes over time. Moments are times since the start of the program.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    pub(crate) since: Duration,
    pub(crate) done: u64,
    pub(crate) total: u64,
    moved: Duration,
    samples: VecDeque<(Duration, u64)>,
}

impl Transfer {
    /// A transfer that began at `since` with nothing.
    pub(crate) fn new(since: Duration, now: Duration, done: u64, total: u64) -> Self {
        Self { since, done, total, moved: now, samples: VecDeque::from([(since, 0), (now, done)]) }
    }

    pub(crate) fn update(&mut self, now: Duration, done: u64, total: u64) {
        if done > self.done {
            self.moved = now;
        }
        self.done = done;
        self.total = total;
        // Ten samples a second are enough for a rate over ten seconds.
        let first = self.samples.len() < 2;
        match self.samples.back_mut() {
            Some(last) if !first && now.saturating_sub(last.0) < Duration::from_millis(100) => last.1 = done,
            _ => self.samples.push_back((now, done)),
        }
        self.forget(now);
    }

    fn forget(&mut self, now: Duration) {
        while self.samples.len() > 2 && self.samples.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) > WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Bytes a second over the last ten seconds; `None` before anything has moved.
    pub(crate) fn rate(&self, now: Duration) -> Option<u64> {
        let (from, bytes) = self.samples.iter().rev().take_while(|(at, _)| now.saturating_sub(*at) <= WINDOW).last()?;
        let time = now.saturating_sub(*from);
        let moved = self.done.saturating_sub(*bytes);
        (moved > 0 && time >= Duration::from_millis(200)).then(|| (moved as f64 / time.as_secs_f64()) as u64)
    }

    /// What is left of it at that rate.
    pub(crate) fn left(&self, now: Duration) -> Option<Duration> {
        let rate = self.rate(now)?.max(1);
        Some(Duration::from_secs(self.total.saturating_sub(self.done).div_ceil(rate)))
    }

    /// How long nothing has moved.
    pub(crate) fn still(&self, now: Duration) -> Duration {
        now.saturating_sub(self.moved)
    }

    /// Bytes a second from its start to `now`.
    pub(crate) fn average(&self, now: Duration) -> Option<u64> {
        let time = now.saturating_sub(self.since).as_secs_f64();
        (time > 0.05).then(|| (self.done as f64 / time) as u64)
    }
}
