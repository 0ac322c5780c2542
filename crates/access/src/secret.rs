//! Comparing secrets without telling by the time it takes how much of a guess was right.

use std::hint::black_box;

/// Whether two secrets are equal. Only their lengths show in the time it takes.
pub(crate) fn same_secret(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let difference = a.iter().zip(b).fold(0_u8, |difference, (a, b)| black_box(difference | (a ^ b)));
    black_box(difference) == 0
}
