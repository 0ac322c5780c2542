//! Trainings against the real room and the real session of a worker.

mod coming_back;
mod errors;
mod going_well;
mod line;
mod retry;
mod rig;
mod worker;
