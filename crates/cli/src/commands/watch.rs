//! `sleap-rtc watch`.

use sleap_rtc_client::{Controls, attach};
use tokio::sync::mpsc;

use crate::args::WatchArgs;
use crate::commands::job::job_id;
use crate::context::Context;
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::follow::{EVENTS, follow};
use crate::printer::Printer;

/// Comes back to a job: the rest of its story, and its model.
pub(super) async fn run(args: WatchArgs, printer: Printer) -> CliResult<Exit> {
    let context = Context::load(&args.connect)?;
    context.room()?;
    let config = context.client();
    let job = args.job.as_deref().map(job_id).transpose()?;
    let (to_screen, events) = mpsc::channel(EVENTS);
    let controls = Controls::new();
    let watching = attach(&config, job.as_ref(), to_screen, controls.clone());
    // Without an id it is the latest job; its own id comes with the answer.
    let known = job.as_ref().map(ToString::to_string).or_else(|| Some(String::new()));
    Box::pin(follow(watching, events, controls, known, false, printer)).await
}
