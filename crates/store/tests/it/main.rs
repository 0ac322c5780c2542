//! The store, adapter by adapter.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod adapters;
mod conformance;
mod file;
mod keys;
mod kill;
mod migrations;
mod records;
