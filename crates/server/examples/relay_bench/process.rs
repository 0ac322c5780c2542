//! The measured processes.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Error;

/// A child that says its address in its first line.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    pid: u32,
}

/// Runs a child's part.
pub(crate) fn on_one_thread(part: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(part)
}

impl Process {
    pub(crate) async fn start(part: &str) -> Result<Self, Error> {
        let mut child =
            Command::new(std::env::current_exe()?).arg(part).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?.ok_or("the child said nothing")?;
        let pid = child.id().ok_or("the child has gone")?;
        Ok(Self { address: line.parse()?, child, pid })
    }

    pub(crate) fn resident_kb(&self) -> Result<f64, Error> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.split_whitespace().next().ok_or("no number")?.parse()?)
    }

    /// In user and system mode; the kernel counts in hundredths.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Error> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let after_name = stat.rsplit(')').next().ok_or("no name")?;
        let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
        Ok(ticks / 100.0)
    }

    pub(crate) async fn stop(&mut self) -> Result<(), Error> {
        Ok(self.child.kill().await?)
    }
}
