//! The time that the pure crates are given.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sleap_rtc_wire::Time;

/// Unix time when the program started plus the monotonic time since: a clock that is set does not move it back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    unix_ms: u64,
}

impl Clock {
    /// A clock that goes from now on.
    pub fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), unix_ms: unix.as_millis() as u64 }
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        Time(self.unix_ms + self.start.elapsed().as_millis() as u64)
    }

    /// Sleeps until `at`; for ever if there is nothing to wait for. A millisecond more, so that `at` has come for sure.
    pub async fn sleep_until(&self, at: Option<Time>) {
        match at.map(|at| at.since(self.now())) {
            None => std::future::pending().await,
            Some(0) => {}
            Some(ms) => tokio::time::sleep(Duration::from_millis(ms + 1)).await,
        }
    }
}
