//! Rooms of accounts: members, invites, workers' tokens.

use super::Row;

/// One row a line.
#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    vec![]
}
