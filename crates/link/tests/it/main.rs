//! One suite for every implementation of the port, and what only one of them has.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod conformance;
mod foreign;
mod ice;
mod memory;
mod rig;
mod webrtc;
mod wire;
