//! Puts lines where they are read.

use std::io::{self, Write};
use std::time::Duration;

use sleap_rtc_client::TrainEvent;

use super::json;
use super::state::State;

/// In a pipe, silence ends after this.
const PLAIN_SILENCE: Duration = Duration::from_secs(30);
/// Lines of a pipe need not fit a screen.
const PLAIN_WIDTH: usize = 160;
/// A terminal is drawn at most so often for events.
const REDRAW: Duration = Duration::from_millis(100);

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A terminal of so many columns: the last line is redrawn.
    Terminal {
        /// Columns.
        width: usize,
        /// Whether verbs are bold.
        color: bool,
    },
    /// A pipe or a file: whole lines, now and then.
    Plain,
    /// A program: one JSON object an event.
    Json,
}

/// The place where a training is watched. Call [`Screen::tick`] every second.
#[derive(Debug)]
pub struct Screen<W> {
    state: State,
    mode: Mode,
    out: W,
    drawn: bool,
    last_draw: Option<Duration>,
    last_line: Duration,
}

impl<W: Write> Screen<W> {
    /// A screen on which nothing has happened.
    pub fn new(mode: Mode, out: W) -> Self {
        Self { state: State::new(), mode, out, drawn: false, last_draw: None, last_line: Duration::ZERO }
    }

    /// What is known so far.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// A terminal has so many columns now; else nothing changes.
    pub fn resize(&mut self, columns: usize) {
        if let Mode::Terminal { width, .. } = &mut self.mode {
            *width = columns;
        }
    }

    /// Shows an event; `now` is the time since the start.
    pub fn event(&mut self, event: &TrainEvent, now: Duration) -> io::Result<()> {
        let lines = self.state.apply(event, now);
        if self.mode == Mode::Json {
            writeln!(self.out, "{}", json::line(event))?;
            return self.out.flush();
        }
        let said = !lines.is_empty();
        if said {
            self.lines(&lines, now)?;
        }
        let due = self.last_draw.is_none_or(|last| now.saturating_sub(last) >= REDRAW);
        if said || due { self.draw(now) } else { Ok(()) }
    }

    /// Shows that time passes.
    pub fn tick(&mut self, now: Duration) -> io::Result<()> {
        match self.mode {
            Mode::Json => Ok(()),
            Mode::Terminal { .. } => self.draw(now),
            Mode::Plain if now.saturating_sub(self.last_line) < PLAIN_SILENCE => Ok(()),
            Mode::Plain => match self.state.live(now, PLAIN_WIDTH) {
                Some(line) => self.lines(&[line], now),
                None => Ok(()),
            },
        }
    }

    /// A line that stays, above the one that changes.
    pub fn note(&mut self, text: &str, now: Duration) -> io::Result<()> {
        if self.mode == Mode::Json {
            return Ok(());
        }
        self.erase()?;
        writeln!(self.out, "{text}")?;
        self.last_line = now;
        self.draw(now)?;
        self.out.flush()
    }

    /// Takes the changing line away, so that what follows starts on a clean line.
    pub fn finish(&mut self) -> io::Result<()> {
        self.erase()?;
        self.out.flush()
    }

    /// What was written to, after the last line.
    pub fn into_inner(mut self) -> W
    where
        W: Default,
    {
        // What could not be erased stays: the reader is gone.
        let _ = self.finish();
        std::mem::take(&mut self.out)
    }

    fn lines(&mut self, lines: &[String], now: Duration) -> io::Result<()> {
        self.erase()?;
        for line in lines {
            match self.mode {
                Mode::Terminal { color: true, .. } => writeln!(self.out, "{}", bold_verb(line))?,
                // Lines of a pipe are read without columns.
                Mode::Plain => writeln!(self.out, "{}", line.trim_start())?,
                _ => writeln!(self.out, "{line}")?,
            }
        }
        self.last_line = now;
        self.out.flush()
    }

    fn draw(&mut self, now: Duration) -> io::Result<()> {
        let Mode::Terminal { width, color } = self.mode else { return Ok(()) };
        self.last_draw = Some(now);
        // One column less than there is: a full line would wrap, and could not be taken back.
        let Some(line) = self.state.live(now, width.saturating_sub(1)) else { return self.erase() };
        let line = if color { bold_verb(&line) } else { line };
        write!(self.out, "\r\x1b[2K{line}")?;
        self.drawn = true;
        self.out.flush()
    }

    fn erase(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.drawn) {
            write!(self.out, "\r\x1b[2K")?;
        }
        Ok(())
    }
}

/// The first 12 columns in bold green, as cargo and uv do.
fn bold_verb(line: &str) -> String {
    line.split_at_checked(12).map_or_else(|| line.to_owned(), |(verb, rest)| format!("\x1b[1;32m{verb}\x1b[0m{rest}"))
}
