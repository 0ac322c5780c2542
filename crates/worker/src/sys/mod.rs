//! What only the operating system can do. Nothing else in this crate is specific to one.

pub(crate) mod host;
#[cfg(unix)]
#[path = "process_unix.rs"]
pub(crate) mod process;
#[cfg(not(unix))]
#[path = "process_other.rs"]
pub(crate) mod process;
