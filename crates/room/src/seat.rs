//! When a claim was first asked for, in the server's own hand.
//!
//! Only the server can make a seat, so a client that shows one has waited since then. It is bound to room, member, job and
//! attempt: it is worth nothing to anybody else.

use sleap_rtc_wire::claim::{Claim, Seat};
use sleap_rtc_wire::{MemberId, RoomId, Time};

/// What is signed is told apart from everything else that this key may sign some day.
const CONTEXT: &str = "sleap-rtc seat v1";

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
