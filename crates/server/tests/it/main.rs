//! The server over real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod admin;
mod claims;
mod clean_up;
mod connections;
mod cors;
mod delete;
mod faults;
mod http;
mod lifecycle;
mod lifetimes;
mod listing;
mod original;
mod race;
mod rig;
mod rooms;
mod sign_in;
mod signaling;
mod who_may;
