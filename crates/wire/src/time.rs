//! Moments, as the pure crates see them.

use serde::{Deserialize, Serialize};

/// A moment in milliseconds since the Unix epoch.
///
/// The shells make it from a clock that never goes back (Unix time at start plus monotonic time since), so the pure crates
/// may compare and subtract without thinking of a clock that was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// This moment plus `ms` milliseconds; saturates.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment, 0 if `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since the Unix epoch, rounded down: the unit of `expires_at` on the wire.
    pub const fn unix_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The moment `seconds` after the Unix epoch.
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }
}
