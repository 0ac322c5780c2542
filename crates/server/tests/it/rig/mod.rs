//! A server of its own for every test, and those who talk to it.

mod http;
mod installation;
mod peer;
mod server;

pub(crate) use http::{ELSEWHERE, HERE, Request};
pub(crate) use installation::Installation;
pub(crate) use peer::{Peer, Socket, register};
pub(crate) use server::{Anonymous, MadeRoom, TestServer, eventually, text};
