//! Who comes into a room: the checks of `register`, in the order and the words of the deployed server.

use std::net::IpAddr;

use sleap_rtc_wire::record::{IdentityRecord, RoomRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, ErrorFrame, MemberId, PeerId, PublicKey, Time};

use crate::secret::same_secret;

/// How the deployed server's keys of accounts and workers begin; any other text is none.
const API_KEY: &str = "slp_";

/// Whom a room lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Owner of this peer's claims.
    pub member: MemberId,
    /// The key that it proved when it signed in; absent for an anonymous identity.
    pub key: Option<PublicKey>,
    /// The peer id to use if `register` names none. Always absent today: with an id token the peer must name itself.
    pub fallback_peer_id: Option<PeerId>,
}

/// Why a registration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// None of the credentials is there.
    #[error("No authentication provided. Use api_key, jwt, or id_token.")]
    NoCredential,
    /// An account or worker key; this server knows none.
    #[error("Invalid API key")]
    UnknownApiKey,
    /// An account's token; this server knows no accounts.
    #[error("Invalid token: this server knows no accounts")]
    UnknownAccount,
    /// `peer_id`, `room_id` or `token` is missing.
    #[error("Missing required fields during registration.")]
    MissingFields,
    /// The id token is forged, too old, or of an identity that is gone.
    #[error("Invalid token")]
    InvalidIdToken,
    /// There is no such room.
    #[error("Room not found")]
    RoomNotFound,
    /// Not the room's password.
    #[error("Invalid token")]
    WrongRoomToken,
    /// The room's time is over.
    #[error("Room expired")]
    RoomExpired,
}

impl Refusal {
    /// For a program.
    pub const fn code(self) -> Code {
        match self {
            Self::MissingFields => Code::InvalidMessage,
            Self::RoomNotFound => Code::RoomNotFound,
            Self::RoomExpired => Code::RoomExpired,
            Self::NoCredential
            | Self::UnknownApiKey
            | Self::UnknownAccount
            | Self::InvalidIdToken
            | Self::WrongRoomToken => Code::AuthFailed,
        }
    }

    /// The answer to the peer.
    pub fn frame(self) -> ErrorFrame {
        let mut frame = ErrorFrame::new(self.code(), self.to_string());
        if self == Self::InvalidIdToken {
            frame.error = Some(self.to_string());
        }
        frame
    }
}

/// Whether a `register` may go to its room. `identity` is whose id token it is, `None` if the token is not good; `room` is the
/// room it names, `None` if there is none.
pub fn admit(
    room: Option<&RoomRecord>,
    identity: Option<&IdentityRecord>,
    register: &Register,
    now: Time,
) -> Result<Admitted, Refusal> {
    if !is_given(register.id_token.as_deref()) {
        return Err(without_id_token(register));
    }
    let token = register.token.as_deref().filter(|token| !token.is_empty()).ok_or(Refusal::MissingFields)?;
    if register.peer_id.is_none() || register.room_id.is_none() {
        return Err(Refusal::MissingFields);
    }
    let identity = identity.ok_or(Refusal::InvalidIdToken)?;
    let room = room.ok_or(Refusal::RoomNotFound)?;
    if !same_secret(token, &room.token) {
        return Err(Refusal::WrongRoomToken);
    }
    if room.expires_at.is_some_and(|at| at <= now) {
        return Err(Refusal::RoomExpired);
    }
    Ok(Admitted { member: identity.member.clone(), key: identity.key, fallback_peer_id: None })
}

/// A peer's identity, as far as its name in a room is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Whether it is anonymous: whoever signs in anew is somebody else.
    pub anonymous: bool,
    /// Whether it takes part in claims: then its name is kept for it while it is away.
    pub claims: bool,
    /// Where it comes from; `None` behind a proxy that is not trusted.
    pub address: Option<IpAddr>,
}

/// Whether `newcomer` may take the name of a connected peer of somebody else. A deployed worker whose link broke signs in anew,
/// as somebody else, and comes under its old name before the server knows that the old connection is dead. Nobody who has a key
/// can lose or take a name this way.
pub fn may_take_name(holder: Named, newcomer: Named) -> bool {
    let is_same = holder.address.is_some() && holder.address == newcomer.address;
    holder.anonymous && !holder.claims && newcomer.anonymous && is_same
}

fn without_id_token(register: &Register) -> Refusal {
    if register.api_key.as_deref().is_some_and(|key| key.starts_with(API_KEY)) {
        Refusal::UnknownApiKey
    } else if is_given(register.jwt.as_deref()) {
        Refusal::UnknownAccount
    } else {
        Refusal::NoCredential
    }
}

fn is_given(credential: Option<&str>) -> bool {
    credential.is_some_and(|text| !text.is_empty())
}
