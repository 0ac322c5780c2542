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
