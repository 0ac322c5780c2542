//! Today's Python programs, unmodified, against the server: `pip install sleap-rtc==0.0.7` as laboratories have it.
//!
//! Every process here is a real one: our server, and the wheel's worker, command line and api. `docs/compatibility.md` says what is
//! driven, and which faults the Python pair has of its own.

mod big_room;
mod errors;
mod files;
mod finding;
mod home;
mod idling;
mod jobs;
mod lab;
mod leaving;
mod login;
mod moving;
mod page;
mod race;
mod relay;
mod restart;
mod screen;
mod steps;
mod worker;

pub(crate) use home::Home;
pub(crate) use lab::Lab;
pub(crate) use screen::Screen;
pub(crate) use steps::{pair_step, step};
pub(crate) use worker::PyWorker;
