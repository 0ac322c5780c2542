//! A home of somebody with the Python programs, or of a machine with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Screen;
use super::steps::PairFault;
use crate::house::{Ended, Program};

/// A home, its environment, and the Python whose programs run in it.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(super) folder: PathBuf,
    pub(super) peers: PathBuf,
    pub(super) python: PathBuf,
    pub(super) environment: Vec<(String, String)>,
}

impl Home {
    /// Its folder of data, the only one that a worker here shows.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The path of something there, as text.
    pub(crate) fn at(&self, name: &str) -> String {
        self.data().join(name).display().to_string()
    }

    /// What is saved of who is logged in here.
    pub(crate) fn credentials(&self) -> Value {
        let text = fs::read_to_string(self.folder.join(".sleap-rtc/credentials.json")).expect("credentials");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The same home with another value in the environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same home where programs of this folder are found first.
    pub(crate) fn finding_first(self, folder: &Path) -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        self.with("PATH", &format!("{}:{path}", folder.display()))
    }

    /// The wheel's own command line, on a terminal.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Screen {
        let program = self.python.with_file_name("sleap-rtc");
        let name = format!("{}$ (python) sleap-rtc {}", self.name(), arguments.join(" "));
        Screen::start(name, self.folder.clone(), self.command(&program, arguments))
    }

    /// The same to its end, which must be good: all that it has shown.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let (code, text) = self.cli(arguments).end();
        assert_eq!(code, 0, "{arguments:?}\n{text}");
        text
    }

    /// One of the programs in `peers/`, on pipes.
    pub(crate) fn start(&self, script: &str, arguments: &[&str]) -> Program {
        let path = self.peers.join(script).display().to_string();
        let words: Vec<&str> = [path.as_str()].into_iter().chain(arguments.iter().copied()).collect();
        let name = format!("{}$ python {script} {}", self.name(), arguments.join(" "));
        Program::start(name, self.command(&self.python, &words))
    }

    fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().display().to_string()
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.data()).env_clear();
        command.envs(self.environment.iter().cloned());
        command
    }
}

/// How a program of `peers/` ended: well, or by a fault of the pair. Anything else is ours.
pub(crate) fn ended(program: Program) -> Result<Ended, PairFault> {
    let ended = program.end();
    if ended.code == 0 {
        return Ok(ended);
    }
    Err(PairFault::of(&ended.out.join("\n")).unwrap_or_else(|| panic!("{ended}")))
}
