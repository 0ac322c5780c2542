//! The store, adapter by adapter.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod file;
mod kill;
mod records;
