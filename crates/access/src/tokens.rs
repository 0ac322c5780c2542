//! Tokens of workers: who may make, end and delete them.

use sleap_rtc_wire::record::{ApiKeyKind, ApiKeyRecord, MemberRole};
use sleap_rtc_wire::{Code, RoomId, Time, limits};

use crate::Person;

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenDenied {
    /// There is none.
    #[error("Token not found")]
    NotFound,
    /// Somebody else's.
    #[error("You don't own this token")]
    NotYours,
    /// It is good.
    #[error("Cannot delete active token. Revoke it first.")]
    Active,
    /// The room has as many as it may have.
    #[error("the room has {} tokens, no more are allowed; delete those that are revoked or expired", limits::API_KEYS)]
    TooMany,
}

impl TokenDenied {
    /// For a program.
    pub const fn code(self) -> Code {
        match self {
            Self::NotFound => Code::NotFound,
            Self::NotYours => Code::Forbidden,
            Self::Active => Code::InvalidMessage,
            Self::TooMany => Code::TooLarge,
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::NotYours => 403,
            Self::Active => 400,
            Self::TooMany => 409,
        }
    }
}

/// The room of a worker's token: `found` is what the store has under its name. The key of an account is none.
pub fn worker_token(found: Option<ApiKeyRecord>) -> Result<(ApiKeyRecord, RoomId), TokenDenied> {
    match found {
        Some(token) => match token.kind.clone() {
            ApiKeyKind::Worker(room) => Ok((token, room)),
            ApiKeyKind::Account => Err(TokenDenied::NotFound),
        },
        None => Err(TokenDenied::NotFound),
    }
}

/// Whether a room with so many tokens gets one more.
pub fn may_make_token(tokens: usize) -> Result<(), TokenDenied> {
    if tokens < limits::API_KEYS { Ok(()) } else { Err(TokenDenied::TooMany) }
}

/// Whether somebody who is `role` in the token's room may revoke it and see who uses it: whoever made it, and the room's owner.
pub fn may_manage_token(token: &ApiKeyRecord, person: &Person, role: Option<MemberRole>) -> Result<(), TokenDenied> {
    if person.is(&token.owner) || role == Some(MemberRole::Owner) { Ok(()) } else { Err(TokenDenied::NotYours) }
}

/// Whether they may delete it: it must have had its time.
pub fn may_delete_token(
    token: &ApiKeyRecord,
    person: &Person,
    role: Option<MemberRole>,
    now: Time,
) -> Result<(), TokenDenied> {
    may_manage_token(token, person, role)?;
    if token.is_active(now) { Err(TokenDenied::Active) } else { Ok(()) }
}
