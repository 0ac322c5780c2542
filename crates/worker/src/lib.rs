//! Links to sessions, the trainer process, GPU facts.
