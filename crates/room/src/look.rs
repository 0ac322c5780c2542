//! What a room looks like from outside, for whoever checks it: the simulator beside it.

use sleap_rtc_wire::claim::ClaimGranted;
use sleap_rtc_wire::{Filters, JobId, MemberId, PeerId, Time};

use crate::Room;
use crate::line::Client;

/// A claim on a worker.
#[derive(Clone, Copy, Debug)]
pub struct Booked<'a> {
    /// The worker.
    pub worker: &'a PeerId,
    /// The claim as it was granted.
    pub grant: &'a ClaimGranted,
    /// Whose it is, if that is known.
    pub member: Option<&'a MemberId>,
    /// A job runs.
    pub is_used: bool,
    /// When it ends because its client is away.
    pub client_until: Option<Time>,
}

/// A claim in line.
#[derive(Clone, Copy, Debug)]
pub struct InLine<'a> {
    /// When it was first asked for, and among those of the same moment in the order of coming.
    pub place: (Time, u64),
    /// Who waits.
    pub client: &'a PeerId,
    /// Who that is.
    pub member: &'a MemberId,
    /// For which job.
    pub job: &'a JobId,
    /// For how many workers.
    pub count: u32,
    /// Which of them will do.
    pub filters: &'a Filters,
    /// Its client is connected.
    pub is_here: bool,
}

impl Room {
    /// Every claim on a worker.
    pub fn booked(&self) -> impl Iterator<Item = Booked<'_>> {
        self.claims.slots().map(|(worker, slot)| Booked {
            worker,
            grant: &slot.grant,
            member: slot.client_member.as_ref(),
            is_used: slot.is_used(),
            client_until: slot.client_until(),
        })
    }

    /// Every claim in line, in the order of its place.
    pub fn in_line(&self) -> impl Iterator<Item = InLine<'_>> {
        self.line.entries().filter_map(|(place, entry)| {
            Some(InLine {
                place: (place.asked_at, place.nth),
                client: &entry.client,
                member: &entry.member,
                job: &entry.claim.job_id,
                count: entry.claim.count,
                filters: &self.line.group(entry.group)?.filters,
                is_here: matches!(entry.at, Client::Here(_)),
            })
        })
    }

    /// Whether workers are given out at all: not before the room's epoch is committed and its workers have said what they hold, and
    /// not while it is removed.
    pub fn gives_out(&self) -> bool {
        self.may_grant()
    }
}
