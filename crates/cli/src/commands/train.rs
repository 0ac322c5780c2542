//! `sleap-rtc train`.

use std::time::Duration;

use sleap_rtc_client::{Controls, TrainRequest, train};
use sleap_rtc_wire::job::TrainOptions;
use sleap_rtc_wire::limits;
use tokio::sync::mpsc;

use crate::args::TrainArgs;
use crate::context::Context;
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::follow::{EVENTS, follow};
use crate::printer::Printer;

/// Trains and brings the model home.
pub(super) async fn run(args: TrainArgs, printer: Printer) -> CliResult<Exit> {
    let context = Context::load(&args.connect)?;
    context.room()?;
    let mut config = context.client();
    config.times.lost_ms = args.patience.as_millis() as u64;
    let request = TrainRequest {
        labels: args.labels,
        configs: args.configs,
        videos: args.videos,
        options: TrainOptions {
            epochs: args.epochs,
            batch_size: args.batch_size,
            lr: args.lr,
            pipeline: args.pipeline,
        },
        run_name: args.run_name,
        min_gpu_memory_mb: args.min_gpu_memory,
        tags: args.tags,
        models: args.output,
        wait: wait(args.wait, args.no_wait, printer),
        retry: args.retry,
    };
    let (to_screen, events) = mpsc::channel(EVENTS);
    let controls = Controls::new();
    let training = train(&config, request, to_screen, controls.clone());
    Box::pin(follow(training, events, controls, None, args.until_eof, printer)).await
}

/// How long to wait in line: at a terminal until a worker is free, elsewhere not at all, if nothing was said.
fn wait(wait: Option<Duration>, no_wait: bool, printer: Printer) -> Duration {
    match wait {
        Some(wait) => wait,
        None if printer.terminal() && !no_wait => Duration::from_millis(limits::WAIT_MS),
        None => Duration::ZERO,
    }
}
