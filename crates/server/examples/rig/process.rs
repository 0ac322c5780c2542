//! The measured processes.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{Error, sys};

/// A child that says its address in its first line. Dropping it kills it.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    pid: u32,
}

impl Process {
    /// Starts this program anew with these arguments.
    pub(crate) async fn start<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args(arguments).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?.ok_or("the child said nothing")?;
        let pid = child.id().ok_or("the child has gone")?;
        Ok(Self { address: line.parse()?, child, pid })
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
