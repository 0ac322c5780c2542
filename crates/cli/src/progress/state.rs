//! How far a training is: events in, what is to be said out.

use std::time::Duration;

use sleap_rtc_client::TrainEvent;
use sleap_rtc_wire::Time;
use sleap_rtc_wire::claim::Reason;
use sleap_rtc_wire::job::{EndState, JobEvent, Phase, Terminal, What};

use super::lines::line;
use super::transfer::Transfer;
use crate::roster;
use crate::text::{bytes, clean, count, duration, loss};

/// A training as far as it is known. Moments are times since the start of the program.
#[derive(Clone, Debug)]
pub struct State {
    /// What is going on.
    pub(crate) step: Step,
    /// Since when.
    pub(crate) since: Duration,
    /// When anything was last heard.
    pub(crate) heard: Duration,
    /// Since when the link is gone.
    pub(crate) lost: Option<Duration>,
    /// Whether the worker has the job.
    pub(crate) accepted: bool,
    /// When it took the job: its files go out from then on.
    accepted_at: Duration,
    /// Whether all of the job's files are there.
    sent: bool,
    /// Whether the server is out of reach.
    server_away: bool,
    /// How people call the worker.
    pub(crate) worker: Option<String>,
    pub(crate) training: Training,
    /// How the job ended, once it has.
    pub end: Option<Terminal>,
}

