//! What the user reads when something did not happen: three parts, and the exit code.
//!
//! The first line says what did not happen, in the user's nouns; the cause names the object and the number; the hint is a
//! command that can be pasted, or one thing to do.

use std::fmt::Write as _;

use serde_json::json;

use crate::exit::Exit;
use crate::text::clean;

/// A command's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// What did not happen.
    pub error: String,
    /// Why, from the nearest cause to the farthest.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
}

/// What a command returns.
pub type CliResult<T = ()> = Result<T, CliError>;

impl CliError {
    /// An error without a cause or a hint yet.
    pub fn new(exit: Exit, error: impl Into<String>) -> Self {
        Self { exit, error: error.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// A fault of this program.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::new(Exit::Internal, "something went wrong inside sleap-rtc")
            .cause(cause)
            .hint("please report this, with the output of `SLEAP_RTC_LOG=debug`")
    }

    /// Adds a cause; an empty one is left out.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        if !cause.is_empty() {
            self.causes.push(cause);
        }
        self
    }

    /// Adds an error and its sources as causes.
    #[must_use]
    pub fn because(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Some errors repeat their source in their own text.
            if !self.causes.last().is_some_and(|last| last.ends_with(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The text for a person, cleaned of terminal escapes, with a newline at its end.
    pub fn render(&self, color: bool) -> String {
        let mut text = String::new();
        part(&mut text, color, "\x1b[1;31m", "error", &self.error);
        for cause in &self.causes {
            part(&mut text, color, "\x1b[1m", "cause", cause);
        }
        for hint in &self.hints {
            part(&mut text, color, "\x1b[1;36m", "hint", hint);
        }
        text
    }

    /// The same as one JSON event, the last of a `--json` run.
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "event": "error",
            "code": self.exit.name(),
            "exit": self.exit.number(),
            "error": clean(&self.error),
            "causes": self.causes.iter().map(|text| clean(text)).collect::<Vec<_>>(),
            "hints": self.hints.iter().map(|text| clean(text)).collect::<Vec<_>>(),
        })
    }
}

fn part(to: &mut String, color: bool, paint: &str, label: &str, text: &str) {
    let (on, off) = if color { (paint, "\x1b[0m") } else { ("", "") };
    // Writing to a String cannot fail.
    let _ = writeln!(to, "{on}{label}:{off} {}", clean(text));
}
