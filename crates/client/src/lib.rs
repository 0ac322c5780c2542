//! Links to sessions, local files.
