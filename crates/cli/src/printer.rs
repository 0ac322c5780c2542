//! Where words go: results to standard output, everything else to standard error.
//!
//! Colour only on a terminal, never with `NO_COLOR` set or `TERM=dumb`. No question is asked without a terminal on both
//! standard input and standard error. With `--json` standard output carries one JSON object a line and nothing else.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::errors::CliError;

/// How this run prints.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    json: bool,
    color: bool,
    terminal: bool,
}

impl Printer {
    /// Looks at the environment and the standard streams.
    pub fn new(json: bool) -> Self {
        let terminal = io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let color = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, color, terminal }
    }

    /// Whether results are JSON.
    pub const fn json(self) -> bool {
        self.json
    }

    /// Whether colour is wanted on standard error.
    pub const fn color(self) -> bool {
        self.color
    }

    /// Whether standard error is a terminal that can redraw a line.
    pub const fn terminal(self) -> bool {
        self.terminal
    }

    /// A line of the result. A closed pipe is not an error of ours: whoever reads has seen enough.
    pub fn result(self, line: &str) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    /// One JSON object on a line of its own, with `--json` only.
    pub fn event(self, value: &impl serde::Serialize) {
        if !self.json {
            return;
        }
        if let Ok(line) = serde_json::to_string(value) {
            self.result(&line);
        }
    }

    /// A line for the person who waits.
    pub fn note(self, line: &str) {
        let mut err = io::stderr().lock();
        let _ = writeln!(err, "{line}");
    }

    /// A `warning:` line.
    pub fn warn(self, text: &str) {
        let (on, off) = if self.color { ("\x1b[1;33m", "\x1b[0m") } else { ("", "") };
        self.note(&format!("{on}warning:{off} {}", crate::text::clean(text)));
    }

    /// The three parts of an error, and the JSON event.
    pub fn error(self, error: &CliError) {
        let mut err = io::stderr().lock();
        let _ = err.write_all(error.render(self.color).as_bytes());
        self.event(&error.to_json());
    }

    /// Bold on a terminal.
    pub fn bold(self, text: &str) -> String {
        if self.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Asks for yes or no; `None` if nobody is there to answer.
    pub fn ask(self, question: &str) -> Option<bool> {
        if !self.terminal || !io::stdin().is_terminal() {
            return None;
        }
        let mut err = io::stderr().lock();
        let _ = write!(err, "{question} [y/N] ").and_then(|()| err.flush());
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}
