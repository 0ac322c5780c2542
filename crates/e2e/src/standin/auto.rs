//! `sleap-nn config LABELS --auto -o FILE [--pipeline P]`.

use std::fs;
use std::process::ExitCode;

use super::PythonError;
use super::knobs::Knobs;
use super::say::{err, out};
use super::settings::check_labels;

const PIPELINES: &[&str] = &["single_instance", "centroid", "bottomup", "topdown"];

/// What the real one writes has every key; these are the ones that matter.
const TEMPLATE: &str = include_str!("auto.yaml");

pub(super) fn config(args: &[String], knobs: &Knobs) -> Result<ExitCode, PythonError> {
    let after = |names: &[&str]| {
        let at = args.iter().position(|arg| names.contains(&arg.as_str()))?;
        args.get(at + 1).map(String::as_str)
    };
    let (Some(labels), Some(output)) = (args.first(), after(&["-o", "--output"])) else {
        err("Usage: sleap-nn config [OPTIONS] [SLP_PATH]");
        return Ok(ExitCode::from(2));
    };
    let pipeline = after(&["--pipeline"]).or(knobs.text("AUTO")).unwrap_or("topdown");
    if !PIPELINES.contains(&pipeline) {
        err(&format!("│ Invalid value for '--pipeline': '{pipeline}' is not one of {} │", PIPELINES.join(", ")));
        return Ok(ExitCode::from(2));
    }
    if !fs::exists(labels).unwrap_or(false) {
        return Err(PythonError(format!("FileNotFoundError: SLP file not found: {labels}")));
    }
    check_labels(labels)?;
    let stem = output.strip_suffix(".yaml").unwrap_or(output);
    if pipeline == "topdown" {
        for (words, model) in [("centroid", "centroid"), ("instance", "centered_instance")] {
            write(&format!("{stem}_{model}.yaml"), labels, model, &format!("Saved {words} config to"))?;
        }
    } else {
        write(output, labels, pipeline, "Saved config to")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &str, labels: &str, model: &str, words: &str) -> Result<(), PythonError> {
    let text = TEMPLATE.replace("LABELS", labels).replace("MODEL", model);
    fs::write(path, text).map_err(|error| PythonError(format!("OSError: {error}")))?;
    out(&format!("{words}: {path}"));
    Ok(())
}
