//! The whole system over real sockets and real processes, and checks on the repository itself.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bad_input;
mod demo;
mod house;
mod main_job;
mod original_path;
mod race;
mod real;
mod secrets;
mod survives;
mod tidy;
mod trainer;
