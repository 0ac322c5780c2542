//! What a training looks like while it runs: events → [`State`] → lines, all pure, and a [`Screen`] that puts the lines on a
//! terminal, into a pipe, or out as JSON.
//!
//! The rules: nothing is silent for more than 2 s on a terminal or 60 s in a pipe; a bar counts bytes that the other side has
//! confirmed; its rate is that of the last 10 s; a stall of more than 5 s is said in words; every line fits 80 columns; names
//! and texts of other machines are cleaned before they are shown.

mod json;
mod lines;
mod screen;
mod state;
mod story;
mod transfer;
mod waiting;

pub use screen::{Mode, Screen};
pub use state::State;
