//! The time that the pure crates are given.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sleap_rtc_wire::Time;

/// Unix time when the server started plus the monotonic time since: a clock that is set does not move it back.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    unix_ms: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), unix_ms: unix.as_millis() as u64 }
    }

    pub(crate) fn now(&self) -> Time {
        Time(self.unix_ms + self.start.elapsed().as_millis() as u64)
    }

    /// How long until `at`; nothing if it has passed. A millisecond more, so that `at` has come for sure.
    pub(crate) fn until(&self, at: Time) -> Duration {
        match at.since(self.now()) {
            0 => Duration::ZERO,
            ms => Duration::from_millis(ms + 1),
        }
    }
}
