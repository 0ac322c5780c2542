//! What a room looks like from outside, for whoever checks it: the simulator beside it.

use sleap_rtc_wire::claim::ClaimGranted;
use sleap_rtc_wire::{ConnId, Filters, JobId, MemberId, Metadata, PeerId, Time};

use crate::Room;
use crate::discovery::WORKER;
use crate::hold::Guest;
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

/// A connected worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerHere<'a> {
    /// Its name.
    pub id: &'a PeerId,
    /// Who it is.
    pub member: &'a MemberId,
    /// What it says of itself, with the status that the room knows to be true.
    pub metadata: &'a Metadata,
    /// Since when.
    pub connected_at: Time,
    /// On which connection.
    pub conn: ConnId,
}

/// That somebody has a worker of the deployed kind.
#[derive(Clone, Copy, Debug)]
pub struct Occupied<'a> {
    /// The worker.
    pub worker: &'a PeerId,
    /// The client whose offer it was handed.
    pub guest: Option<&'a PeerId>,
    /// When that ends by itself; `None`: not by time.
    pub guest_until: Option<Time>,
    /// The job that it got through the server.
    pub job: Option<&'a str>,
    /// When that ends by itself.
    pub job_until: Option<Time>,
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

    /// Every connected worker, in the order of joining.
    pub fn workers_here(&self) -> impl Iterator<Item = WorkerHere<'_>> {
        self.presence.with_role(Some(WORKER)).map(|(_, peer)| WorkerHere {
            id: &peer.id,
            member: &peer.member,
            metadata: peer.shown_metadata(),
            connected_at: peer.connected_at,
            conn: peer.conn,
        })
    }

    /// Every worker of the deployed kind that somebody has, connected or not.
    pub fn occupied(&self) -> impl Iterator<Item = Occupied<'_>> {
        self.holds.iter().map(|(worker, hold)| Occupied {
            worker,
            guest: hold.guest.as_ref().map(|guest| &guest.id),
            guest_until: hold.guest.as_ref().and_then(Guest::due),
            job: hold.errand.as_ref().map(|errand| errand.job_id.as_str()),
            job_until: hold.errand.as_ref().map(|errand| errand.until),
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
