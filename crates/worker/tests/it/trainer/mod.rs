//! The trainer module: configurations, command lines, output, progress, verdicts.

mod command;
mod config;
mod find;
mod output;
mod progress;
mod verdict;
mod yaml;
