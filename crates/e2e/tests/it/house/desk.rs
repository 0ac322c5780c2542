//! A place of work: a home with its own installation, a folder, an environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::binary::sleap_rtc;
use super::example;
use super::program::{Ended, Program};

/// A place of work.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    folder: PathBuf,
    environment: Vec<(String, String)>,
    /// Goes before the program, such as `unshare`.
    before: Vec<String>,
}

impl Desk {
    pub(super) fn new(folder: PathBuf, environment: Vec<(String, String)>) -> Self {
        fs::create_dir_all(&folder).expect("a folder");
        Self { folder, environment, before: Vec::new() }
    }

    /// Its folder, in which every command runs.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// The same place with another value in the environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same place, its commands run by another program.
    pub(crate) fn by(mut self, before: &[&str]) -> Self {
        self.before = before.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Copies example files here.
    pub(crate) fn bring(&self, names: &[&str]) {
        for name in names {
            fs::copy(example(name), self.folder.join(name)).expect(name);
        }
    }

    /// `sleap-rtc` with these arguments, with nothing of whoever runs the tests in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let program = sleap_rtc();
        let mut words = self.before.iter().map(String::as_str).chain([program.to_str().expect("a path of text")]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).args(arguments).current_dir(&self.folder);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.folder).env("SLEAP_RTC_HOME", self.folder.join("settings"));
        command.env("SLEAP_RTC_LOG", std::env::var("SLEAP_RTC_E2E_LOG").unwrap_or("warn".into()));
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Starts it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Program {
        let name =
            format!("{}$ sleap-rtc {}", self.folder.file_name().unwrap_or_default().display(), arguments.join(" "));
        Program::start(name, self.command(arguments))
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }
}
