//! Rooms of persons: members, invites, workers' tokens.

use super::Who::{Member, Owner, SignedIn};
use super::{Row, delete, get, patch, post};
use crate::http::api::{authorized_keys, changes, invites, members, rooms, token_list, tokens, workers};

/// One row a line.
#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    vec![
        post("/api/auth/rooms", SignedIn, rooms::create).what("a named room of the caller's"),
        get("/api/auth/rooms", SignedIn, rooms::list).what("the caller's rooms, sorted as asked"),
        get("/api/auth/rooms/{room_id}", Member, rooms::one).what("one room; its password for its owner"),
        patch("/api/auth/rooms/{room_id}", Owner, changes::change).what("a room's name and switches"),
        delete("/api/auth/rooms/{room_id}", Owner, rooms::remove).what("ends a room"),
        post("/api/auth/rooms/{room_id}/invite", Owner, invites::create).what("a code by which others join"),
        post("/api/auth/rooms/join", SignedIn, invites::join).guess().what("joins by a code"),
        post("/api/auth/rooms/{room_id}/verify-otp", Member, invites::verify_otp).what("always: there is none"),
        get("/api/auth/rooms/{room_id}/members", Member, members::list).what("who belongs to a room"),
        delete("/api/auth/rooms/{room_id}/members/{user_id}", Member, members::remove).what("leaves, or removes another"),
        post("/api/auth/token", Member, tokens::create).what("a token for a worker of a room"),
        delete("/api/auth/token/{token_id}", SignedIn, tokens::revoke).what("ends a worker's token"),
        get("/api/auth/tokens", SignedIn, token_list::list).what("the tokens that the caller made"),
        delete("/api/auth/tokens", SignedIn, tokens::remove_all).what("forgets tokens that have ended"),
        delete("/api/auth/tokens/{token_id}", SignedIn, tokens::remove).what("forgets a token that has ended"),
        get("/api/auth/tokens/{token_id}/workers", SignedIn, tokens::workers).what("who is connected by a token"),
        get("/api/rooms/{room_id}/authorized-keys", Member, authorized_keys::list).what("whom its workers let in"),
        get("/api/rooms/{room_id}/workers", Member, workers::list).what("the workers of a room"),
    ]
}
