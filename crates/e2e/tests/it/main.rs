//! The whole system over real sockets and real processes, and checks on the repository itself.

mod bad_input;
mod house;
mod main_job;
mod original_path;
mod race;
mod real;
mod survives;
mod tidy;
mod trainer;
