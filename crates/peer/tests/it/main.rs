//! Files, settings, calls and pools, with a real server in this process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod encrypted;
mod home;
mod line;
mod pools;
mod rig;
mod settings;
mod wire;
