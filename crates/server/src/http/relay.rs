//! Workers of the deployed kind through the server, for browsers that cannot open a connection to them: what a browser asks goes to
//! the worker's own connection, what the worker answers comes out of a stream.
//!
//! All of it is for members of the worker's room. Nothing is published but what a worker says on its own connection, and what the
//! server itself knows: there is no call for it.

mod ask;
pub(crate) mod jobs;
pub(crate) mod stream;
pub(crate) mod ticket;
pub(crate) mod worker;

/// Body of a call that hands something to a worker, bytes: a job's configurations may come with it.
pub(crate) const BODY: usize = 512 << 10;
