//! What is written is read back, whatever the names and texts; what a stranger sends is refused and never a panic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any;
mod decode;
mod filters;
mod frames;
mod ids;
mod metadata;
mod peers;
mod secrets;
