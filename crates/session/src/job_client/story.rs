//! What the client has heard of the job: each event once.

use sleap_rtc_wire::Time;

/// Events that are taken before they are acknowledged.
const ACK_EVENTS: u64 = 32;
/// How long a taken event may wait for its acknowledgement, ms.
const ACK_MS: u64 = 500;

/// Numbers of events heard and acknowledged.
#[derive(Debug)]
pub(super) struct Story {
    last: u64,
    acked: u64,
    since: Time,
}

impl Story {
    /// The first event wanted is `from`.
    pub(super) const fn new(from: u64, now: Time) -> Self {
        let last = from.saturating_sub(1);
        Self { last, acked: last, since: now }
    }

    pub(super) const fn last_seq(&self) -> u64 {
        self.last
    }

    /// Whether this one is new. Numbers may be left out: the worker does not keep every one.
    pub(super) const fn take(&mut self, seq: u64, now: Time) -> bool {
        if seq <= self.last {
            return false;
        }
        if self.acked == self.last {
            self.since = now;
        }
        self.last = seq;
        true
    }

    /// On a new link the worker counts anew.
    pub(super) const fn begin(&mut self) {
        self.acked = self.last;
    }

    /// The number to acknowledge now, if it is time or `at_once`.
    pub(super) const fn ack(&mut self, at_once: bool, now: Time) -> Option<u64> {
        let waiting = self.last - self.acked;
        if waiting == 0 || !(at_once || waiting >= ACK_EVENTS || now.since(self.since) >= ACK_MS) {
            return None;
        }
        self.acked = self.last;
        Some(self.last)
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        (self.acked != self.last).then(|| self.since.plus_ms(ACK_MS))
    }
}
