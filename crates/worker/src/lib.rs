//! Links to sessions, the trainer process, GPU facts.

pub(crate) mod sys;
pub mod trainer;
