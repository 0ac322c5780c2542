//! One suite for every implementation of the port, and what only one of them has.

mod conformance;
mod memory;
mod rig;
mod webrtc;
mod wire;
