//! How far a training is: events in, what is to be said out.

use std::time::Duration;

use sleap_rtc_client::TrainEvent;
use sleap_rtc_wire::job::Terminal;

use super::lines::line;
use super::story::Training;
use super::transfer::Transfer;
use super::waiting::{Away, InLine};
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
    pub(super) sent: bool,
    /// Since when the server is out of reach, and what is said of it.
    pub(crate) away: Option<Away>,
    /// The place that we had when the server went, until it tells of ours again.
    pub(super) back_from: Option<u32>,
    /// The room.
    pub(super) room: String,
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
    Finding,
    Waiting(InLine),
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
            away: None,
            back_from: None,
            room: String::new(),
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
                self.room = room.to_string();
                self.enter(Step::Finding, now);
                out.push(line("Job", job_id.as_str()));
            }
            TrainEvent::Waiting(waiting) => out.extend(self.waiting(waiting, now)),
            TrainEvent::Missing(missing) => self.missing(missing, now),
            TrainEvent::Found { worker, entry } => {
                // A place that was not told again is not needed any more.
                out.extend(self.back_from.take().map(|_| line("Server", "is back")));
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
            TrainEvent::ServerAway { retry_ms, cause, place_kept_ms } => {
                self.server_away(Duration::from_millis(*retry_ms), cause, place_kept_ms.map(Duration::from_millis), now)
            }
            TrainEvent::ServerBack => self.server_back(),
            TrainEvent::Lost { worker, for_ms, attempt, attempts } => {
                self.given_up(now);
                let silent = duration(Duration::from_millis(*for_ms));
                let text = format!("{} after {silent}; trying elsewhere (try {attempt} of {attempts})", clean(worker));
                Some(line("Lost", &text))
            }
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
                | TrainEvent::Lost { .. }
                | TrainEvent::Landed { .. }
        );
        let since = self.lost.take_if(|_| by_link)?;
        Some(line("Reconnected", &format!("to {} after {}", self.worker(), duration(now.saturating_sub(since)))))
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
