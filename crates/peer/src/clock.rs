//! The time and the chance that the pure machines are given.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sleap_rtc_wire::Time;

/// Unix time when it was started plus the monotonic time since: a clock that is set does not move it back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    unix_ms: u64,
}

impl Clock {
    /// Starts at the system's time.
    pub fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), unix_ms: unix.as_millis() as u64 }
    }

    /// Now.
    pub fn now(&self) -> Time {
        Time(self.unix_ms + self.start.elapsed().as_millis() as u64)
    }

    /// Waits until `at`, or for ever if there is no such time.
    pub async fn sleep_until(&self, at: Option<Time>) {
        let Some(at) = at else { return std::future::pending().await };
        // A millisecond more, so that `at` has come for sure.
        let ms = at.since(self.now());
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms + 1)).await;
        }
    }
}

/// A number for jitter. Without random numbers there is none: pauses are then a little shorter.
pub fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}
