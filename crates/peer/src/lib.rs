//! What worker and client share: the installation's key and files, HTTP calls, the signaling socket, and a session's hands: its
//! links and its disk. No decisions: those are in `session`.

pub mod chunks;
pub mod disk;
pub mod pump;
