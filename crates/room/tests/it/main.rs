//! One room as its user sees it: inputs at times, effects in order.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod absent;
mod attempts;
mod claims;
mod desk;
mod discovery;
mod estimate;
mod held;
mod index;
mod law;
mod lifetime;
mod line;
mod presence;
mod random;
mod reasons;
mod recovery;
mod relay;
mod returning;
mod store;
