//! Process groups are there on Linux and macOS only, and so is the worker.

use std::io;
use std::process::ExitStatus;

use tokio::process::Command;

/// A process group; never made here.
pub(crate) struct Group(std::convert::Infallible);

impl Group {
    /// Refused.
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a worker runs on Linux and macOS only"))
    }

    pub(crate) fn admit(&self, _: &mut Command) {
        match self.0 {}
    }

    pub(crate) fn terminate(&self) {
        match self.0 {}
    }

    pub(crate) fn kill(&self) {
        match self.0 {}
    }

    pub(crate) async fn close(self) {
        match self.0 {}
    }
}

/// No signals here.
pub(crate) fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}
