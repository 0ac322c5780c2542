//! In which order those who wait are served.

use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::{MemberId, Time};

use crate::line::Place;

/// What the order may look at of a claim in line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting<'a> {
    pub(crate) place: Place,
    pub(crate) member: &'a MemberId,
}

/// The order in which those who wait are served: who asked first. `usage` tells how many claims a member holds; with it and the
/// time, shares between members are decided here and nowhere else.
pub(crate) fn order(
    mut waiting: Vec<Waiting<'_>>,
    _usage: impl Fn(&MemberId) -> usize,
    _now: Time,
) -> Vec<Waiting<'_>> {
    waiting.sort_unstable_by_key(|waiting| waiting.place);
    if mutation::on(Mutation::LastComeFirst) {
        waiting.reverse();
    }
    waiting
}
