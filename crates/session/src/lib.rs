//! One job between two peers, and each peer's half of the signaling.
