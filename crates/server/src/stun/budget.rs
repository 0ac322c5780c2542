//! So many a second, whoever asks.

use std::sync::{Mutex, PoisonError};

use sleap_rtc_wire::Time;

/// A bucket that holds the tokens of one second and is filled evenly.
#[derive(Debug)]
pub(super) struct Budget {
    a_second: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Thousandths of a token.
    milli: u64,
    filled: Time,
}

impl Budget {
    pub(super) fn new(a_second: u32) -> Self {
        let a_second = u64::from(a_second);
        Self { a_second, state: Mutex::new(State { milli: a_second * 1000, filled: Time::default() }) }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&self, now: Time) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = now.since(state.filled).saturating_mul(self.a_second);
        state.milli = state.milli.saturating_add(grown).min(self.a_second * 1000);
        state.filled = now.max(state.filled);
        let Some(left) = state.milli.checked_sub(1000) else { return false };
        state.milli = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_second_and_no_more_after_a_rest() {
        let budget = Budget::new(10);
        let taken = |now, tries| (0..tries).filter(|_| budget.take(Time(now))).count();
        assert_eq!(taken(1_000_000, 15), 10);
        assert_eq!(taken(1_000_099, 15), 0);
        assert_eq!(taken(1_000_100, 15), 1);
        assert_eq!(taken(1_000_500, 15), 4);
        assert_eq!(taken(9_000_000, 15), 10, "a long rest saves up one second");
        assert_eq!(taken(8_000_000, 15), 0, "a clock that goes back gives nothing");
    }
}
