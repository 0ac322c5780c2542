//! The first seconds of a room that was loaded: nothing is granted before those who may hold something have said so.

use std::collections::BTreeSet;

use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::{PeerId, Time};

/// Whom the room waits for, and how long.
#[derive(Debug)]
pub(crate) struct Recovery {
    awaited: BTreeSet<PeerId>,
    /// Before that nothing is granted even if everybody has answered: clients come back into their order.
    settled_at: Time,
    /// Then whoever has not answered is not waited for any more.
    over_at: Time,
}

impl Recovery {
    /// Begins now; `None`: there is nobody to wait for.
    pub(crate) fn begin(awaited: BTreeSet<PeerId>, settle_ms: u64, recover_ms: u64, now: Time) -> Option<Self> {
        if awaited.is_empty() || mutation::on(Mutation::TakeoverWithoutGrace) {
            return None;
        }
        let settled_at = now.plus_ms(settle_ms);
        Some(Self { awaited, settled_at, over_at: now.plus_ms(recover_ms).max(settled_at) })
    }

    /// A worker has said what it holds, or is not expected any more.
    pub(crate) fn answered(&mut self, worker: &PeerId) {
        self.awaited.remove(worker);
    }

    pub(crate) fn ends_at(&self) -> Time {
        if self.awaited.is_empty() { self.settled_at } else { self.over_at }
    }
}
