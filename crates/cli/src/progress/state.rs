//! How far a training is: events in, what is to be said out.

use std::time::Duration;

use sleap_rtc_client::TrainEvent;
use sleap_rtc_wire::claim::Reason;
use sleap_rtc_wire::job::Terminal;

use super::lines::line;
use super::story::Training;
use super::transfer::Transfer;
use crate::roster;
use crate::text::{bytes, clean, count, duration};

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
        let back = self.back(event, now);
        let told = back.is_some();
        let mut out: Vec<String> = back.into_iter().collect();
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
            TrainEvent::Sending { done, total } => out.extend(self.sending(*done, *total, now)),
            TrainEvent::Receiving { done, total } => self.receiving(*done, *total, now),
            TrainEvent::Job(event) => out.extend(self.job(event, now)),
            TrainEvent::Landed { folder, files, bytes: size } => {
                out.push(line("Received", &format!("{}, {}", count(*files, "file"), bytes(*size))));
                out.push(line("Saved", &clean(&folder.display().to_string())));
                self.enter(Step::Done, now);
            }
            ways => out.extend(self.way(ways, told, now)),
        }
        out
    }

    /// What happens to the ways to worker and server. `told`: that the link is back has been said.
    fn way(&mut self, event: &TrainEvent, told: bool, now: Duration) -> Option<String> {
        match event {
            TrainEvent::Connecting => {
                self.enter(Step::Connecting, now);
                None
            }
            TrainEvent::Connected { path } => {
                let path = path.as_deref().map(|text| format!(", {}", clean(text))).unwrap_or_default();
                (!told).then(|| line("Connected", &format!("to {}{path}", self.worker())))
            }
            TrainEvent::Accepted { .. } => {
                self.accepted = true;
                self.accepted_at = now;
                None
            }
            TrainEvent::Reconnecting { accepted, cause, .. } => {
                self.accepted = *accepted;
                let first = self.lost.is_none();
                self.lost = self.lost.or(Some(now));
                let text = format!("to {}: {}; {}", self.worker(), clean(cause), self.lost_words());
                first.then(|| line("Link lost", &text))
            }
            TrainEvent::ServerAway { cause, .. } => {
                let first = !std::mem::replace(&mut self.server_away, true);
                let text = format!("the server is away ({}); the job is not touched by that", clean(cause));
                first.then(|| line("Warning", &text))
            }
            TrainEvent::ServerBack => std::mem::take(&mut self.server_away).then(|| line("Server", "is back")),
            // The rest is no way.
            _ => None,
        }
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

    pub(super) fn enter(&mut self, step: Step, now: Duration) {
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
}

/// A duration with a tenth of a second where that matters.
pub(super) fn short(time: Duration) -> String {
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
        Reason::TooManyClaims => "you hold as many workers as one member may",
        Reason::BehindOthers => "those that are free are meant for others before you",
        Reason::Recovering => "the server has restarted and asks its workers what they do",
        Reason::JobRuns => "another try of this job has a worker",
        Reason::LineFull => "too many wait already",
        Reason::Unknown => "the server did not say why",
    }
}
