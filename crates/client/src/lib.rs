//! Links to sessions, local files.

pub mod local;
pub mod slp;
mod sys;
