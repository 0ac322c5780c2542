//! Logins, accounts and their keys.

use super::Row;

/// One row a line.
#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    vec![]
}
