//! What the server did from its first day, and the operator's calls.

use super::Who::{Anybody, Concerned, Operator, SignedIn};
use super::{Row, delete, get, post};
use crate::http::{admin, clean_up, delete as deletes, rooms, show, sign_in, status};

/// One row a line.
#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    vec![
        post("/anonymous-signin", Anybody, sign_in::anonymous).what("a new anonymous identity"),
        post("/key-signin", Anybody, sign_in::key).what("a nonce, then an id token for who signed it"),
        post("/create-room", SignedIn, rooms::create).what("a room of the caller's"),
        get("/rooms", SignedIn, show::list).what("the caller's rooms"),
        get("/rooms/{room_id}", Concerned, show::one).what("one room"),
        post("/extend-room", Concerned, rooms::extend).what("moves a room's end on"),
        post("/delete-peers-and-room", Concerned, deletes::peers_and_room).what("ends a room"),
        post("/delete-peer", Concerned, deletes::peer).what("ends a peer's connection"),
        post("/identities/cleanup", Concerned, clean_up::identities).what("forgets old anonymous identities"),
        get("/health", Anybody, status::health).what("whether the process lives"),
        get("/ready", Anybody, status::ready).what("whether the store answers"),
        get("/metrics", Anybody, status::metrics).what("counts, as the deployed server has them"),
        get("/metrics/prometheus", Anybody, status::prometheus).what("counts, for Prometheus"),
        get("/admin/stats", Operator, admin::stats).what("what the server is doing"),
        get("/admin/rooms", Operator, admin::rooms).what("every room"),
        post("/admin/rooms", Operator, admin::create_room).what("a room of the operator's"),
        delete("/admin/rooms/{room_id}", Operator, admin::delete_room).what("ends any room"),
    ]
}
