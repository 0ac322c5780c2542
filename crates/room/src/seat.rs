//! When a claim was first asked for, in the server's own hand.
//!
//! Only the server can make a seat, so a client that shows one has waited since then. It is bound to room, member, job and
//! attempt: it is worth nothing to anybody else. Nor is it worth a second turn: whoever was served, or has given the place up,
//! and shows it once more stands behind all who waited in that moment.

use std::collections::{BTreeMap, VecDeque};

use sleap_rtc_wire::claim::{Claim, Seat};
use sleap_rtc_wire::{JobId, MemberId, RoomId, Time};

/// What is signed is told apart from everything else that this key may sign some day.
const CONTEXT: &str = "sleap-rtc seat v1";

/// Turns that are remembered: the newest. None is longer than a seat is good.
const TURNS: usize = 10_000;

/// When jobs whose clients have a seat had their turn.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    last: BTreeMap<(MemberId, JobId), Time>,
    /// In the order of time.
    order: VecDeque<(Time, (MemberId, JobId))>,
}

impl Turns {
    /// A job had its turn now. Seats are good for `good_ms`.
    pub(crate) fn had(&mut self, member: &MemberId, job: &JobId, good_ms: u64, now: Time) {
        let job = (member.clone(), job.clone());
        self.last.insert(job.clone(), now);
        self.order.push_back((now, job));
        while self.order.len() > TURNS || self.order.front().is_some_and(|(at, _)| at.plus_ms(good_ms) < now) {
            let Some((at, job)) = self.order.pop_front() else { return };
            if self.last.get(&job) == Some(&at) {
                self.last.remove(&job);
            }
        }
    }

    pub(crate) fn last(&self, member: &MemberId, job: &JobId) -> Option<Time> {
        // A map of pairs cannot be asked by a pair of references; this is asked only where a seat is shown.
        self.last.get(&(member.clone(), job.clone())).copied()
    }
}

/// Whose place in which line.
pub(crate) struct Sitter<'a> {
    pub(crate) room: &'a RoomId,
    pub(crate) member: &'a MemberId,
    pub(crate) claim: &'a Claim,
}

impl Sitter<'_> {
    pub(crate) fn seat(&self, key: &[u8; 32], asked_at: Time, until: Time) -> Seat {
        Seat { asked_at, until, proof: self.proof(key, asked_at, until).to_hex().to_string() }
    }

    /// Since when the shower of this seat has waited; `None`: it is not good for this claim, or not any more.
    pub(crate) fn asked_at(&self, key: &[u8; 32], seat: &Seat, now: Time) -> Option<Time> {
        let shown = blake3::Hash::from_hex(&seat.proof).ok()?;
        // The comparison of hashes takes the same time wherever they differ.
        let is_ours = shown == self.proof(key, seat.asked_at, seat.until);
        (is_ours && seat.until >= now && seat.asked_at <= now).then_some(seat.asked_at)
    }

    fn proof(&self, key: &[u8; 32], asked_at: Time, until: Time) -> blake3::Hash {
        let mut hash = blake3::Hasher::new_keyed(key);
        for text in [CONTEXT, self.room.as_str(), self.member.as_str(), self.claim.job_id.as_str()] {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        for number in [u64::from(self.claim.attempt), asked_at.0, until.0] {
            hash.update(&number.to_le_bytes());
        }
        hash.finalize()
    }
}
