//! The line that changes while one waits.

use std::time::Duration;

use super::state::{State, Step};
use super::transfer::Transfer;
use crate::text::{about, bytes, duration, fit, loss};

/// Column of the verbs, right-aligned.
const VERB: usize = 12;
/// Nothing moved for longer than this is said in words.
const STALL: Duration = Duration::from_secs(5);
/// Cells of a bar.
const BAR: usize = 16;

/// A verb in its column, and what there is to say.
pub(crate) fn line(verb: &str, text: &str) -> String {
    format!("{verb:>VERB$} {text}")
}

impl State {
    /// The line for now, at most `width` columns; `None` if there is nothing to wait for.
    pub fn live(&self, now: Duration, width: usize) -> Option<String> {
        let text = match self.lost {
            Some(since) => line(
                "Reconnecting",
                &format!("to {}, {}; {}", self.worker(), duration(now.saturating_sub(since)), self.lost_words()),
            ),
            None => self.step_line(now, width)?,
        };
        Some(fit(&text, width))
    }

    fn step_line(&self, now: Duration, width: usize) -> Option<String> {
        let elapsed = duration(now.saturating_sub(self.since));
        let worker = self.worker();
        Some(match &self.step {
            Step::Starting => line("Starting", &elapsed),
            Step::Reading => line("Reading", &format!("and hashing what is to be sent, {elapsed}")),
            Step::Finding => line("Finding", &format!("a worker in {}, {elapsed}", self.room)),
            Step::Waiting(told) => self.waiting_line(told, now, width),
            Step::Connecting => line("Connecting", &format!("to {worker}, {elapsed}")),
            Step::Sending(transfer) => self.transfer("Sending", transfer, now),
            Step::Preparing => line("Preparing", &format!("the job on {worker}, {elapsed}")),
            Step::Configuring => line("Configuring", &format!("a model from your labels, {elapsed}")),
            Step::Importing => line("Importing", &format!("the trainer's libraries, {elapsed}")),
            Step::Training => self.training_line(now),
            Step::Evaluating => line("Evaluating", &format!("the model on your labels, {elapsed}")),
            Step::Returning => line("Gathering", &format!("the results on {worker}, {elapsed}")),
            Step::Receiving(transfer) => self.transfer("Receiving", transfer, now),
            Step::Done => return None,
        })
    }

    fn transfer(&self, verb: &str, transfer: &Transfer, now: Duration) -> String {
        let (done, total) = (transfer.done, transfer.total);
        let mut parts = vec![format!("{} {:>3} %", bar(done, total), percent(done, total)), part(done, total)];
        let still = transfer.still(now);
        if still > STALL {
            parts.push(format!("waiting {} for {}", duration(still), self.worker()));
        } else {
            parts.extend(transfer.rate(now).map(|rate| format!("{}/s", bytes(rate))));
            parts.push(match transfer.left(now) {
                Some(left) => format!("{} left", about(left)),
                None => duration(now.saturating_sub(transfer.since)),
            });
        }
        line(verb, &parts.join("  "))
    }

    fn training_line(&self, now: Duration) -> String {
        let training = &self.training;
        let of = training.epochs.map(|n| format!("/{n}")).unwrap_or_default();
        // The number of an epoch that would come next is not shown after the last one.
        let epoch = training.epochs.map_or(training.epoch + 1, |n| (training.epoch + 1).min(n.max(1)));
        let mut parts = vec![format!("epoch {epoch}{of}")];
        parts.extend(match training.steps {
            _ if training.epochs.is_some_and(|n| training.epoch >= n) => Some("done".to_owned()),
            Some(steps) => Some(format!("step {}/{steps}", training.batch.min(steps))),
            None => (training.batch > 0).then(|| format!("step {}", training.batch)),
        });
        parts.extend(training.loss.map(|value| format!("loss {}", loss(value))));
        // Short, so that the longest line still fits 80 columns; the line that stays says `val loss`.
        parts.extend(training.val_loss.map(|value| format!("val {}", loss(value))));
        let quiet = now.saturating_sub(self.heard);
        parts.push(match training.left(quiet) {
            _ if quiet > STALL => format!("no news for {}", duration(quiet)),
            Some(left) => format!("{} left", about(left)),
            None => duration(now.saturating_sub(self.since)),
        });
        line("Training", &parts.join("  "))
    }
}

fn percent(done: u64, total: u64) -> u64 {
    // Rounded down: 100 % means that all of it is confirmed.
    (u128::from(done) * 100).checked_div(u128::from(total)).map_or(100, |value| value.min(100) as u64)
}

/// `1.5/3.4 MB`, in the unit of the whole.
fn part(done: u64, total: u64) -> String {
    let whole = bytes(total);
    let (number, unit) = whole.split_once(' ').unwrap_or((&whole, ""));
    // The whole's own rounding gives the scale, so that the two numbers are equal at the end.
    let scale = number.parse::<f64>().unwrap_or(0.0) / total.max(1) as f64;
    let done = done as f64 * scale;
    if unit == "B" { format!("{done:.0}/{whole}") } else { format!("{done:.1}/{whole}") }
}

fn bar(done: u64, total: u64) -> String {
    let full = (percent(done, total) as usize * BAR / 100).min(BAR);
    format!("[{}{}]", "#".repeat(full), "-".repeat(BAR - full))
}
