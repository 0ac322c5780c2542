//! A process group that dies with the worker.
//!
//! The group's leader is a guard, a shell that does nothing but read from a pipe whose other end the worker holds. However
//! the worker ends, `kill -9` included, the pipe closes and the guard kills its own group. The programs join the group as
//! they start (`setpgid` before `exec`), so there is no moment in which they are unguarded. `PR_SET_PDEATHSIG` would reach
//! only the direct child, and fires when the *thread* that forked ends, which in a thread pool is not the worker's end.
//!
//! The guard is reaped last, so the group's number cannot be another's while we signal it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// Constant text: nothing of a job ever reaches a shell. SIGTERM to the group must not take the guard away.
const GUARD: &str = "trap '' TERM INT HUP QUIT; while read -r _; do :; done; kill -s KILL 0";

/// A process group. Dropping it kills all that is in it.
pub(crate) struct Group {
    guard: Child,
    id: Pid,
    reaped: bool,
}

impl Group {
    /// An empty group.
    pub(crate) fn new() -> io::Result<Self> {
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", GUARD]).env_clear().current_dir("/");
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let guard = guard.spawn()?;
        let id = guard.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let id = id.ok_or_else(|| io::Error::other("the guard of a process group has no id"))?;
        Ok(Self { guard, id, reaped: false })
    }

    /// Makes the command's process a member.
    pub(crate) fn admit(&self, command: &mut Command) {
        command.process_group(self.id.as_raw_nonzero().get());
    }

    /// Asks every member to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends every member at once, the guard included.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Ends every member and waits for the guard to be gone.
    pub(crate) async fn close(mut self) {
        self.kill();
        if let Err(error) = self.guard.wait().await {
            tracing::warn!(%error, "cannot wait for the guard of a process group");
        }
        self.reaped = true;
    }

    fn signal(&self, signal: Signal) {
        if let Err(error) = kill_process_group(self.id, signal) {
            tracing::debug!(%error, group = self.id.as_raw_nonzero().get(), "cannot signal a process group");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
        }
    }
}

/// The signal that ended a process.
pub(crate) fn signal_of(status: ExitStatus) -> Option<i32> {
    status.signal()
}
