//! What worker and client share.
