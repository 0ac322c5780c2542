//! Whether the random steps reach what the invariants are about.

use std::collections::BTreeMap;

/// How often a premise of an invariant occurred.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(BTreeMap<&'static str, usize>);

impl Seen {
    pub(crate) fn saw(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    pub(crate) fn list(&self) -> Vec<(&'static str, usize)> {
        let premises = [
            "grant",
            "used",
            "freed",
            "lease ended",
            "released",
            "lost",
            "refused",
            "taken over",
            "superseded",
            "restart",
            "store failed",
            "shown busy",
            "shown reserved",
            "conflict",
            "waiting",
            "served",
            "withdrawn",
            "left",
            "recovering",
            "behind others",
            "silent",
            "held",
            "job runs",
            "error",
        ];
        premises.into_iter().map(|what| (what, self.0.get(what).copied().unwrap_or(0))).collect()
    }
}
