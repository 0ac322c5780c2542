//! What is missing is a pure function of what is here and what is wanted.

use std::collections::BTreeSet;

use sleap_rtc_wire::manifest::{Chunk, Hash};

/// Indices in `wanted` of the chunks to be sent: each hash once, at its first place, unless `here` has it.
pub fn missing(wanted: &[Chunk], here: impl Fn(&Hash) -> bool) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let first = |(_, chunk): &(usize, &Chunk)| !here(&chunk.hash) && seen.insert(chunk.hash);
    wanted.iter().enumerate().filter(first).map(|(index, _)| index).collect()
}
