//! A program on a pseudo-terminal: the Python command line asks questions and, through a pipe, hangs in them.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::house::{leftovers, until};

/// A program in a process group of its own. Dropping it kills the group, and whatever else runs in its folder; if the test fails,
/// what it has shown is printed.
pub(crate) struct Screen {
    name: String,
    folder: PathBuf,
    child: Child,
    keyboard: File,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Screen {
    /// Starts it. `folder` is its home: what else runs there ends with it.
    pub(crate) fn start(name: String, folder: PathBuf, mut command: Command) -> Self {
        let (ours, theirs) = pair();
        let theirs = File::from(theirs);
        let copy = || theirs.try_clone().expect("a copy");
        command.stdin(copy()).stdout(copy()).stderr(copy()).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        drop((theirs, command));
        let keyboard = File::from(ours);
        let shown = Arc::<Mutex<Vec<u8>>>::default();
        let reader = read(keyboard.try_clone().expect("a copy"), shown.clone());
        Self { name, folder, child, keyboard, shown, reader: Some(reader) }
    }

    /// Everything it has shown, without what only moves the cursor or colours.
    pub(crate) fn text(&self) -> String {
        plain(&String::from_utf8_lossy(&self.shown.lock().expect("the screen")))
    }

    /// Waits until it has shown this; gives all that it has shown.
    pub(crate) fn shows(&self, words: &str) -> String {
        self.shows_since(0, words)
    }

    /// The same, where only what comes after so many bytes of [`Self::text`] counts.
    pub(crate) fn shows_since(&self, start: usize, words: &str) -> String {
        let seen = |text: &str| text.get(start..).is_some_and(|text| text.contains(words));
        let found = until(&format!("`{}` shows {words:?}", self.name), || {
            let running = self.is_running();
            let text = self.text();
            (seen(&text) || !running).then_some(text)
        });
        // What it showed last may not be read yet when it has just ended.
        let found = if seen(&found) { found } else { self.all_of_ended() };
        assert!(seen(&found), "`{}` has ended and never shown {words:?}:\n{found}", self.name);
        found
    }

    fn all_of_ended(&self) -> String {
        until("the rest is read", || self.reader.as_ref().is_none_or(JoinHandle::is_finished).then_some(()));
        self.text()
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&self) -> bool {
        leftovers::is_alive(self.child.id())
    }

    /// Sends a signal to it alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a process that runs");
    }

    /// Waits for its end: the exit code (minus the number of a signal), and all that it has shown.
    pub(crate) fn end(mut self) -> (i32, String) {
        let status = until(&format!("`{}` ends", self.name), || self.child.try_wait().expect("it can be asked"));
        let code = status.code().or(status.signal().map(|signal| -signal)).expect("a code or a signal");
        (code, self.all_of_ended())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.text();
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("--- {}\n{}\n", self.name, lines[lines.len().saturating_sub(80)..].join("\n"));
        }
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            // It may be ending in this very moment.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
        // A Python worker starts its trainer in a session of its own and forgets it.
        for left in leftovers::processes(&self.folder) {
            if let Some(pid) = i32::try_from(left.pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// Both ends of a new pseudo-terminal, 50 × 200.
fn pair() -> (OwnedFd, OwnedFd) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("a terminal");
    tcsetwinsize(&ours, Winsize { ws_row: 50, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
    let name = ptsname(&ours, Vec::new()).expect("its name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).expect("the other end");
    (ours, theirs)
}

/// Until the last program that holds the other end is gone, which reads as an error.
fn read(mut from: File, shown: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            shown.lock().expect("the screen").extend_from_slice(&buffer[..count]);
        }
    })
}

/// Without escape sequences and carriage returns.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        match char {
            '\r' => {}
            '\u{1b}' => match rest.next() {
                Some('[') => drop(rest.by_ref().find(|char| ('@'..='~').contains(char))),
                Some(']') => drop(rest.by_ref().find(|char| *char == '\u{7}')),
                _ => {}
            },
            _ => plain.push(char),
        }
    }
    plain
}
