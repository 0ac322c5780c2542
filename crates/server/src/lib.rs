//! Sockets to rooms: the shell that moves bytes, keeps time and writes down; it decides nothing.
//!
//! The way of a frame: socket → `wire::FromPeer::decode` → [`sleap_rtc_room::Room::handle`] → effects → outboxes → sockets.
//! What a frame means is decided in `room`, who may do what in `access`, who somebody is behind the port of `identity`, and
//! what must survive a restart lies behind the port of `store`.
//!
//! | file | what it is |
//! |---|---|
//! | `lifecycle` | bind, serve, shut down in order |
//! | `listen` | the accept loop and its limits |
//! | `http/` | the routes; `http/routes.rs` is the table of them, with who may call |
//! | `ws`, `joining`, `outbox` | one signaling connection: reading, registering, what waits to be written |
//! | `registry`, `room_cell`, `effects` | rooms by id, one room and its one writer, what the room wants done |
//! | `whereabouts`, `origins` | which rooms have a peer of some name; from which address something was made |
//! | `sweeper`, `forgetting` | expired rooms, old identities, rooms that nobody uses |

mod app;
mod clock;
mod config;
mod effects;
mod forgetting;
mod http;
mod joining;
mod lifecycle;
mod listen;
mod metrics;
mod origins;
mod outbox;
mod rates;
mod registry;
mod room_cell;
mod secret_file;
mod sweeper;
mod sys;
mod whereabouts;
mod ws;

pub use config::{Config, Rates};
pub use http::{Route, Who, routes};
pub use lifecycle::{Ports, Server, ServerError, run};
pub use outbox::close_code;
