//! What differs between operating systems.

use std::io;
use std::path::Path;

/// Free and total bytes of the file system of a folder, as an ordinary user sees them.
#[cfg(unix)]
pub(crate) fn disk(folder: &Path) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}

/// Not known here yet.
#[cfg(not(unix))]
pub(crate) fn disk(_folder: &Path) -> io::Result<(u64, u64)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Puts a program that is about to be started into a process group of its own, so that Ctrl-C reaches only us.
#[cfg(unix)]
pub(crate) fn own_group(command: &mut tokio::process::Command) {
    command.process_group(0);
}

/// Windows has no such groups.
#[cfg(not(unix))]
pub(crate) fn own_group(_command: &mut tokio::process::Command) {}

/// Whether a file may be executed.
#[cfg(unix)]
pub(crate) fn executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Whether there is such a file: Windows knows programs by their names.
#[cfg(not(unix))]
pub(crate) fn executable(path: &Path) -> bool {
    path.is_file()
}

/// Completes when the program is asked to end from outside: SIGTERM, or the terminal is gone.
#[cfg(unix)]
pub(crate) async fn terminated() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = term.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// Completes when the console window is closed.
#[cfg(windows)]
pub(crate) async fn terminated() -> io::Result<()> {
    tokio::signal::windows::ctrl_close()?.recv().await;
    Ok(())
}

/// Asks a program that we have started to end: as Ctrl-C does, or by SIGTERM.
#[cfg(unix)]
pub(crate) fn end(child: &mut tokio::process::Child, as_ctrl_c: bool) -> io::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // Without an id it has ended.
    let signal = if as_ctrl_c { Signal::INT } else { Signal::TERM };
    pid.map_or(Ok(()), |pid| Ok(kill_process(pid, signal)?))
}

/// Elsewhere a program cannot be asked.
#[cfg(not(unix))]
pub(crate) fn end(child: &mut tokio::process::Child, _as_ctrl_c: bool) -> io::Result<()> {
    child.start_kill()
}

/// How a program ended, as a shell writes it: its exit code, or 128 and the number of the signal that ended it.
#[cfg(unix)]
pub(crate) fn exit_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// How a program ended: its exit code, as far as it fits.
#[cfg(not(unix))]
pub(crate) fn exit_code(status: std::process::ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
