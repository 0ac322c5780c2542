//! A process of the program, what it says, and how it ends.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use sleap_rtc_cli::exit::Exit;

use super::wait::while_it_goes_on;

type Lines = Arc<Mutex<Vec<String>>>;

/// A process in a group of its own. Dropping it kills the group; if the test fails, what it has said is printed.
pub(crate) struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    out: Lines,
    err: Lines,
    readers: Vec<JoinHandle<()>>,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    name: String,
    /// The exit code; minus the signal's number if a signal ended it.
    pub(crate) code: i32,
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
}

/// An error in three parts, as a person reads it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hints: Vec<String>,
    /// All of it.
    pub(crate) text: String,
}

/// How many lines there are so far.
fn lines_of(streams: [&Lines; 2]) -> usize {
    streams.into_iter().map(|lines| lines.lock().expect("the lines").len()).sum()
}

impl Program {
    pub(crate) fn start(name: String, mut command: Command) -> Self {
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (out, err) = (Lines::default(), Lines::default());
        let readers = vec![
            read(child.stdout.take().expect("a pipe"), out.clone()),
            read(child.stderr.take().expect("a pipe"), err.clone()),
        ];
        Self { name, stdin: child.stdin.take(), child, out, err, readers }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Every event so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.out.lock().expect("the lines"))
    }

    /// Everything that it has said.
    pub(crate) fn said(&self) -> String {
        [&self.out, &self.err].map(|lines| lines.lock().expect("the lines").join("\n")).join("\n")
    }

    /// Waits for the first event with this name.
    pub(crate) fn event(&self, name: &str) -> Value {
        self.until(name, |event| event["event"] == name)
    }

    /// Waits for an event.
    pub(crate) fn until(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait(what, || self.events().into_iter().find(|event| fits(event)))
    }

    /// Waits for a line of standard error that has this in it.
    pub(crate) fn says(&self, words: &str) -> String {
        self.wait(words, || self.err.lock().expect("the lines").iter().find(|line| line.contains(words)).cloned())
    }

    /// Waits for something that only a running program can do, for as long as it goes on saying anything.
    pub(crate) fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let said = || lines_of([&self.out, &self.err]);
        let found = while_it_goes_on(&format!("`{}` says {what}", self.name), said, || {
            let running = self.is_running();
            let found = look();
            // What it said last may not be read yet when it has just ended: then look once more.
            (found.is_some() || (!running && self.readers.iter().all(JoinHandle::is_finished))).then_some(found)
        });
        found.or_else(look).unwrap_or_else(|| panic!("`{}` has ended and never said {what}", self.name))
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&self) -> bool {
        super::leftovers::is_alive(self.id())
    }

    /// Sends a signal to it alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a process that runs");
    }

    /// As a power cut.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("it ends");
    }

    /// Writes a line to its input.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("an open input");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("it reads");
    }

    /// Closes its input, which ends a program with `--until-eof`.
    pub(crate) fn close_input(&mut self) {
        drop(self.stdin.take());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let said = || lines_of([&self.out, &self.err]);
        let ended = || self.child.try_wait().expect("it can be asked");
        let status = while_it_goes_on(&format!("`{}` ends", self.name), said, ended);
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader");
        }
        let code = status.code().or(status.signal().map(|signal| -signal)).expect("a code or a signal");
        let taken = |lines: &Lines| lines.lock().expect("the lines").clone();
        Ended { name: self.name.clone(), code, out: taken(&self.out), err: taken(&self.err) }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (out, err) = (self.out.lock(), self.err.lock());
            if let (Ok(out), Ok(err)) = (out, err) {
                eprintln!("--- {}\n{}\n---\n{}\n", self.name, tail(&out), tail(&err));
            }
        }
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            // It may be ending in this very moment.
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

impl Ended {
    /// It must have done what it was asked for.
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    /// It must have failed in this way, in three parts.
    pub(crate) fn fails(&self, exit: Exit) -> Fault {
        assert_eq!(self.code, i32::from(exit.number()), "{self}");
        // With `--json` as well: the words are for people, the event for programs.
        let parts = |label: &str| -> Vec<String> {
            self.err.iter().filter_map(|line| line.strip_prefix(label)).map(|part| part.trim().to_owned()).collect()
        };
        let (errors, causes, hints) = (parts("error:"), parts("cause:"), parts("hint:"));
        assert_eq!(errors.len(), 1, "one error: {self}");
        assert!(!causes.is_empty() && !hints.is_empty(), "a cause and a hint: {self}");
        Fault { error: errors[0].clone(), causes, hints, text: self.err.join("\n") }
    }

    /// Its events; with `--json` every line is one.
    pub(crate) fn events(&self) -> Vec<Value> {
        for line in &self.out {
            assert!(serde_json::from_str::<Value>(line).is_ok_and(|event| event["event"].is_string()), "{line}");
        }
        events(&self.out)
    }

    /// The first event with this name.
    pub(crate) fn event(&self, name: &str) -> Value {
        let found = self.events().into_iter().find(|event| event["event"] == name);
        found.unwrap_or_else(|| panic!("no event {name}: {self}"))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ended with {}\n{}\n---\n{}", self.name, self.code, tail(&self.out), tail(&self.err))
    }
}

fn events(lines: &[String]) -> Vec<Value> {
    lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn tail(lines: &[String]) -> String {
    lines[lines.len().saturating_sub(60)..].join("\n")
}

fn read(from: impl Read + Send + 'static, lines: Lines) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            lines.lock().expect("the lines").push(line);
        }
    })
}
