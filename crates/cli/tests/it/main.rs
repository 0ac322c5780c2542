//! The words that the user sees.

mod errors;
mod help;
mod progress;
mod room;
mod roster;
mod text;
