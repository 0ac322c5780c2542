//! The Python that the trainer needs.

use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;

use super::find::on_path;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;

/// What sleap-nn 0.3 runs on; the newest first would be nicer, but 3.11 is what it is tested with most.
const NAMES: [&str; 4] = ["python3.11", "python3.12", "python3.13", "python3"];
/// A program that only prints something.
const QUICK: Duration = Duration::from_secs(10);

/// A Python 3.11 to 3.13 with its `venv` module: `SLEAP_RTC_PYTHON`, else the first on `PATH`.
pub(super) async fn find() -> CliResult<PathBuf> {
    let named = std::env::var_os("SLEAP_RTC_PYTHON").map(PathBuf::from);
    let mut seen = Vec::new();
    for path in named.into_iter().chain(NAMES.iter().filter_map(|name| on_path(name))) {
        match fits(&path).await {
            Ok(()) => return Ok(path),
            Err(why) => seen.push(format!("{}: {why}", path.display())),
        }
    }
    let found = if seen.is_empty() { "there is no python3 on PATH".to_owned() } else { seen.join("; ") };
    Err(CliError::new(Exit::NoTrainer, "cannot install the trainer: it needs Python 3.11, 3.12 or 3.13")
        .cause(found)
        .hint(
            "install one, e.g. sudo apt install python3 python3-venv, or: export SLEAP_RTC_PYTHON=/path/to/python3.12",
        ))
}

async fn fits(python: &PathBuf) -> Result<(), String> {
    let script = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])";
    let run = Command::new(python).args(["-c", script]).kill_on_drop(true).output();
    let output = tokio::time::timeout(QUICK, run)
        .await
        .map_err(|_| "no answer within 10 s".to_owned())?
        .map_err(|error| error.to_string())?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match version.as_str() {
        "3.11" | "3.12" | "3.13" => Ok(()),
        "" => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(errors.lines().next_back().unwrap_or("it does not run").to_owned())
        }
        other => Err(format!("it is {other}")),
    }
}
