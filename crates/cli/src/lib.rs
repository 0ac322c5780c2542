//! The program `sleap-rtc`: arguments, words and exit codes. It decides nothing about rooms and jobs; it is the only crate
//! that chooses which store, identity and link the others run with.
//!
//! One file a command in [`commands`]: plain arguments and a [`printer::Printer`] in, an [`exit::Exit`] or a
//! [`errors::CliError`] out. Results go to standard output, everything else to standard error.

pub mod accounts;
#[expect(clippy::doc_markdown, reason = "its doc comments are what `--help` prints")]
pub mod args;
mod caller;
pub mod commands;
mod confirm;
mod context;
mod demo;
mod doctor;
pub mod errors;
pub mod exit;
pub mod folders;
pub mod follow;
pub mod jobs;
mod lifecycle;
mod logging;
mod notices;
mod person;
pub mod printer;
mod processes;
pub mod progress;
pub mod rooms;
pub mod roster;
mod sys;
pub mod text;
pub mod ticker;
pub mod trainer;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::errors::CliError;
use crate::exit::Exit;
use crate::printer::Printer;

/// Runs the program as the command line says.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version come this way too, and are no errors.
        Err(said) => {
            let _ = said.print();
            if said.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
                Printer::new(true).event(&not_understood(&said).to_json());
            }
            return ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(Exit::Usage.number()));
        }
    };
    let printer = Printer::new(cli.json);
    logging::start(printer);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = CliError::internal("cannot start").because(&error);
            printer.error(&error);
            return error.exit.into();
        }
    };
    let outcome = runtime.block_on(commands::run(cli.command, printer));
    // What still blocks in the background, such as a name that is being looked up, must not hold the program.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            printer.error(&error);
            error.exit.into()
        }
    }
}

/// A command line that is not understood, for a program: the first paragraph of what clap says.
fn not_understood(said: &clap::Error) -> CliError {
    let text = said.render().to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    CliError::new(Exit::Usage, lines.join(" ").trim_start_matches("error: ")).hint("sleap-rtc --help")
}
