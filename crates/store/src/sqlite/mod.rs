//! One `SQLite` file: the embedded store.
//!
//! All writes go through one thread that takes every waiting batch into one transaction, so that a disk flush is shared
//! (group commit); all reads through another, which sees what is committed. The file is in WAL mode with
//! `synchronous=FULL`: what is confirmed survives a power cut.

mod accounts;
mod adapter;
mod open;
mod rows;
mod schema;
mod writer;

pub use adapter::Sqlite;
