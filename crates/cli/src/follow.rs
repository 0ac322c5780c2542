//! Follows a training on the screen: events, the passing of time, and what the user presses.
//!
//! Before the worker has the job, Ctrl-C gives it up. Afterwards the first Ctrl-C says how to watch and how to stop, the second
//! one cancels, the third one does not wait for the worker's answer. SIGTERM and a closed terminal leave the job running.

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

use serde_json::json;
use sleap_rtc_client::{Controls, TrainError, TrainEvent, TrainOutcome};
use tokio::sync::mpsc::Receiver;

use crate::context::client_error;
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::lifecycle::{self, Ending};
use crate::printer::Printer;
use crate::progress::{Mode, Screen};
use crate::text::clean;
use crate::ticker::width;

/// Events that may wait for the screen.
pub(crate) const EVENTS: usize = 256;

type Out = Box<dyn Write + Send>;

struct Follower {
    printer: Printer,
    screen: Screen<Out>,
    start: Instant,
    controls: Controls,
    /// How often Ctrl-C was pressed while the worker had the job.
    pressed: u32,
    job: Option<String>,
    accepted: bool,
    /// Whether the screen has said where the model is.
    saved: bool,
}

/// Follows to the end.
pub(crate) async fn follow(
    training: impl Future<Output = Result<TrainOutcome, TrainError>>,
    mut events: Receiver<TrainEvent>,
    controls: Controls,
    job: Option<String>,
    until_eof: bool,
    printer: Printer,
) -> CliResult<Exit> {
    let (mode, out): (Mode, Out) = if printer.json() {
        (Mode::Json, Box::new(io::stdout()))
    } else if printer.terminal() {
        (Mode::Terminal { width: width(), color: printer.color() }, Box::new(io::stderr()))
    } else {
        (Mode::Plain, Box::new(io::stderr()))
    };
    let accepted = job.is_some();
    let start = Instant::now();
    let screen = Screen::new(mode, out);
    let mut follower = Follower { printer, screen, start, controls, pressed: 0, job, accepted, saved: false };
    tokio::pin!(training);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut ending = std::pin::pin!(lifecycle::ending(until_eof));
    let outcome = loop {
        tokio::select! {
            Some(event) = events.recv() => follower.event(&event),
            outcome = &mut training => break outcome,
            _ = tick.tick() => follower.tick(),
            why = &mut ending => {
                follower.pressed(why?);
                ending.set(lifecycle::ending(false));
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        follower.event(&event);
    }
    follower.over(outcome)
}

impl Follower {
    /// A screen that cannot be written to has nobody before it; the training goes on.
    fn event(&mut self, event: &TrainEvent) {
        match event {
            TrainEvent::Finding { job_id, .. } => self.job = Some(job_id.to_string()),
            TrainEvent::Accepted { .. } => self.accepted = true,
            // Until another worker has it, there is nothing to come back to.
            TrainEvent::Lost { .. } => (self.accepted, self.pressed) = (false, 0),
            TrainEvent::Landed { .. } => self.saved = true,
            _ => {}
        }
        self.screen.resize(width());
        let waits = self.screen.state().place().is_some();
        let _ = self.screen.event(event, self.start.elapsed());
        if !waits && self.screen.state().place().is_some() && self.printer.terminal() {
            self.note("Ctrl-C leaves the line.");
        }
    }

    fn tick(&mut self) {
        self.screen.resize(width());
        let _ = self.screen.tick(self.start.elapsed());
    }

    fn note(&mut self, text: &str) {
        let _ = self.screen.note(text, self.start.elapsed());
    }

    fn pressed(&mut self, ending: Ending) {
        if ending == Ending::Terminate {
            return self.controls.leave();
        }
        let job = self.job.clone().unwrap_or_default();
        self.pressed += 1;
        match (self.accepted, self.pressed) {
            (false, 1) => {
                match self.screen.state().place() {
                    Some(place) => self.note(&format!("Leaving the line: place {place} is given up.")),
                    None => self.note("Giving up: the job has not started."),
                }
                self.controls.cancel();
            }
            (true, 1) => {
                for line in how_to_go_on(&job) {
                    self.note(&line);
                }
            }
            (true, 2) => {
                self.note(&format!("Cancelling job {job}."));
                self.controls.cancel();
            }
            _ => {
                let _ = self.screen.finish();
                self.printer.note("Ended without waiting for the worker.");
                std::process::exit(i32::from(Exit::Interrupted.number()));
            }
        }
    }

    fn over(mut self, outcome: Result<TrainOutcome, TrainError>) -> CliResult<Exit> {
        let _ = self.screen.finish();
        let printer = self.printer;
        match outcome.map_err(|error| client_error(&error))? {
            TrainOutcome::Trained { job_id, worker, terminal, landed } => {
                let folder = landed.folder.display().to_string();
                printer.event(&json!({
                    "event": "trained",
                    "job_id": job_id,
                    "worker": worker,
                    "stopped_early": terminal.stopped_early,
                    "folder": folder,
                }));
                // On a terminal the last line has said it already, unless the model was here before.
                let said = self.saved && printer.terminal() && io::stdout().is_terminal();
                if !printer.json() && !said {
                    printer.result(&clean(&folder));
                }
                Ok(Exit::Ok)
            }
            TrainOutcome::Cancelled { job_id, .. } => {
                printer.event(&json!({"event": "cancelled", "job_id": job_id}));
                printer.note(&format!("Job {job_id} is cancelled."));
                Ok(Exit::Cancelled)
            }
            TrainOutcome::Left { job_id, .. } => {
                printer.event(&json!({"event": "left", "job_id": job_id}));
                printer.note(&format!("Job {job_id} goes on. Watch it: sleap-rtc watch {job_id}"));
                Ok(Exit::Interrupted)
            }
        }
    }
}

/// What the first Ctrl-C says.
pub fn how_to_go_on(job: &str) -> [String; 4] {
    [
        "The job goes on, even if you close this terminal. Ctrl-C again cancels it.".to_owned(),
        format!("  come back to it                sleap-rtc watch {job}"),
        format!("  end it early, keep the model   sleap-rtc stop {job}"),
        format!("  end it now, without a model    sleap-rtc cancel {job}"),
    ]
}
