//! The whole of it on one machine: a server, a worker and a client as processes of their own, on loopback, in one folder.

mod cast;
mod compare;
mod stage;

pub(crate) use cast::{Cast, RUN};
pub(crate) use compare::{compare, files};
pub(crate) use stage::Stage;
