//! Who comes into a room: the checks of `register`, in the order and the words of the deployed server.

use std::net::IpAddr;

use sleap_rtc_wire::record::{ApiKeyKind, ApiKeyRecord, IdentityKind, RoomRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, ErrorFrame, MemberId, PeerId, PublicKey, RoomId, Time};

use crate::credentials::given;
use crate::secret::same_secret;
use crate::{KeyFault, Person};

/// Who shows a credential, as far as the shell found out. Keys were looked at by [`crate::check_key`] before.
#[derive(Clone, Copy, Debug)]
pub enum Bearer<'a> {
    /// An account, by a key.
    AccountKey(&'a Person),
    /// A worker, by the key that was made for it.
    Worker(&'a ApiKeyRecord),
    /// An account, by a token.
    Jwt(&'a Person),
    /// A key or an anonymous identity, by a token; `None`: the token is not good.
    IdToken(Option<&'a Person>),
}

impl<'a> Bearer<'a> {
    /// Whose memberships count.
    pub fn person(self) -> Option<&'a Person> {
        match self {
            Self::AccountKey(person) | Self::Jwt(person) => Some(person),
            Self::IdToken(person) => person,
            Self::Worker(_) => None,
        }
    }
}

/// Whom a room lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Owner of this peer's claims.
    pub member: MemberId,
    /// The key that it proved when it signed in; absent for everybody else.
    pub key: Option<PublicKey>,
    /// The peer id to use if `register` names none. With an id token the peer must name itself.
    pub fallback_peer_id: Option<PeerId>,
}

/// Why a registration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// None of the credentials is there.
    #[error("No authentication provided. Use api_key, jwt, or id_token.")]
    NoCredential,
    /// The key of an account is not good.
    #[error("{}", .0.of_account())]
    AccountKey(KeyFault),
    /// The key of a worker is not good.
    #[error("{}", .0.of_worker())]
    WorkerKey(KeyFault),
    /// The token of an account is not good, with the reason.
    #[error("Invalid token: {0}")]
    Jwt(String),
    /// `room_id` is missing beside the key of an account.
    #[error("room_id required for account key auth")]
    NoRoomForKey,
    /// `room_id` is missing beside the token of an account.
    #[error("room_id required for JWT auth")]
    NoRoomForJwt,
    /// The account is not a member of the room.
    #[error("No access to this room")]
    NoAccess,
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
    pub const fn code(&self) -> Code {
        match self {
            Self::MissingFields | Self::NoRoomForKey | Self::NoRoomForJwt => Code::InvalidMessage,
            Self::RoomNotFound => Code::RoomNotFound,
            Self::RoomExpired => Code::RoomExpired,
            Self::NoAccess => Code::Forbidden,
            Self::NoCredential
            | Self::AccountKey(_)
            | Self::WorkerKey(_)
            | Self::Jwt(_)
            | Self::InvalidIdToken
            | Self::WrongRoomToken => Code::AuthFailed,
        }
    }

    /// Whether it answers a guess at a secret: such ones are counted.
    pub const fn is_of_a_guess(&self) -> bool {
        match self {
            // What had its time was a secret once: whoever shows it knows it.
            Self::AccountKey(fault) | Self::WorkerKey(fault) => matches!(fault, KeyFault::Unknown),
            Self::Jwt(_) | Self::InvalidIdToken | Self::WrongRoomToken | Self::RoomNotFound => true,
            Self::NoCredential
            | Self::NoRoomForKey
            | Self::NoRoomForJwt
            | Self::NoAccess
            | Self::MissingFields
            | Self::RoomExpired => false,
        }
    }

    /// The answer to the peer.
    pub fn frame(&self) -> ErrorFrame {
        let mut frame = ErrorFrame::new(self.code(), self.to_string());
        if *self == Self::InvalidIdToken {
            frame.error = Some(self.to_string());
        }
        frame
    }
}

