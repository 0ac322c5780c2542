//! How much room a file system has.

use std::path::Path;

/// Free bytes for an ordinary user; `None` if that cannot be said.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) fn free(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Not known here yet: the disk itself says when it is full.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn free(_folder: &Path) -> Option<u64> {
    None
}
