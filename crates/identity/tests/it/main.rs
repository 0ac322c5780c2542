//! Signing in, being recognised, being forgotten.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod conformance;
mod key;
mod key_file;
mod rig;
mod token;
