//! What the systems do differently, and nothing else.

pub(crate) mod disk;
pub(crate) mod folder;
