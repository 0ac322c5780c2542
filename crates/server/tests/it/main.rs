//! The server over real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod account_rooms;
mod accounts;
mod admin;
mod authorized_keys;
mod claims;
mod clean_up;
mod connections;
mod cors;
mod delete;
mod faults;
mod frames;
mod github;
mod hazards;
mod http;
mod identity_faults;
mod invites;
mod keys;
mod lifecycle;
mod lifetimes;
mod limits;
mod listing;
mod login;
mod matrix;
mod members;
mod original;
mod race;
mod registration;
mod relay;
mod rig;
mod rooms;
mod secrets;
mod sessions;
mod sign_in;
mod signaling;
mod stun;
mod tls;
mod tokens;
mod who_may;
