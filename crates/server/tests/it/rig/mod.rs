//! A server of its own for every test, and those who talk to it.

mod account;
mod http;
mod installation;
mod peer;
mod server;

pub(crate) use account::{Account, worker_by};
pub(crate) use http::{ELSEWHERE, HERE, Reply, Request, connect};
pub(crate) use installation::Installation;
pub(crate) use peer::{Peer, Socket, register};
pub(crate) use server::{Anonymous, MadeRoom, TestServer, eventually, text};
