//! The words that the user sees.

mod commands;
mod errors;
mod help;
mod progress;
mod room;
mod roster;
mod sandbox;
mod text;