/// Which room a `register` is for: the one that it names, or the one that the worker's key was made for.
pub fn room_of(bearer: Bearer<'_>, register: &Register) -> Result<RoomId, Refusal> {
    let named = register.room_id.as_ref();
    match bearer {
        Bearer::AccountKey(_) => named.cloned().ok_or(Refusal::NoRoomForKey),
        Bearer::Jwt(_) => named.cloned().ok_or(Refusal::NoRoomForJwt),
        Bearer::Worker(key) => match &key.kind {
            ApiKeyKind::Worker(room) => Ok(room.clone()),
            ApiKeyKind::Account => Err(Refusal::WorkerKey(KeyFault::Unknown)),
        },
        Bearer::IdToken(person) => {
            let needs_token = person.is_none_or(|person| person.kind() == IdentityKind::Anonymous);
            let lacks_token = needs_token && given(register.token.as_deref()).is_none();
            match (register.peer_id.as_ref(), named) {
                (Some(_), Some(room)) if !lacks_token => person.map(|_| room.clone()).ok_or(Refusal::InvalidIdToken),
                _ => Err(Refusal::MissingFields),
            }
        }
    }
}

/// Whether a `register` may go to its room, which [`room_of`] named: `room` is that room, `None` if there is none; `belongs`,
/// whether a membership of it is stored under any name of the bearer's person. `suffix`: a random number for a peer without a name.
pub fn admit(
    bearer: Bearer<'_>,
    room: Option<&RoomRecord>,
    belongs: bool,
    register: &Register,
    suffix: u16,
    now: Time,
) -> Result<Admitted, Refusal> {
    let made_it = |person: &Person| room.is_some_and(|room| person.is(&room.created_by));
    let belongs = belongs || bearer.person().is_some_and(made_it);
    let is_account = matches!(bearer, Bearer::AccountKey(_) | Bearer::Jwt(_));
    if is_account && !belongs {
        return Err(Refusal::NoAccess);
    }
    if let Bearer::IdToken(_) = bearer {
        check_token(room, belongs, register)?;
    }
    let room = room.ok_or(Refusal::RoomNotFound)?;
    if room.expires_at.is_some_and(|at| at <= now) {
        return Err(Refusal::RoomExpired);
    }
    admitted(bearer, suffix)
}

/// The room's password: whoever shows one must show the right one, and nobody but a member may leave it out.
fn check_token(room: Option<&RoomRecord>, belongs: bool, register: &Register) -> Result<(), Refusal> {
    let Some(token) = given(register.token.as_deref()) else {
        // Whoever may not know of the room learns nothing of it.
        return if belongs { Ok(()) } else { Err(Refusal::MissingFields) };
    };
    let room = room.ok_or(Refusal::RoomNotFound)?;
    if same_secret(token, &room.token) { Ok(()) } else { Err(Refusal::WrongRoomToken) }
}

fn admitted(bearer: Bearer<'_>, suffix: u16) -> Result<Admitted, Refusal> {
    let of = |person: &Person, fallback_peer_id| Admitted {
        member: person.member().clone(),
        key: person.key(),
        fallback_peer_id,
    };
    match bearer {
        Bearer::AccountKey(person) => Ok(of(person, peer_id("worker", person.username(), suffix))),
        Bearer::Jwt(person) => Ok(of(person, peer_id("client", person.username(), suffix))),
        Bearer::IdToken(person) => person.map(|person| of(person, None)).ok_or(Refusal::InvalidIdToken),
        Bearer::Worker(key) => {
            // The public name of a key has the form of a member's.
            let member = MemberId::new(key.id().as_str()).map_err(|_| Refusal::WorkerKey(KeyFault::Unknown))?;
            Ok(Admitted { member, key: None, fallback_peer_id: peer_id("worker", &key.name, suffix) })
        }
    }
}

/// Bytes of a name that go into a peer id, which has 128.
const NAME: usize = 100;

/// `worker-NAME-0a1b`.
fn peer_id(role: &str, name: &str, suffix: u16) -> Option<PeerId> {
    let visible: String = name.chars().filter(|c| !c.is_control()).collect();
    let end = visible.floor_char_boundary(NAME);
    PeerId::new(&format!("{role}-{}-{suffix:04x}", &visible[..end])).ok()
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
