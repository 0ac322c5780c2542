//! One room as its user sees it: inputs at times, effects in order.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod absent;
mod alias;
mod attempts;
mod claims;
mod desk;
mod discovery;
mod estimate;
mod expulsion;
mod held;
mod index;
mod law;
mod lifetime;
mod line;
mod mesh;
mod occupancy;
mod presence;
mod racing;
mod random;
mod reasons;
mod recovery;
mod relay;
mod returning;
mod store;
