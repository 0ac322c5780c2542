//! What sleap-rtc needs from a machine, looked at one by one.

mod account;
mod check;
mod machine;
mod python;
mod room;

pub(crate) use check::{Check, Verdict};
pub(crate) use machine::{disk, gpu, other_program, trainer, udp_buffer};
pub(crate) use room::room;
