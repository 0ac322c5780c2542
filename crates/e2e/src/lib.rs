//! Proof over real sockets and real processes.
