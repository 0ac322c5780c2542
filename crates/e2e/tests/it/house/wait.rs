//! Waiting for conditions.

use std::time::{Duration, Instant};

/// How long a condition may take before the program counts as broken. Generous: the machine may be busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// How long at most where something goes on all the while.
const LONGEST: Duration = Duration::from_mins(15);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// Waits until there is an answer.
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain until {what}"))
}

/// Waits until there is an answer, for as long as something goes on: the patience begins anew with every change.
pub(crate) fn while_it_goes_on<T, P: PartialEq>(
    what: &str,
    mut progress: impl FnMut() -> P,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    let (mut seen, mut since) = (progress(), start);
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        let now = progress();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        assert!(
            since.elapsed() < PATIENCE && start.elapsed() < LONGEST,
            "waited {:?} in vain until {what}",
            start.elapsed()
        );
        std::thread::sleep(LOOK);
    }
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
