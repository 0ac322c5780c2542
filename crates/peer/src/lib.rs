//! What worker and client share: the installation's key and files, HTTP calls, the signaling socket, and a session's hands: its
//! links and its disk. No decisions: those are in `session`.

pub mod api;
pub mod chunks;
pub mod clock;
pub mod disk;
pub mod env;
pub mod home;
pub mod pump;
pub mod settings;

pub use home::{client_peer_id, worker_peer_id};
