//! What the trainer prints: bytes to lines, and the words in them that mean something. Pure.

use std::collections::VecDeque;

/// A longer line is cut, in bytes. The trainer's own are below 1 KiB; a dump of an array may be anything.
pub const MAX_LINE: usize = 16 * 1024;

/// How much of the end of standard error is kept for the cause of a failure, in bytes.
pub const TAIL: usize = 64 * 1024;

/// Bytes of one stream to clean lines.
///
/// Split at `\n`; of what `\r` overwrites only the newest piece is kept (progress bars). ANSI sequences are removed, bytes
/// that are not UTF-8 replaced.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    returned: bool,
    escape: Escape,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    /// After ESC.
    Start,
    /// In a control sequence: up to a byte from `@` to `~`.
    Control,
    /// In an operating system command: up to BEL or ESC `\`.
    Command,
}

impl Lines {
    /// The lines that these bytes complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            if self.escaped(byte) {
                continue;
            }
            match byte {
                b'\n' => {
                    self.returned = false;
                    lines.push(self.take());
                }
                b'\r' => self.returned = true,
                0x1b => self.escape = Escape::Start,
                _ => {
                    if std::mem::take(&mut self.returned) {
                        self.line.clear();
                    }
                    if self.line.len() < MAX_LINE && (byte >= b' ' || byte == b'\t') {
                        self.line.push(byte);
                    }
                }
            }
        }
        lines
    }

    /// What is left when the stream ends.
    pub fn finish(&mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
        self.line.clear();
        line
    }

    /// Whether the byte belongs to an escape sequence.
    fn escaped(&mut self, byte: u8) -> bool {
        self.escape = match (self.escape, byte) {
            (Escape::None, _) => return false,
            (Escape::Start, b'[') => Escape::Control,
            (Escape::Start, b']') => Escape::Command,
            (Escape::Control, b'@'..=b'~') | (Escape::Command, 0x07) | (Escape::Start, _) => Escape::None,
            (Escape::Command, 0x1b) => Escape::Start,
            // A line end inside a sequence: the sequence was none.
            (_, b'\n') => {
                self.escape = Escape::None;
                return false;
            }
            (state, _) => state,
        };
        true
    }
}

/// The last lines of a stream, at most [`TAIL`] bytes.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    /// Adds a line and forgets the oldest beyond the limit.
    pub fn push(&mut self, line: &str) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.bytes > TAIL {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len() + 1;
        }
    }

    /// All lines that are kept, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The last `count` lines.
    pub fn last(&self, count: usize) -> String {
        let skip = self.lines.len().saturating_sub(count);
        self.lines.iter().skip(skip).map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The line that says why a Python program failed: the last unindented `some.Module: text`; else the last such line of
    /// another kind (`Error: text`).
    pub fn error(&self) -> Option<String> {
        let found = |strong: bool| self.lines.iter().rev().find(|line| is_error(line, strong)).cloned();
        found(true).or_else(|| found(false)).map(|line| line.chars().take(1000).collect())
    }
}

fn is_error(line: &str, strong: bool) -> bool {
    let Some((class, text)) = line.split_once(": ") else {
        // `KeyboardInterrupt` and an exception without a text stand alone.
        return strong && is_exception(line.trim_end_matches(':'));
    };
    let name = !class.is_empty() && class.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    name && !text.is_empty() && if strong { is_exception(class) } else { class.starts_with(char::is_uppercase) }
}

/// `FileNotFoundError`, `omegaconf.errors.ConfigKeyError`, `torch.OutOfMemoryError`, `yaml.scanner.ScannerError`.
fn is_exception(class: &str) -> bool {
    let last = class.rsplit('.').next().unwrap_or(class);
    let ends = ["Error", "Exception", "Interrupt", "Exit", "Abort", "Timeout"].iter().any(|end| last.ends_with(end));
    let path = class.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    path && last.starts_with(char::is_uppercase) && (ends || (class.contains('.') && !class.ends_with('.')))
}

/// A line of standard output that means something to the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The folder in which the model really appears.
    ModelDir(String),
    /// What it really computes on: `cpu`, `cuda:0`, …
    Accelerator(String),
    /// It has obeyed `stop`.
    StopReceived,
    /// The training is complete or was stopped; not printed after a signal.
    Finished,
    /// `sleap-nn config` has written a file.
    SavedConfig(String),
}

/// Looks for the words that the trainer is known to print.
pub fn sign(line: &str) -> Option<Sign> {
    // "Saved config to: X", "Saved centroid config to: X", "Saved instance config to: X"
    if let Some((kind, path)) = line.split_once(" config to: ")
        && kind.starts_with("Saved")
    {
        return Some(Sign::SavedConfig(path.trim().to_owned()));
    }
    // `YYYY-MM-DD HH:MM:SS | text`
    let (_, text) = line.split_once(" | ")?;
    let between =
        |start: &str, end: &str| text.strip_prefix(start)?.split_once(end).map(|(middle, _)| middle.to_owned());
    if let Some(dir) = between("Setting up model ckpt dir: `", "`") {
        return Some(Sign::ModelDir(dir));
    }
    if let Some(device) = between("Training on ", " accelerator") {
        return Some(Sign::Accelerator(device));
    }
    if text.starts_with("Received control message: ") && text.contains("stop") {
        return Some(Sign::StopReceived);
    }
    text.starts_with("Finished training at: ").then_some(Sign::Finished)
}
