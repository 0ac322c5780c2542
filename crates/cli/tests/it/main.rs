//! The words that the user sees.

mod errors;
mod help;
mod progress;
mod text;
mod roster;
