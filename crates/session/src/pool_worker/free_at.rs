//! When the running job is over at the latest, told to the room as the property `free_at`: often enough for those who wait,
//! seldom enough for everybody else.

use serde_json::Value;
use sleap_rtc_wire::{Metadata, Time};

/// The property: Unix seconds, `null` while nothing is known.
pub const FREE_AT: &str = "free_at";
/// An estimate that moved by no more than this is not told again, ms …
pub const MOVED_MS: u64 = 60_000;
/// … unless it moved by more than one part in so many of the time that is left.
pub const MOVED_PART: u64 = 10;
/// Estimates are told at most so often, ms.
pub const EVERY_MS: u64 = 30_000;

/// What the server was told, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    end: Time,
    at: Time,
}

impl Told {
    pub(super) const fn new(end: Time, at: Time) -> Self {
        Self { end, at }
    }

    /// When it is to be told that the end is now estimated to be at `end`; `None`: what was told is near enough.
    pub(super) fn due(self, end: Time, now: Time) -> Option<Time> {
        let moved = end.since(self.end).max(self.end.since(end));
        let part = self.end.since(now) / MOVED_PART;
        (moved > MOVED_MS.min(part)).then(|| self.at.plus_ms(EVERY_MS))
    }
}

/// Writes it as the room reads it; a second that has begun is not over.
pub(super) fn write(end: Option<Time>, metadata: &mut Metadata) {
    let seconds = end.map(|end| end.0.div_ceil(1000));
    metadata.set_property(FREE_AT, seconds.map_or(Value::Null, Value::from));
}
