//! What worker and client share: the installation's key and files, HTTP calls, the signaling socket, and a session's hands: its
//! links and its disk. No decisions: those are in `session`.

pub mod api;
pub mod chunks;
pub mod client_pool;
pub mod clock;
pub mod disk;
pub mod env;
pub mod explained;
pub mod home;
mod ice;
mod line;
pub mod pump;
pub mod settings;
pub mod slp;
pub mod socket;
pub mod worker_pool;
