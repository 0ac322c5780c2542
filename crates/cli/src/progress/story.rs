//! The worker's own story of the job: phases, stages, epochs, the end.

use std::time::Duration;

use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::{EndState, JobEvent, Phase, Terminal, What};

use super::lines::line;
use super::state::{State, Step, short};
use crate::text::{clean, loss};

/// The epochs of the stage that runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Training {
    pub(crate) epochs: Option<u32>,
    pub(crate) steps: Option<u32>,
    pub(crate) epoch: u32,
    pub(crate) batch: u32,
    pub(crate) loss: Option<f64>,
    pub(crate) val_loss: Option<f64>,
    /// The first batch that was heard of: when it was, and how many batches were done then.
    first: Option<(Time, u64)>,
    /// When the last one was, on the worker's clock: what comes late, after a lost link, must not look slow or fast.
    last: Time,
    epoch_since: Option<Time>,
}

impl Training {
    /// Batches done in all.
    fn done(&self) -> u64 {
        u64::from(self.epoch) * u64::from(self.steps.unwrap_or(0)) + u64::from(self.batch)
    }

    /// How long the stage may still take at the pace so far, `quiet` after the last batch; it may stop earlier.
    pub(crate) fn left(&self, quiet: Duration) -> Option<Duration> {
        let total = u64::from(self.epochs?) * u64::from(self.steps?);
        let (since, at) = self.first?;
        let done = self.done().saturating_sub(at);
        let rest = total.saturating_sub(self.done()) as f64;
        let took = Duration::from_millis(self.last.since(since));
        let at_last = (done >= 2).then(|| took.mul_f64(rest / done as f64))?;
        Some(at_last.saturating_sub(quiet))
    }
}

impl State {
    pub(super) fn job(&mut self, event: &JobEvent, now: Duration) -> Vec<String> {
        match &event.what {
            What::Phase { phase } => self.phase(*phase, now),
            What::Stage { index, count, name } => {
                let name = clean(name).into_owned();
                self.training = Training::default();
                if *count > 1 { vec![line("Model", &format!("{}/{count} {name}", index + 1))] } else { Vec::new() }
            }
            What::Plan { epochs, steps } => {
                self.training.epochs = *epochs;
                self.training.steps = *steps;
                Vec::new()
            }
            What::Batch { epoch, batch, loss } => {
                self.batch(*epoch, *batch, *loss, event.at, now);
                Vec::new()
            }
            What::Epoch { epoch, train_loss, val_loss } => vec![self.epoch(*epoch, *train_loss, *val_loss, event.at)],
            What::Warning { text } => vec![line("Warning", &clean(text))],
            What::End { end } => {
                self.end = Some(end.clone());
                self.ended(end, now)
            }
            What::Log { .. } | What::Unknown => Vec::new(),
        }
    }

    fn phase(&mut self, phase: Phase, now: Duration) -> Vec<String> {
        let took = now.saturating_sub(self.since);
        let mut out = Vec::new();
        match (&self.step, phase) {
            (Step::Importing, Phase::Training) => out.push(line("Imported", &format!("in {}", short(took)))),
            (Step::Configuring, Phase::Importing | Phase::Training) => {
                out.push(line("Configured", &format!("in {}", short(took))));
            }
            (Step::Evaluating, Phase::Returning | Phase::Preparing | Phase::Importing) => {
                out.push(line("Evaluated", &format!("in {}", short(took))));
            }
            _ => {}
        }
        let step = match phase {
            // Sending has its own events, with numbers.
            Phase::Receiving | Phase::Unknown => return out,
            Phase::Preparing => Step::Preparing,
            Phase::Configuring => Step::Configuring,
            Phase::Importing => Step::Importing,
            Phase::Training => Step::Training,
            Phase::Evaluating => Step::Evaluating,
            Phase::Returning => Step::Returning,
        };
        self.enter(step, now);
        out
    }

    fn batch(&mut self, epoch: u32, batch: u32, loss: Option<f64>, at: Time, now: Duration) {
        if !matches!(self.step, Step::Training) {
            self.enter(Step::Training, now);
        }
        let training = &mut self.training;
        if epoch != training.epoch || training.epoch_since.is_none() {
            training.epoch_since = Some(at);
        }
        training.epoch = epoch;
        training.batch = batch;
        training.loss = loss;
        training.last = at;
        if training.first.is_none() {
            training.first = Some((at, training.done()));
        }
    }

    fn epoch(&mut self, epoch: u32, train_loss: Option<f64>, val_loss: Option<f64>, at: Time) -> String {
        let training = &mut self.training;
        training.val_loss = val_loss;
        let of = training.epochs.map(|n| format!("/{n}")).unwrap_or_default();
        let took = training.epoch_since.take().map(|since| Duration::from_millis(at.since(since)));
        let text = format!(
            "{}{of}  loss {}  val loss {}{}",
            epoch + 1,
            train_loss.map_or_else(|| "NaN".to_owned(), loss),
            val_loss.map_or_else(|| "NaN".to_owned(), loss),
            took.map(|took| format!("  {}", short(took))).unwrap_or_default()
        );
        training.epoch = epoch + 1;
        training.batch = 0;
        training.last = at;
        training.epoch_since = Some(at);
        line("Epoch", &text)
    }

    fn ended(&mut self, end: &Terminal, now: Duration) -> Vec<String> {
        let mut out = Vec::new();
        if matches!(self.step, Step::Evaluating) {
            out.push(line("Evaluated", &format!("in {}", short(now.saturating_sub(self.since)))));
        }
        match end.state {
            EndState::Completed if end.stopped_early => out.push(line("Stopped", "early; the model is kept")),
            EndState::Completed => out.push(line("Trained", &format!("on {}", self.worker()))),
            // The error with its cause is printed by whoever ends the program.
            EndState::Failed | EndState::Cancelled => {}
        }
        if end.state == EndState::Completed {
            if !matches!(self.step, Step::Receiving(_) | Step::Done) {
                self.enter(Step::Returning, now);
            }
        } else {
            self.enter(Step::Done, now);
        }
        out
    }
}
