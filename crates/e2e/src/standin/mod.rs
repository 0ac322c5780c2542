//! A stand-in for `sleap-nn` that behaves as the real one was measured to: the same command line, words, files, messages over
//! real ZMQ, signals and exit codes; only the learning is missing. Two epochs take well under a second.
//!
//! Faults are switched on by [`Knobs`]: environment variables `STANDIN_*`, or lines of `standin.env` beside the program's own
//! path, since a worker gives its trainer a small environment. [`install`] makes such a place.

mod auto;
mod files;
mod knobs;
mod messages;
mod overrides;
mod say;
mod settings;
mod track;
mod train;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub use knobs::Knobs;
use say::err;

/// An error as Python prints it: the program ends with code 1.
pub(crate) struct PythonError(String);

/// Makes `dir/sleap-nn`, another name of the stand-in's `binary`, with these knobs; gives its path.
pub fn install(binary: &Path, dir: &Path, knobs: &[(&str, &str)]) -> io::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    let lines: Vec<String> = knobs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    fs::write(dir.join(knobs::FILE), lines.join("\n"))?;
    let program = dir.join("sleap-nn");
    crate::sys::symlink(binary, &program)?;
    Ok(program)
}

/// The folder of the program: of one that was started by its name alone, where that is found first.
fn folder(program: &Path) -> PathBuf {
    if let Some(folder) = program.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        return folder.to_owned();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|folder| folder.join(program).exists());
    found.unwrap_or_else(|| PathBuf::from("."))
}

/// The program: `args[0]` is its own path, or its name.
pub async fn main(args: Vec<String>) -> ExitCode {
    let mut args = args.into_iter();
    let program = PathBuf::from(args.next().unwrap_or_default());
    let knobs = Knobs::read(&folder(&program));
    let args: Vec<String> = args.collect();
    let result = match args.first().map(String::as_str) {
        Some("--version" | "-v") => {
            println!("sleap-nn {}", knobs.text("VERSION").unwrap_or("0.3.5"));
            return ExitCode::SUCCESS;
        }
        Some("train") => train::train(&args[1..], &knobs).await,
        Some("track") => track::track(&args[1..], &knobs).await,
        Some("config") => auto::config(&args[1..], &knobs),
        _ => {
            err("Usage: sleap-nn [OPTIONS] COMMAND [ARGS]...");
            return ExitCode::from(2);
        }
    };
    result.unwrap_or_else(|error| {
        err("Traceback (most recent call last):");
        err(&format!("  File \"{}\", line 10, in <module>", program.display()));
        err("    sys.exit(cli())");
        err(&error.0);
        ExitCode::from(knobs.number("EXIT").map_or(1, |code| code as u8))
    })
}
