//! Tests of the session: no network, no clock, no chance.

mod cuts;
mod job;
mod proof;
mod record;
mod transfer;
mod wire;
mod wishes;
mod world;
