//! The server over real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod account_rooms;
mod admin;
mod authorized_keys;
mod claims;
mod clean_up;
mod connections;
mod cors;
mod delete;
mod faults;
mod http;
mod invites;
mod lifecycle;
mod lifetimes;
mod limits;
mod listing;
mod members;
mod matrix;
mod original;
mod race;
mod relay;
mod rig;
mod rooms;
mod sign_in;
mod signaling;
mod stun;
mod tls;
mod tokens;
mod sessions;
mod who_may;
