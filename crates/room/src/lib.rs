//! What one room decides: who is there, who is found, who books whom, what is handed on, and when the room ends.
//!
//! [`Room`] is a state machine without sockets, clock or chance. Its user, the server's shell, keeps this contract:
//!
//! 1. One writer at a time calls [`Room::handle`] with one [`Input`] and the time.
//! 2. Then it drains [`Room::next_effect`] until `None` and carries the effects out in that order. Effects are queued before
//!    the next input is read, so what a room has confirmed is what the next reader sees.
//! 3. Then it sleeps until [`Room::next_timeout`] or the next input; when the time comes it calls `handle` with [`Input::Tick`].
//! 4. A [`Effect::Persist`] is answered by [`Input::Persisted`] or [`Input::PersistFailed`] with its ticket. What depends on
//!    it waits inside the room; unrelated inputs go on.
//!
//! What becomes of a claim, in the order of its life: it is asked for (`asking`) and gets in `line` or is refused with a `reason`;
//! those who wait are served by one pass over the line (`serving`) in the `queue`'s order, and told where they stand (`notices`); a
//! granted claim is a `slot` on a worker (`claims`), which the worker brings back when it registers again (`held`). A worker that is
//! missed is `absent`, and `expected` after a restart, until `recovery` is over; `attempts` keeps one try of a job at work.
//! Workers of the deployed kind take no part in that: what is free among them is derived from what passes through (`occupancy`).
//!
//! [`Room::violations`] names what must hold and does not: nothing, after any input.
//!
//! The other half of the conversation with sockets is the `server` crate.

mod absent;
mod alias;
mod asking;
mod attempts;
mod claims;
mod config;
mod discovery;
mod effect;
mod expected;
mod expulsion;
mod held;
mod hold;
mod index;
mod input;
mod invariants;
mod joining;
mod lifetime;
mod line;
mod look;
mod mesh;
mod notices;
mod occupancy;
mod part;
mod peer;
mod peers;
mod pool;
mod presence;
mod queue;
mod reason;
mod recovery;
mod relay;
mod room;
mod seat;
mod serving;
mod slot;
mod watched;
mod workers;

pub use config::RoomConfig;
pub use effect::{Answer, CloseReason, Effect, Fact};
pub use input::{Admission, Call, CallId, Input, Ticket};
pub use look::{Booked, InLine, Occupied, WorkerHere};
pub use room::{Room, Stats, not_registered};
