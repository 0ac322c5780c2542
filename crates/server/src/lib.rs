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
//! | `tls` | the certificate, and encrypting connections |
//! | `stun`, `ice` | telling peers their own address; which servers they are told for that |
//! | `ws`, `joining`, `outbox` | one signaling connection: reading, registering, what waits to be written |
//! | `limits`, `allowance`, `meter`, `rates`, `guesses` | what a connection and an address may cost |
//! | `registry`, `room_cell`, `effects` | rooms by id, one room and its one writer, what the room wants done |
//! | `channels` | what workers say to those who watch them over HTTP |
//! | `whereabouts`, `origins` | which rooms have a peer of some name; from which address something was made |
//! | `sweeper`, `forgetting` | expired rooms, old identities, rooms that nobody uses |

mod allowance;
mod app;
mod channels;
mod clock;
mod config;
mod effects;
mod forgetting;
mod github;
mod guesses;
mod http;
mod ice;
mod in_use;
mod joining;
mod lifecycle;
mod limits;
mod listen;
mod logins;
mod meter;
mod metrics;
mod origins;
mod outbox;
mod persons;
mod rates;
mod registry;
mod room_cell;
mod secret_file;
mod stun;
mod sweeper;
mod sys;
mod tls;
mod whereabouts;
mod ws;

pub use config::{Config, ExtraPort, Rates, TlsFiles};
pub use github::GitHub;
pub use http::{Route, Who, routes};
pub use lifecycle::{Extra, Ports, Server, ServerError, run};
pub use limits::Limits;
pub use outbox::close_code;
pub use tls::TlsError;
