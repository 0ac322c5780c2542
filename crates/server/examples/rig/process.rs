//! The measured processes.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{Error, sys};

/// A child that says its address in a line of its own. Dropping it kills it.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    pid: u32,
}

impl Process {
    /// Starts this program anew with these arguments.
    pub(crate) async fn start<A: AsRef<OsStr>>(arguments: &[A]) -> Result<Self, Error> {
        Self::with_environment(arguments, &[]).await
    }

    /// The same with more in its environment.
    pub(crate) async fn with_environment<A: AsRef<OsStr>>(
        arguments: &[A],
        environment: &[(&str, &OsStr)],
    ) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).envs(environment.iter().copied()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let pid = child.id().ok_or("the child has gone")?;
        loop {
            let line = lines.next_line().await?.ok_or("the child did not say its address")?;
            if let Ok(address) = line.parse() {
                return Ok(Self { address, child, pid });
            }
        }
    }

    pub(crate) fn resident_kb(&self) -> Result<f64, Error> {
        sys::resident_kb(self.pid)
    }

    pub(crate) fn cpu_seconds(&self) -> Result<f64, Error> {
        sys::cpu_seconds(self.pid)
    }

    /// Kills it without a word, and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Result<(), Error> {
        Ok(self.child.kill().await?)
    }
}
