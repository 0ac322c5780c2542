//! What time a process believes it is. Each drifts in its own way; none ever goes back while its process lives.

use sleap_rtc_wire::Time;

/// When every world begins, ms since the Unix epoch.
const BEGINNING: u64 = 1_790_000_000_000;

/// The clock of one process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The world's time at which the process began, ms.
    started: u64,
    /// What it showed then.
    showed: u64,
    /// How much faster it goes than the world, parts in a million.
    ppm: i64,
}

impl Clock {
    /// A clock that began at the world's `started`, wrong by `offset_ms`.
    pub(crate) const fn new(started: u64, offset_ms: i64, ppm: i64) -> Self {
        Self { started, showed: (BEGINNING + started).saturating_add_signed(offset_ms), ppm }
    }

    /// What it shows at the world's `now`.
    pub(crate) const fn at(&self, now: u64) -> Time {
        let passed = now.saturating_sub(self.started).cast_signed();
        Time(self.showed.saturating_add_signed(passed + passed * self.ppm / 1_000_000))
    }

    /// The world's first moment, at `now` or later, at which it shows `time`.
    pub(crate) fn when(&self, time: Time, now: u64) -> u64 {
        let wanted = time.0.saturating_sub(self.showed).cast_signed();
        let mut at = self.started + (wanted - wanted * self.ppm / 1_000_000).max(0) as u64;
        while self.at(at) < time {
            at += 1;
        }
        at.max(now)
    }
}
