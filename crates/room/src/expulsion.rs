//! Who does not belong to the room any more: a member that was removed, a worker whose token was revoked.

use std::collections::BTreeMap;

use sleap_rtc_wire::claim::EndReason;
use sleap_rtc_wire::record::Change;
use sleap_rtc_wire::{ConnId, MemberId, PeerId, Time};

use crate::claims::Tell;
use crate::line::Place;
use crate::peers::Joined;
use crate::{Answer, CallId, CloseReason, Effect, Room, Ticket};

/// Removals that are being written.
#[derive(Debug, Default)]
pub(crate) struct Expulsions(BTreeMap<Ticket, (CallId, Vec<MemberId>)>);

impl Expulsions {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this member is being removed: until that is written, it must not come in by what it was.
    pub(crate) fn is_under_way(&self, member: &MemberId) -> bool {
        self.0.values().any(|(_, members)| members.contains(member))
    }
}

impl Room {
    /// Has memberships removed from the store, and then whatever is theirs here.
    pub(crate) fn expel(&mut self, id: CallId, members: Vec<MemberId>) {
        let of = |member: &MemberId| Change::DeleteMembership(self.record.room_id.clone(), member.clone());
        let changes = members.iter().map(of).collect();
        let ticket = self.persist(changes);
        self.expulsions.0.insert(ticket, (id, members));
    }

    /// Takes in the outcome of such a write; `false`: the ticket is not of one.
    pub(crate) fn expulsion_written(&mut self, ticket: Ticket, stored: bool, now: Time) -> bool {
        let Some((id, members)) = self.expulsions.0.remove(&ticket) else { return false };
        if !stored {
            self.answer(id, Answer::StoreUnavailable);
            return true;
        }
        for member in &members {
            self.joining.not_a_member(member);
            self.put_out(member, now);
        }
        self.answer(id, Answer::Changed);
        true
    }

    /// Ends everything of a member but the jobs that its claims run elsewhere: those end by their workers' word.
    fn put_out(&mut self, member: &MemberId, now: Time) {
        let present = self.presence.with_role(None).filter(|(_, peer)| peer.member == *member);
        let present: Vec<(Joined, ConnId)> = present.map(|(joined, peer)| (joined, peer.conn)).collect();
        for (joined, conn) in present {
            self.leave_for_good(joined, now);
            self.push(Effect::Close { conn, reason: CloseReason::Deleted });
        }
        let places: Vec<Place> = self.line.of_member(member).map(|(place, _)| place).collect();
        for place in places {
            self.line.remove(place);
        }
        let unused = self.claims.of_member(member).filter(|(_, slot)| !slot.is_used());
        let unused: Vec<PeerId> = unused.map(|(worker, _)| worker.clone()).collect();
        for worker in unused {
            self.end_claim(&worker, EndReason::Released, Tell::Both);
        }
        for worker in self.away_workers_of(member) {
            self.worker_is_gone(&worker, false);
        }
    }

    /// Workers of a member that are not connected, and are missed or hold something.
    fn away_workers_of(&self, member: &MemberId) -> Vec<PeerId> {
        let missed = self.absent.workers().filter(|(_, one)| one.member == *member).map(|(worker, _)| worker);
        let held = self.holds.iter().filter(|(_, one)| one.member == *member).map(|(worker, _)| worker);
        let claimed = self.claims.slots().filter(|(_, one)| one.worker_member == *member).map(|(worker, _)| worker);
        missed.chain(held).chain(claimed).cloned().collect()
    }
}
