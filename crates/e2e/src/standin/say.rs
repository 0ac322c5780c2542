//! What is printed, at once, as with `PYTHONUNBUFFERED`. A closed pipe ends nothing.

use std::io::{Write as _, stderr, stdout};

/// A plain line on standard output.
pub(super) fn out(text: &str) {
    let mut stdout = stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// A line of the log.
pub(super) fn log(text: &str) {
    out(&format!("{} | {text}", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S")));
}

/// A line on standard error.
pub(super) fn err(text: &str) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// The time as Python's `datetime` prints it.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}
