//! Workers through the server, for browsers.

use axum::extract::DefaultBodyLimit;

use super::Who::{Anybody, Member};
use super::{Row, get, post};
use crate::http::relay::{BODY, jobs, stream, ticket, worker};

/// One row a line.
#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    vec![
        large(post("/api/jobs/submit", Member, jobs::submit)).what("gives a job to a worker"),
        post("/api/jobs/{job_id}/cancel", Member, jobs::cancel).what("ends a worker's job"),
        post("/api/fs/list", Member, worker::list).what("asks a worker for a folder"),
        large(post("/api/worker/message", Member, worker::message)).what("a browser's frame for a worker"),
        post("/api/worker/key", Member, worker::key).what("a browser's key for a worker"),
        large(post("/api/worker/fs", Member, worker::encrypted)).what("an encrypted question to a worker"),
        large(post("/api/worker/job", Member, worker::encrypted)).what("an encrypted job for a worker"),
        post("/api/stream-ticket", Member, ticket::give).what("a ticket for one stream"),
        get("/stream/{channel}", Member, stream::watch).what("what a worker says, or says of a job"),
        get("/relay/stream/{channel}", Member, stream::watch).what("the same, where one name fronts all ports"),
        get("/relay/health", Anybody, stream::health).what("how many channels and streams there are"),
    ]
}

/// A row whose body may be larger than others'.
fn large(mut row: Row) -> Row {
    row.handler = row.handler.layer(DefaultBodyLimit::max(BODY));
    row
}
