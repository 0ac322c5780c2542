//! Proof over real sockets and real processes: what the tests in `tests/it` need.

pub mod standin;
mod sys;
