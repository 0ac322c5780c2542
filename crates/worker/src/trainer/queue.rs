//! The trainer's events on their way to a reader that may be slow.
//!
//! The trainer is never held up: batches coalesce, and when the queue is full the oldest log line goes, then the oldest
//! batch. How many lines went is said in their place; the log file has them all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use sleap_rtc_wire::job::Stream;
use tokio::sync::Notify;

use super::progress::{Plan, Progress};

/// Events that may wait.
const CAPACITY: usize = 1024;

/// What a running trainer tells.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainerEvent {
    /// A line of its output.
    Log {
        /// Where it came from.
        stream: Stream,
        /// Clean, at most 16 KiB.
        line: String,
    },
    /// So many lines are left out here, since the reader was slow.
    Skipped {
        /// Lines.
        lines: u64,
    },
    /// How long the training may be; once, before the first epoch.
    Plan(Plan),
    /// A step of the training.
    Progress {
        /// What.
        progress: Progress,
        /// The trainer's message, unchanged, for clients that read it themselves.
        raw: String,
    },
}

impl TrainerEvent {
    fn is_batch(&self) -> bool {
        matches!(self, Self::Progress { progress: Progress::Batch { .. }, .. })
    }

    fn is_log(&self) -> bool {
        matches!(self, Self::Log { .. })
    }
}

#[derive(Default)]
struct State {
    events: VecDeque<TrainerEvent>,
    /// Lines that went and were not yet spoken of: all older than the oldest line in the queue.
    skipped: u64,
    closed: bool,
}

/// One end of the queue; both ends are alike.
#[derive(Clone, Default)]
pub(super) struct Queue {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl Queue {
    pub(super) fn push(&self, event: TrainerEvent) {
        let mut state = self.lock();
        let coalesce = event.is_batch() && state.events.back().is_some_and(TrainerEvent::is_batch);
        if coalesce {
            state.events.pop_back();
        } else if state.events.len() >= CAPACITY {
            state.skipped += u64::from(make_room(&mut state.events));
        }
        state.events.push_back(event);
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// The next event; `None` when the queue is closed and empty. Dropping the future loses nothing.
    pub(super) async fn next(&self) -> Option<TrainerEvent> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                if state.skipped > 0 {
                    return Some(TrainerEvent::Skipped { lines: std::mem::take(&mut state.skipped) });
                }
                if let Some(event) = state.events.pop_front() {
                    return Some(event);
                }
                if state.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the oldest log line out, else the oldest batch, else the oldest event; whether it was a line.
fn make_room(events: &mut VecDeque<TrainerEvent>) -> bool {
    let victim =
        events.iter().position(TrainerEvent::is_log).or_else(|| events.iter().position(TrainerEvent::is_batch));
    events.remove(victim.unwrap_or(0)).is_some_and(|event| event.is_log())
}
