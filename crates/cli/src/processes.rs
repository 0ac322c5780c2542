//! Processes of this same program that must not outlive this one.
//!
//! Each has a pipe for standard input and runs with `--until-eof`: when this process ends, however it ends, the pipe closes
//! and the other ends by itself, cleaning up what it has started. Dropping a [`Process`] kills it at once.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::sys;

/// How long a process may take to end by itself. A worker gives its trainer 10 s.
const GRACE: Duration = Duration::from_secs(15);

/// A process of this program, with `--json --until-eof`.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says beside its events goes into the file `log`.
    pub(crate) fn start(
        name: &'static str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        environment: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
        log: &Path,
    ) -> CliResult<Self> {
        let failed = |error: &std::io::Error| CliError::internal(format!("cannot start the {name}")).because(error);
        let file = File::create(log).map_err(|error| {
            CliError::new(Exit::LocalDisk, format!("cannot write {}", log.display())).because(&error)
        })?;
        let mut command = program()?;
        command.args(arguments).args(["--json", "--until-eof"]).envs(environment);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        sys::own_group(&mut command);
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| CliError::internal("a pipe is missing"))?;
        Ok(Self { name, child, stdin, lines: BufReader::new(stdout).lines(), log: log.to_owned() })
    }

    /// Reads its events until one is called `event`. Cancel-safe.
    pub(crate) async fn event(&mut self, event: &str) -> CliResult<Value> {
        while let Ok(Some(line)) = self.lines.next_line().await {
            let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
            match value["event"].as_str() {
                Some(name) if name == event => return Ok(value),
                Some("error") => return Err(self.told(&value)),
                _ => {}
            }
        }
        Err(self.ended())
    }

    /// Reads on and throws away, so that the process never waits for us. Ends with the process.
    pub(crate) async fn drain(&mut self) -> CliError {
        while let Ok(Some(line)) = self.lines.next_line().await {
            if let Ok(value) = serde_json::from_str::<Value>(&line)
                && value["event"] == "error"
            {
                return self.told(&value);
            }
        }
        self.ended()
    }

    /// The error that the process told.
    fn told(&self, value: &Value) -> CliError {
        let number = value["exit"].as_u64();
        let exit = Exit::ALL.into_iter().find(|exit| Some(u64::from(exit.number())) == number);
        let mut error = CliError::new(exit.unwrap_or(Exit::Internal), format!("the {} has ended", self.name))
            .cause(value["error"].as_str().unwrap_or_default());
        for cause in value["causes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            error = error.cause(cause);
        }
        for hint in value["hints"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            error = error.hint(hint);
        }
        error
    }

    fn ended(&self) -> CliError {
        CliError::internal(format!("the {} has ended", self.name)).hint(format!("its log is {}", self.log.display()))
    }

    /// Asks it to end, waits, and kills it if it does not.
    pub(crate) async fn shut_down(mut self) {
        drop(self.stdin.take());
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            tracing::warn!(name = self.name, "killed: it did not end by itself");
            // If it has ended in this very moment, that is what was wanted.
            let _ = self.child.kill().await;
        }
    }
}

/// A command that runs this program again.
pub(crate) fn program() -> CliResult<Command> {
    let path =
        std::env::current_exe().map_err(|error| CliError::internal("cannot find my own program").because(&error))?;
    Ok(Command::new(path))
}

/// Runs this program in the foreground, on the same terminal, in a process group of its own: Ctrl-C reaches only us. Add
/// `--until-eof`: then it does not outlive us either.
pub(crate) async fn in_foreground(command: &mut Command) -> CliResult<ExitStatus> {
    let failed = |error: std::io::Error| CliError::internal("cannot start").because(&error);
    sys::own_group(command);
    command.stdin(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    // Held until it has ended: waiting would close it.
    let input = child.stdin.take();
    let status = child.wait().await.map_err(failed);
    drop(input);
    status
}
