//! The first seconds of a room that was loaded: nothing is granted before those who may hold something have said so.

use std::collections::BTreeSet;

use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::{ClaimId, MemberId, PeerId, Time};

/// Claims given back before their workers have spoken that are remembered; more are refused.
const GIVEN_BACK: usize = 1024;

/// Whom the room waits for, and how long.
#[derive(Debug)]
pub(crate) struct Recovery {
    awaited: BTreeSet<PeerId>,
    /// Before that nothing is granted even if everybody has answered: clients come back into their order.
    settled_at: Time,
    /// Then whoever has not answered is not waited for any more.
    over_at: Time,
    /// Claims that their members have given back before the workers have told of them.
    given_back: BTreeSet<(MemberId, ClaimId)>,
}

impl Recovery {
    /// Begins now; `None`: there is nobody to wait for.
    pub(crate) fn begin(awaited: BTreeSet<PeerId>, settle_ms: u64, recover_ms: u64, now: Time) -> Option<Self> {
        if awaited.is_empty() || mutation::on(Mutation::TakeoverWithoutGrace) {
            return None;
        }
        let settled_at = now.plus_ms(settle_ms);
        Some(Self {
            awaited,
            settled_at,
            over_at: now.plus_ms(recover_ms).max(settled_at),
            given_back: BTreeSet::new(),
        })
    }

    /// A worker has said what it holds, or is not expected any more.
    pub(crate) fn answered(&mut self, worker: &PeerId) {
        self.awaited.remove(worker);
    }

    /// A member gives a claim back that no worker has told of yet; `false`: too many have.
    pub(crate) fn give_back(&mut self, member: &MemberId, claim: &ClaimId) -> bool {
        let has_room = self.given_back.len() < GIVEN_BACK;
        if has_room {
            self.given_back.insert((member.clone(), claim.clone()));
        }
        has_room
    }

    pub(crate) fn is_given_back(&self, member: &MemberId, claim: &ClaimId) -> bool {
        self.given_back.contains(&(member.clone(), claim.clone()))
    }

    pub(crate) fn ends_at(&self) -> Time {
        if self.awaited.is_empty() { self.settled_at } else { self.over_at }
    }
}
