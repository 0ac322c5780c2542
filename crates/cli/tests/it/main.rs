//! The words that the user sees.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod accounts;
mod commands;
mod doctor;
mod errors;
mod help;
mod jobs;
mod login;
mod people;
mod progress;
mod room;
mod rooms;
mod roster;
mod sandbox;
mod security;
mod server;
mod stand_in;
mod text;
mod train;
mod waiting;
