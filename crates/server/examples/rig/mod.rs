//! What the load programs share: processes of their own for server and yardsticks, a room, sockets.

pub(crate) mod children;
pub(crate) mod forwarder;
pub(crate) mod process;
pub(crate) mod room;
pub(crate) mod socket;
mod sys;

/// A load program ends with the first thing that goes wrong.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
