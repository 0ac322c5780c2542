//! One line that says what is being waited for and for how long, so that no wait is silent.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crate::printer::Printer;
use crate::text::{clean, duration, fit};

/// In a pipe, silence ends after this.
const PLAIN_SILENCE: Duration = Duration::from_secs(30);

/// A wait. Call [`Ticker::tick`] every second; the line goes away when this is dropped.
#[derive(Debug)]
pub struct Ticker {
    printer: Printer,
    what: String,
    detail: String,
    since: Instant,
    limit: Option<Duration>,
    said: Instant,
    drawn: bool,
}

impl Ticker {
    /// Starts to wait for `what`, a line such as `installing sleap-nn`.
    pub fn new(printer: Printer, what: impl Into<String>) -> Self {
        Self::start(printer, what.into(), None)
    }

    /// The same for a wait that ends by itself: it says how much is left.
    pub fn until(printer: Printer, what: impl Into<String>, limit: Duration) -> Self {
        Self::start(printer, what.into(), Some(limit))
    }

    fn start(printer: Printer, what: String, limit: Option<Duration>) -> Self {
        let now = Instant::now();
        let mut ticker = Self { printer, what, detail: String::new(), since: now, limit, said: now, drawn: false };
        if !printer.terminal() {
            printer.note(&format!("{} …", ticker.what));
        }
        ticker.tick();
        ticker
    }

    /// What was last heard of it.
    pub fn detail(&mut self, line: &str) {
        self.detail = clean(line.trim()).into_owned();
    }

    /// How long it has taken.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Says how long it has taken, if it is time to say so.
    pub fn tick(&mut self) {
        let time = match self.limit {
            Some(limit) => format!("{} left", duration(limit.saturating_sub(self.elapsed()))),
            None => duration(self.elapsed()),
        };
        let mut line = format!("{}, {time}", self.what);
        if !self.detail.is_empty() {
            line = format!("{line}: {}", self.detail);
        }
        if self.printer.terminal() {
            let line = fit(&line, width().saturating_sub(1));
            let mut err = io::stderr().lock();
            // Nobody is there to be told that nobody is there.
            let _ = write!(err, "\r\x1b[2K{line}").and_then(|()| err.flush());
            self.drawn = true;
        } else if self.said.elapsed() >= PLAIN_SILENCE {
            self.printer.note(&line);
            self.said = Instant::now();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if self.drawn {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[2K").and_then(|()| err.flush());
        }
    }
}

/// Columns of the terminal.
pub fn width() -> usize {
    terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0).max(20))
}
