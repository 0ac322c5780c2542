//! Waiting for conditions.

use std::time::{Duration, Instant};

/// How long a condition may take before the program counts as broken. Generous: the machine may be busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// Waits until there is an answer.
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain until {what}"))
}

/// The answer, if there is one in time.
pub(crate) fn within<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = look() {
            return Some(answer);
        }
        if start.elapsed() > patience {
            return None;
        }
        std::thread::sleep(LOOK);
    }
}

/// For conditions that are costly to look at.
pub(crate) fn pause<T>(time: Duration) -> Option<T> {
    std::thread::sleep(time);
    None
}
