//! The whole system over real sockets and real processes, and checks on the repository itself.

mod tidy;
mod trainer;
