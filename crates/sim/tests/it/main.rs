//! The rules hold in two thousand worlds, broken rules are found, and what was found once stays found.

mod mutations;
mod replay;
mod saved;
mod seeds;
