//! How fast one connection may send.

use std::time::Duration;

use sleap_rtc_wire::limits;
use tokio::time::Instant;

use crate::limits::Limits;

/// A bucket of frames that fills with time.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// In which a frame's worth comes back.
    a_frame: Duration,
    /// All that the bucket holds.
    burst: Duration,
    /// When the bucket is full again.
    full_at: Instant,
    is_warned: bool,
}

/// What is to be done with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is read.
    Fine,
    /// It is the first beyond the limit: it is not read, and its sender told so.
    Warn,
    /// It is not read.
    Drop,
    /// Its sender goes on as if nothing had been said: the connection ends.
    End,
}

impl Allowance {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        let a_frame = Duration::from_secs(1) / limits.frames_per_second.max(1);
        Self { a_frame, burst: a_frame * limits.frame_burst, full_at: now, is_warned: false }
    }

    /// Takes a frame of so many bytes out of the bucket.
    pub(crate) fn take(&mut self, bytes: usize, now: Instant) -> Verdict {
        let pieces = 1 + (bytes / limits::FRAME_PIECE) as u32;
        self.full_at = self.full_at.max(now) + self.a_frame * pieces;
        let missing = self.full_at - now;
        if missing <= self.burst {
            // Told anew only after a pause.
            self.is_warned &= missing > self.burst / 2;
            return Verdict::Fine;
        }
        if missing > self.burst * 2 {
            return Verdict::End;
        }
        if std::mem::replace(&mut self.is_warned, true) { Verdict::Drop } else { Verdict::Warn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(now: Instant) -> Allowance {
        Allowance::new(&Limits { frames_per_second: 100, frame_burst: 10, ..Limits::default() }, now)
    }

    fn verdicts(allowance: &mut Allowance, frames: usize, now: Instant) -> Vec<Verdict> {
        (0..frames).map(|_| allowance.take(1, now)).collect()
    }

    #[test]
    fn a_burst_passes_then_comes_one_warning_then_the_end() {
        let now = Instant::now();
        let all = verdicts(&mut allowance(now), 21, now);
        assert_eq!(all[..10], [Verdict::Fine; 10]);
        assert_eq!(all[10], Verdict::Warn);
        assert_eq!(all[11..20], [Verdict::Drop; 9]);
        assert_eq!(all[20], Verdict::End);
    }

    #[test]
    fn who_stops_may_go_on_and_is_warned_again() {
        let start = Instant::now();
        let mut allowance = allowance(start);
        assert_eq!(verdicts(&mut allowance, 12, start).last(), Some(&Verdict::Drop));
        let later = start + Duration::from_millis(120);
        assert_eq!(verdicts(&mut allowance, 11, later)[9..], [Verdict::Fine, Verdict::Warn]);
    }

    #[test]
    fn the_rate_itself_passes_for_ever() {
        let start = Instant::now();
        let mut allowance = allowance(start);
        for n in 0..10_000 {
            assert_eq!(allowance.take(1, start + Duration::from_millis(10 * n)), Verdict::Fine);
        }
    }

    #[test]
    fn a_large_frame_counts_as_many() {
        let now = Instant::now();
        let mut allowance = allowance(now);
        assert_eq!(allowance.take(limits::FRAME_PIECE * 9, now), Verdict::Fine);
        assert_eq!(allowance.take(1, now), Verdict::Warn);
    }

    #[test]
    fn the_highest_rate_is_no_limit() {
        let now = Instant::now();
        let most = Limits { frames_per_second: u32::MAX, ..Limits::default() };
        assert!(verdicts(&mut Allowance::new(&most, now), 100_000, now).iter().all(|one| *one == Verdict::Fine));
    }
}
