//! `sleap-rtc demo`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sleap_rtc_worker::gpu;

use crate::args::DemoArgs;
use crate::commands::trainer_install::ask_and_install;
use crate::demo::{Cast, RUN, Stage, compare, files};
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::lifecycle::{self, Ending};
use crate::printer::Printer;
use crate::text::{bytes, duration};
use crate::trainer::{self, Plan};

/// Finds or installs the trainer, plays, and takes every process off the stage whatever happens.
pub(super) async fn run(args: DemoArgs, printer: Printer) -> CliResult<Exit> {
    let start = Instant::now();
    let trainer = match trainer::find()? {
        Some(trainer) => trainer,
        None => ask_and_install(Plan::new(trainer::default_dir()?, false).await?, args.yes, printer).await?,
    };
    printer.note(&format!("The trainer is {} ({})", trainer.path.display(), trainer.origin.words()));
    let stage = Stage::set()?;
    printer.note(&format!("All files are in {}", stage.root().display()));
    printer.note("");
    let mut cast = Cast::default();
    let played = tokio::select! {
        played = play(&mut cast, &stage, trainer.path, printer) => played,
        ending = lifecycle::ending(false) => Err(interrupted(ending?)),
    };
    lifecycle::next_one_is_hard();
    if played.is_err() {
        // The client may have been cut off in the middle of its line.
        printer.note("");
    }
    cast.leave(printer).await;
    let model = played.map_err(|error| error.hint(format!("the logs are in {}", stage.root().display())))?;
    stage.clear();
    finish(&model, start.elapsed(), printer);
    Ok(Exit::Ok)
}

async fn play(cast: &mut Cast, stage: &Stage, trainer: PathBuf, printer: Printer) -> CliResult<PathBuf> {
    let gpu = gpu::list().await.is_ok_and(|gpus| !gpus.is_empty());
    cast.server(stage, printer).await?;
    cast.room(stage, printer).await?;
    cast.worker(stage, &trainer, gpu, printer).await?;
    cast.train(stage, printer).await?;
    let (home, worker) = (stage.laptop().join("models").join(RUN), stage.worker().join("data").join("worker"));
    let compared = tokio::task::spawn_blocking(move || -> std::io::Result<_> {
        let model = files(&home)?.into_iter().find(|path| path.file_name().is_some_and(|name| name == "best.ckpt"));
        Ok((compare(&home, &worker)?, model))
    });
    let failed = || CliError::new(Exit::JobFailed, "the model that came home is not the one on the worker");
    let (compared, model) = compared
        .await
        .map_err(|error| CliError::internal("comparing failed").because(&error))?
        .map_err(|error| failed().because(&error))?;
    if let Some(path) = compared.different.first() {
        return Err(failed().cause(format!("{} differs", path.display())));
    }
    let model = model.ok_or_else(|| failed().cause("there is no best.ckpt"))?;
    printer.note("");
    let size = bytes(compared.bytes);
    printer.note(&format!("{} files, {size}: byte for byte those on the worker (BLAKE3)", compared.same));
    Ok(model)
}

fn finish(model: &std::path::Path, took: Duration, printer: Printer) {
    printer.note(&format!("Done in {}. The model:", duration(took)));
    let path = model.display().to_string();
    if printer.json() {
        printer.event(&serde_json::json!({"event": "demo", "model": path, "seconds": took.as_secs()}));
    } else {
        printer.result(&path);
    }
}

fn interrupted(ending: Ending) -> CliError {
    let cause = match ending {
        Ending::Interrupt => "Ctrl-C",
        Ending::Terminate => "this program was asked to end",
    };
    CliError::new(Exit::Interrupted, "the demo did not finish").cause(cause)
}
