//! The trainer module: configurations, command lines, output, progress, verdicts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
mod config;
mod output;
mod progress;
mod verdict;
mod version;
mod yaml;
