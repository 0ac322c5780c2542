//! `sleap-rtc stop` and `sleap-rtc cancel`.

use serde_json::json;
use sleap_rtc_client::{CommandOutcome, command};
use sleap_rtc_wire::JobId;
use sleap_rtc_wire::job::EndState;
use sleap_rtc_wire::peer::Wish;

use crate::args::JobArgs;
use crate::context::{Context, client_error};
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::text::clean;
use crate::ticker::Ticker;

/// Says the wish to the job's worker and waits until it has obeyed.
pub(super) async fn run(args: JobArgs, wish: Wish, printer: Printer) -> CliResult<Exit> {
    let context = Context::load(&args.connect)?;
    context.room()?;
    let job = job_id(&args.job)?;
    let config = context.client();
    let verb = if wish == Wish::Stop { "stopping" } else { "cancelling" };
    let mut wait = Ticker::new(printer, format!("{verb} job {job}"));
    let asked = command(&config, Some(&job), wish);
    tokio::pin!(asked);
    let mut tick = tokio::time::interval(std::time::Duration::from_secs(1));
    let answer = loop {
        tokio::select! {
            answer = &mut asked => break answer,
            _ = tick.tick() => wait.tick(),
        }
    };
    drop(wait);
    let answer = answer.map_err(|error| client_error(&error))?;
    let words = match &answer.worker {
        Some((_, name)) => of_worker(&job, &clean(name), &answer),
        None => in_line(&job, answer.end),
    };
    printer.event(&json!({
        "event": if wish == Wish::Stop { "stop" } else { "cancel" },
        "job_id": job,
        "worker": answer.worker.as_ref().map(|(worker, _)| worker),
        "ended_before": answer.end,
    }));
    printer.note(&words);
    Ok(Exit::Ok)
}

/// What became of a job that a worker has.
fn of_worker(job: &JobId, worker: &str, answer: &CommandOutcome) -> String {
    match (answer.end, answer.wish) {
        (Some(EndState::Completed), _) => format!("Job {job} was completed already; its model is on {worker}."),
        (Some(EndState::Failed), _) => format!("Job {job} had failed already."),
        (Some(EndState::Cancelled), _) => format!("Job {job} was cancelled already."),
        (None, Wish::Stop) => format!("Job {job} stops: {worker} ends after the next batch and keeps the model."),
        (None, Wish::Cancel) => format!("Job {job} is cancelled on {worker}."),
    }
}

/// What became of a job that waited in line.
fn in_line(job: &JobId, end: Option<EndState>) -> String {
    match end {
        None => format!("Job {job} has left the line; no worker has had it."),
        Some(EndState::Failed) => format!("Job {job} had ended already, without a worker."),
        Some(_) => format!("Job {job} had left the line already."),
    }
}

/// A job's id as it was typed.
pub(super) fn job_id(text: &str) -> CliResult<JobId> {
    JobId::new(text).map_err(|error| {
        CliError::new(Exit::Usage, "there can be no such job")
            .because(&error)
            .hint("give the id as `sleap-rtc train` printed it, or see `sleap-rtc jobs`")
    })
}
