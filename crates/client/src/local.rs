//! The files on the user's machine: what a job sends, how its files are called on every system, and how results land.

pub mod landing;
pub mod name;
mod plan;
pub mod results;

pub use landing::{Landing, LandingError};
pub use name::safe_name;
pub use plan::{Input, Plan, PlanError, PlannedFile};
pub use sleap_rtc_peer::explained::Explained;
