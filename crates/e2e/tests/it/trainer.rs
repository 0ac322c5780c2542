//! The worker's trainer module against the stand-in, and against the real `sleap-nn` where there is one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ends;
mod real;
mod runs;
mod support;