/// What is going on.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Starting,
    Reading,
    Finding { room: String },
    Waiting { place: u32, reason: Reason },
    Connecting,
    Sending(Transfer),
    Preparing,
    Configuring,
    Importing,
    Training,
    Evaluating,
    Returning,
    Receiving(Transfer),
    Done,
}

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

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Before anything has happened.
    pub fn new() -> Self {
        Self {
            step: Step::Starting,
            since: Duration::ZERO,
            heard: Duration::ZERO,
            lost: None,
            accepted: false,
            accepted_at: Duration::ZERO,
            sent: false,
            server_away: false,
            worker: None,
            training: Training::default(),
            end: None,
        }
    }

    /// The worker's name, once there is one.
    pub fn worker(&self) -> &str {
        self.worker.as_deref().unwrap_or("the worker")
    }

    /// Takes in an event and gives the lines that stay.
    pub fn apply(&mut self, event: &TrainEvent, now: Duration) -> Vec<String> {
        self.heard = now;
        let mut out: Vec<String> = self.back(event, now).into_iter().collect();
        match event {
            TrainEvent::Reading { labels } => {
                self.enter(Step::Reading, now);
                out.push(line("Reading", &clean(&labels.display().to_string())));
            }
            TrainEvent::Planned { files, bytes: size } => {
                out.push(line("To send", &format!("{}, {}", count(*files, "file"), bytes(*size))));
            }
            TrainEvent::Finding { job_id, room } => {
                self.enter(Step::Finding { room: room.to_string() }, now);
                out.push(line("Job", job_id.as_str()));
            }
            TrainEvent::Waiting(waiting) => out.extend(self.waiting(waiting.place, waiting.reason, now)),
            TrainEvent::Found { worker, entry } => {
                let name = clean(entry.as_deref().map_or(worker.as_str(), roster::name)).into_owned();
                let device = entry.as_deref().map(|entry| format!(" ({})", clean(&roster::device(entry))));
                out.push(line("Found", &format!("{name}{}", device.unwrap_or_default())));
                self.worker = Some(name);
                self.enter(Step::Connecting, now);
            }
            TrainEvent::Connecting => self.enter(Step::Connecting, now),
            TrainEvent::Connected { path } => {
                let path = path.as_deref().map(|text| format!(", {}", clean(text))).unwrap_or_default();
                // A link that came back has been told already.
                if out.is_empty() {
                    out.push(line("Connected", &format!("to {}{path}", self.worker())));
                }
            }
            TrainEvent::Accepted { .. } => {
                self.accepted = true;
                self.accepted_at = now;
            }
            TrainEvent::Reconnecting { accepted, cause, .. } => {
                self.accepted = *accepted;
                if self.lost.is_none() {
                    self.lost = Some(now);
                    out.push(line(
                        "Link lost",
                        &format!("to {}: {}; {}", self.worker(), clean(cause), self.lost_words()),
                    ));
                }
            }
            TrainEvent::ServerAway { cause, .. } => {
                if !std::mem::replace(&mut self.server_away, true) {
                    out.push(line(
                        "Warning",
                        &format!("the server is away ({}); the job is not touched by that", clean(cause)),
                    ));
                }
            }
            TrainEvent::ServerBack => {
                if std::mem::take(&mut self.server_away) {
                    out.push(line("Server", "is back"));
                }
            }
            TrainEvent::Sending { done, total } => out.extend(self.sending(*done, *total, now)),
            TrainEvent::Receiving { done, total } => self.receiving(*done, *total, now),
            TrainEvent::Job(event) => out.extend(self.job(event, now)),
            TrainEvent::Landed { folder, files, bytes: size } => {
                out.push(line("Received", &format!("{}, {}", count(*files, "file"), bytes(*size))));
                out.push(line("Saved", &clean(&folder.display().to_string())));
                self.enter(Step::Done, now);
            }
        }
        out
    }

    /// The line that says that a lost link is back: anything that only a link can bring says so.
    fn back(&mut self, event: &TrainEvent, now: Duration) -> Option<String> {
        let by_link = !matches!(
            event,
            TrainEvent::Reconnecting { .. }
                | TrainEvent::Connecting
                | TrainEvent::ServerAway { .. }
                | TrainEvent::ServerBack
                | TrainEvent::Landed { .. }
        );
        let since = self.lost.take_if(|_| by_link)?;
        Some(line("Reconnected", &format!("to {} after {}", self.worker(), duration(now.saturating_sub(since)))))
    }

    fn waiting(&mut self, place: u32, reason: Reason, now: Duration) -> Option<String> {
        let step = Step::Waiting { place, reason };
        if matches!(self.step, Step::Waiting { .. }) {
            // The time counts from the first word.
            self.step = step;
            return None;
        }
        self.enter(step, now);
        Some(line("Waiting", &format!("for a worker: {}", why(reason))))
    }

    fn enter(&mut self, step: Step, now: Duration) {
        self.step = step;
        self.since = now;
    }

    /// What a lost link means for the job.
    pub(crate) fn lost_words(&self) -> &'static str {
        match self.step {
            _ if !self.accepted => "the job has not started",
            Step::Sending(_) => "what has arrived stays there",
            Step::Returning | Step::Receiving(_) | Step::Done => "the results stay there",
            _ => "the job is most likely still running",
        }
    }

    fn sending(&mut self, done: u64, total: u64, now: Duration) -> Option<String> {
        if self.sent {
            return None;
        }
        match &mut self.step {
            Step::Sending(transfer) => transfer.update(now, done, total),
            _ => self.enter(Step::Sending(Transfer::new(self.accepted_at, now, done, total)), now),
        }
        let Step::Sending(transfer) = &self.step else { return None };
        if done < total {
            return None;
        }
        let took = now.saturating_sub(transfer.since);
        let rate = transfer.average(now).map(|rate| format!(", {}/s", bytes(rate))).unwrap_or_default();
        let text = format!("{} in {}{rate}", bytes(total), short(took));
        self.sent = true;
        self.enter(Step::Preparing, now);
        Some(line("Sent", &text))
    }

    fn receiving(&mut self, done: u64, total: u64, now: Duration) {
        match &mut self.step {
            Step::Receiving(transfer) => transfer.update(now, done, total),
            _ => self.enter(Step::Receiving(Transfer::new(now, now, done, total)), now),
        }
    }

    fn job(&mut self, event: &JobEvent, now: Duration) -> Vec<String> {
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

/// A duration with a tenth of a second where that matters.
fn short(time: Duration) -> String {
    if time < Duration::from_secs(10) { format!("{:.1} s", time.as_secs_f64()) } else { duration(time) }
}

/// Why no worker can be given yet.
pub(crate) fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::AllMatchingBusy => "all that match are busy",
        Reason::NoMatchingWorker => "none that matches is connected",
        Reason::Draining => "the one that matches takes no more jobs",
        Reason::Silent => "the one that matches is silent",
        Reason::Held => "its owner keeps the one that matches",
        Reason::TooManyClaims => "you hold or wait for too many workers",
        Reason::Unknown => "the server did not say why",
    }
}
