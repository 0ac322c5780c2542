//! A run of the trainer's program that answers and ends: `--version`, `config`.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::environment;
use super::output::{Lines, Tail};
use crate::sys::process::Group;

/// What it said and how it ended.
pub(super) struct Answer {
    pub(super) status: ExitStatus,
    /// The last 64 KiB.
    pub(super) out: Tail,
    /// The last 64 KiB.
    pub(super) err: Tail,
}

/// Runs the program in `dir` to its end, in a process group that dies with the future.
///
/// # Errors
/// It cannot be started, or takes longer than `limit`.
pub(super) async fn run(program: &Path, argv: &[String], dir: &Path, limit: Duration) -> io::Result<Answer> {
    let group = Group::new()?;
    let mut command = Command::new(program);
    environment::apply(&mut command);
    command.args(argv).current_dir(dir).env("CUDA_VISIBLE_DEVICES", "");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    group.admit(&mut command);
    let mut child = command.spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let all = async { tokio::join!(child.wait(), tail(out), tail(err)) };
    let done = tokio::time::timeout(limit, all).await;
    group.close().await;
    let (status, out, err) = done.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} seconds", limit.as_secs()))
    })?;
    Ok(Answer { status: status?, out: out?, err: err? })
}

async fn tail(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Tail> {
    let (mut lines, mut tail) = (Lines::default(), Tail::default());
    let Some(mut stream) = stream else { return Ok(tail) };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            lines.finish().into_iter().for_each(|line| tail.push(&line));
            return Ok(tail);
        }
        lines.feed(&buffer[..read]).iter().for_each(|line| tail.push(line));
    }
}
