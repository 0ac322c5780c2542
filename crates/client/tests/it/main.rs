//! The client's tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

mod local;
mod slp;
mod train;
mod words;

/// A file of `tests/data`, or of the examples that we ship.
fn data(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = here.join("tests/data").join(name);
    if own.exists() { own } else { here.join("../../examples").join(name) }
}
