//! Rooms of persons: who belongs to them, invites, tokens of workers. Paths, fields and words are the deployed server's, which its
//! programs and pages read; what is ours beside them is `id`, `mesh`, `strict_offers` and the code of each error.

pub(crate) mod authorized_keys;
pub(crate) mod changes;
mod fields;
pub(crate) mod invites;
pub(crate) mod members;
mod people;
mod query;
pub(crate) mod rooms;
mod standing;
pub(crate) mod token_list;
pub(crate) mod tokens;
pub(crate) mod workers;

use axum::http::StatusCode;
use sleap_rtc_access::{InviteDenied, RoomDenied, TokenDenied};
use sleap_rtc_wire::Code;

use super::fault::Fault;

fn refused(status: u16, code: Code, text: String) -> Fault {
    Fault::new(StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN), code, text)
}

impl From<RoomDenied> for Fault {
    fn from(denied: RoomDenied) -> Self {
        refused(denied.status(), denied.code(), denied.to_string())
    }
}

impl From<InviteDenied> for Fault {
    fn from(denied: InviteDenied) -> Self {
        refused(denied.status(), denied.code(), denied.to_string())
    }
}

impl From<TokenDenied> for Fault {
    fn from(denied: TokenDenied) -> Self {
        refused(denied.status(), denied.code(), denied.to_string())
    }
}
