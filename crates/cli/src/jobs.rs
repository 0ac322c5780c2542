//! The jobs of this installation as a table: state and reason in one row.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sleap_rtc_client::jobs::{JobFile, Progress, State, Told, Waiting};
use sleap_rtc_client::why;
use sleap_rtc_session::pool_client::Found;
use sleap_rtc_wire::job::{EndState, Phase};
use sleap_rtc_wire::{Metadata, Time};

use crate::roster::columns;
use crate::text::{about, clean, duration};

/// A job, and how it stands.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is known of it.
    pub file: JobFile,
    /// How it stands.
    pub state: State,
    /// What the room says of its worker, where that is something else.
    seen: Option<String>,
}

impl Row {
    /// A job as this machine knows it.
    pub const fn new(state: State, file: JobFile) -> Self {
        Self { file, state, seen: None }
    }

    /// Looks for the worker of a job that runs, as far as is known here.
    pub fn look(&mut self, found: &Found, now: Time) {
        let Some(holder) = self.file.holder.as_ref().filter(|_| self.state == State::Running) else { return };
        let (name, job) = (clean(&holder.worker_name), self.file.job_id.as_str());
        let here = found.peers.iter().find(|peer| peer.peer_id == holder.worker);
        let absent = found.absent.iter().find(|worker| worker.peer_id == holder.worker);
        let text = |metadata: &Metadata, name| metadata.property(name).and_then(Value::as_str).map(str::to_owned);
        self.seen = match (here, absent) {
            (Some(peer), _) if text(&peer.metadata, "current_job_id").as_deref() == Some(job) => None,
            (Some(_), _) => Some(format!("{name} is done with it: sleap-rtc watch {job}")),
            (None, Some(worker)) => {
                let seen = Time((worker.seen_at.max(0.0) * 1000.0) as u64);
                if text(&worker.metadata, "status").as_deref() == Some("lost") {
                    self.state = State::Lost;
                    self.file.lost_at = Some(seen);
                    return;
                }
                let silent = duration(Duration::from_millis(now.since(seen)));
                Some(format!("{name} has been silent for {silent}"))
            }
            // It may be one of those that did not fit into the answer.
            (None, None) if found.total > found.peers.len() => None,
            (None, None) => Some(format!("{name} is not in the room")),
        };
    }

    /// Whether nothing more will become of it.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Ended(_) | State::Gone)
    }

    /// Since when it stands so.
    fn since(&self) -> Time {
        match (&self.state, &self.file) {
            (State::Waiting(waiting), _) => waiting.since,
            (State::Ended(_), JobFile { end: Some(end), .. }) => end.ended_at,
            (State::Lost, JobFile { lost_at: Some(at), .. }) => *at,
            (State::Gone, JobFile { waiting: Some(waiting), .. }) => waiting.updated_at,
            (_, file) => file.started_at,
        }
    }
}

/// The table, in the order given.
pub fn table(rows: &[Row], now: Time) -> Vec<String> {
    let mut cells = vec![["JOB", "STATE", "WORKER", "LABELS", "SINCE", "REASON"].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        [
            row.file.job_id.to_string(),
            row.state.word().to_owned(),
            clean(row.file.worker_name()).into_owned(),
            clean(&labels(&row.file)).into_owned(),
            duration(Duration::from_millis(now.since(row.since()))),
            reason(row, now),
        ]
    }));
    columns(&cells)
}

/// The same for a program, one object a job.
pub fn to_json(row: &Row) -> Value {
    let Row { file, state, .. } = row;
    let told = match state {
        State::Waiting(waiting) => Some(waiting),
        _ => None,
    };
    json!({
        "event": "job",
        "job_id": file.job_id,
        "state": state.word(),
        "room": file.room,
        "worker": file.holder.as_ref().map(|holder| &holder.worker),
        "worker_name": file.holder.as_ref().map(|holder| clean(&holder.worker_name)),
        "attempt": file.attempt,
        "labels": file.labels,
        "since_ms": row.since(),
        "waiting": told,
        "progress": file.progress,
        "end": file.end,
        "folder": file.landed.as_ref().map(|landed| &landed.folder),
        "seen": row.seen,
        "earlier": file.earlier.iter().map(|holder| clean(&holder.worker_name)).collect::<Vec<_>>(),
    })
}

/// The labels' own name.
fn labels(file: &JobFile) -> String {
    Path::new(&file.labels).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Why it stands so.
fn reason(row: &Row, now: Time) -> String {
    let file = &row.file;
    match &row.state {
        State::Waiting(waiting) => in_line(waiting, now),
        State::Gone => "its program ended while it waited".to_owned(),
        State::Running => {
            let progress = file.progress.map(|progress| how_far(progress, now));
            progress.into_iter().chain(row.seen.clone()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
        }
        State::Lost => format!("it may still run there: sleap-rtc watch {}", file.job_id),
        State::Ended(EndState::Completed) => match &file.landed {
            Some(landed) => clean(&landed.folder.display().to_string()).into_owned(),
            None => format!("its model is there: sleap-rtc watch {}", file.job_id),
        },
        State::Ended(EndState::Failed | EndState::Cancelled) => file
            .end
            .as_ref()
            .and_then(|end| end.cause.as_deref())
            .map_or_else(String::new, |cause| clean(cause).into_owned()),
    }
}

/// `place 2, all 3 that match are busy, at most 40 min`.
fn in_line(waiting: &Waiting, now: Time) -> String {
    let Told { place, reason, workers, estimate_ms } = waiting.told;
    let mut text = format!("place {place}, {}", why(reason, workers));
    if let Some(ms) = estimate_ms {
        let left = ms.saturating_sub(now.since(waiting.updated_at));
        text = format!("{text}, at most {}", about(Duration::from_millis(left)));
    }
    text
}

/// `epoch 12/200, 8 s ago`.
fn how_far(progress: Progress, now: Time) -> String {
    let Progress { phase, epoch, epochs, at } = progress;
    let what = match phase {
        Phase::Training => {
            let of = epochs.map(|n| format!("/{n}")).unwrap_or_default();
            format!("epoch {epoch}{of}")
        }
        Phase::Receiving => "receiving files".to_owned(),
        Phase::Preparing => "preparing".to_owned(),
        Phase::Configuring => "configuring a model".to_owned(),
        Phase::Importing => "importing libraries".to_owned(),
        Phase::Evaluating => "evaluating".to_owned(),
        Phase::Returning => "gathering results".to_owned(),
        Phase::Unknown => return String::new(),
    };
    format!("{what}, {} ago", duration(Duration::from_millis(now.since(at))))
}
