//! `sleap-nn track`, the old pipeline that Python workers run: labels and models in, predictions out.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use tokio::time::sleep;

use super::PythonError;
use super::knobs::Knobs;
use super::say::{log, now};
use super::settings::check_labels;
use crate::sys::Signals;

/// The arguments after `track`, as far as they matter here.
#[derive(Default)]
struct Arguments {
    data: String,
    models: Vec<String>,
    output: Option<String>,
}

pub(super) async fn track(args: &[String], knobs: &Knobs) -> Result<ExitCode, PythonError> {
    let args = arguments(args)?;
    let mut signals = Signals::take().map_err(|error| PythonError(format!("OSError: {error}")))?;
    sleep(knobs.millis("IMPORT_MS", 50)).await;
    check_labels(&args.data)?;
    args.models.iter().try_for_each(|folder| check_model(folder))?;
    log(&format!("Started inference at: {}", now()));
    log(&format!("Using models: {:?}", args.models));
    tokio::select! {
        () = sleep(knobs.millis("TRACK_MS", 50)) => {}
        signal = signals.next() => {
            // As Python ends on a signal that it does not handle.
            return Ok(ExitCode::from(if signal == 2 { 1 } else { 143 }));
        }
    }
    let output = args.output.unwrap_or_else(|| args.data.replace(".slp", ".predictions.slp"));
    fs::copy(&args.data, &output).map_err(|error| PythonError(format!("OSError: {error}: '{output}'")))?;
    log(&format!("Finished inference at: {}", now()));
    log(&format!("Predictions output path: {output}"));
    Ok(ExitCode::SUCCESS)
}

fn arguments(args: &[String]) -> Result<Arguments, PythonError> {
    let mut parsed = Arguments::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut next =
            || args.next().cloned().ok_or_else(|| PythonError(format!("Error: Option '{arg}' requires an argument.")));
        match arg.as_str() {
            "--data_path" | "-i" => parsed.data = next()?,
            "--model_paths" | "-m" => parsed.models.push(next()?),
            "--output_path" | "-o" => parsed.output = Some(next()?),
            "--batch_size" | "--peak_threshold" | "--frames" | "--video_index" => drop(next()?),
            "--only_suggested_frames" | "--only_labeled_frames" | "--exclude_user_labeled" => {}
            _ => return Err(PythonError(format!("Error: No such option: {arg}"))),
        }
    }
    Ok(parsed)
}

/// A folder with a model in it.
fn check_model(folder: &str) -> Result<(), PythonError> {
    let folder = Path::new(folder);
    if folder.join("training_config.yaml").exists() && folder.join("best.ckpt").exists() {
        return Ok(());
    }
    Err(PythonError(format!("FileNotFoundError: no model in {}", folder.display())))
}
