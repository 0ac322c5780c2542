//! One thing that was looked at.

use serde::Serialize;

use crate::printer::Printer;
use crate::text::clean;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could, or not for everything.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename = "check")]
pub(crate) struct Check {
    /// What.
    pub(crate) name: &'static str,
    /// How it is.
    pub(crate) verdict: Verdict,
    /// What was found.
    pub(crate) found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

impl Check {
    pub(crate) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, found: found.into(), hint: None }
    }

    pub(crate) fn warn(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warn, found: found.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn fail(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Fail, found: found.into(), hint: Some(hint.into()) }
    }

    /// Its lines.
    pub(crate) fn lines(&self, printer: Printer) -> String {
        let (word, paint) = match self.verdict {
            Verdict::Ok => ("ok  ", "\x1b[32m"),
            Verdict::Warn => ("warn", "\x1b[33m"),
            Verdict::Fail => ("fail", "\x1b[31m"),
        };
        // Results go to standard output; it is coloured only if that is a terminal too.
        let word = if printer.color() && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            format!("{paint}{word}\x1b[0m")
        } else {
            word.to_owned()
        };
        let hint = self.hint.as_deref().map(|hint| format!("\n                hint: {hint}")).unwrap_or_default();
        format!("{word}  {:<9} {}{hint}", self.name, clean(&self.found))
    }
}
