//! What a caller over HTTP may do.
//!
//! The deployed programs' calls carry no credential: they are good from the address that made the room, or that the named peer
//! registered from. From elsewhere the caller shows who it is, or the room's password.

use sleap_rtc_wire::record::RoomRecord;
use sleap_rtc_wire::{Code, MemberId};

use crate::Person;
use crate::secret::same_secret;

/// Who calls, as far as the shell could tell.
#[derive(Clone, Copy, Default)]
pub struct Caller<'a> {
    /// Whose Bearer credential it showed; `None`: none, or a bad one.
    pub person: Option<&'a Person>,
    /// Whether that person belongs to the room: by a stored membership, or connected to it now, under any of its names.
    pub belongs: bool,
    /// The room's password as the caller gave it.
    pub token: Option<&'a str>,
    /// Whether the call comes from the address that made the room or, for a peer, that the peer registered from. Behind a proxy
    /// that is not trusted this is never true.
    pub same_address: bool,
    /// What it may do whoever it is.
    pub power: Power,
}

/// Without the password: it must not reach a log.
impl std::fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { person, belongs, token, same_address, power } = self;
        f.debug_struct("Caller")
            .field("person", person)
            .field("belongs", belongs)
            .field("shows_token", &token.is_some())
            .field("same_address", same_address)
            .field("power", power)
            .finish()
    }
}

/// What a caller may do whoever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Power {
    /// Nothing.
    #[default]
    None,
    /// Extend and delete: the server was told to let anybody do so (`--open-deletes`).
    OpenDeletes,
    /// Everything: it showed the secret in the server's data folder.
    Operator,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nothing says who it is.
    #[error("this needs a Bearer credential, the room's token, or the address that made the room")]
    Unauthenticated,
    /// It is known who it is, and that is not enough.
    #[error("neither the room's creator, nor a member of it, nor its token")]
    Forbidden,
    /// Nothing but the operator's secret would do.
    #[error("the address that this call comes from is not known for sure, so it needs the operator's secret")]
    NoAddress,
}

impl Caller<'_> {
    /// Whether it is known who it is.
    fn is_known(&self) -> bool {
        self.person.is_some()
    }

    /// Whether this is one of its names.
    pub fn is(&self, member: &MemberId) -> bool {
        self.person.is_some_and(|person| person.is(member))
    }
}

impl Denied {
    /// For a program.
    pub const fn code(self) -> Code {
        match self {
            Self::Unauthenticated | Self::NoAddress => Code::AuthFailed,
            Self::Forbidden => Code::Forbidden,
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Unauthenticated | Self::NoAddress => 401,
            Self::Forbidden => 403,
        }
    }
}

/// Anybody who has signed in may make a room.
pub fn may_create_room(caller: &Caller<'_>) -> Result<(), Denied> {
    if caller.power == Power::Operator || caller.is_known() { Ok(()) } else { Err(Denied::Unauthenticated) }
}

/// Whether the caller may move the room's expiry on.
pub fn may_extend(room: &RoomRecord, caller: &Caller<'_>) -> Result<(), Denied> {
    decide(caller, owns(room, caller))
}

/// Whether the caller may delete the room with everybody in it.
pub fn may_delete_room(room: &RoomRecord, caller: &Caller<'_>) -> Result<(), Denied> {
    decide(caller, owns(room, caller))
}

/// Whether the caller may delete a peer of the room: whoever may delete the room, and the peer's own member.
pub fn may_delete_peer(room: &RoomRecord, peer: Option<&MemberId>, caller: &Caller<'_>) -> Result<(), Denied> {
    let is_peer = peer.is_some_and(|peer| caller.is(peer));
    decide(caller, is_peer || owns(room, caller))
}

/// Whether the caller may see the room: those who belong to it, and the operator. An address tells nothing about whom a room's
/// state is for.
pub fn may_see_room(room: &RoomRecord, caller: &Caller<'_>) -> Result<(), Denied> {
    let belongs = caller.is_known() && (caller.belongs || caller.is(&room.created_by));
    if belongs || caller.power == Power::Operator {
        Ok(())
    } else if !caller.is_known() {
        Err(Denied::Unauthenticated)
    } else {
        Err(Denied::Forbidden)
    }
}

/// Whether the caller may see the room's password: who made it, and the operator.
pub fn may_see_token(room: &RoomRecord, caller: &Caller<'_>) -> bool {
    caller.power == Power::Operator || caller.is(&room.created_by)
}

/// Whose anonymous identities a clean-up reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everybody's.
    All,
    /// Those that signed in from the caller's own address.
    SameAddress,
}

/// Whose anonymous identities the caller may clean up. `has_address`: whether its address is its own, and not that of a proxy.
pub fn may_clean_up(power: Power, has_address: bool) -> Result<Reach, Denied> {
    match (power, has_address) {
        (Power::Operator, _) => Ok(Reach::All),
        (Power::None | Power::OpenDeletes, true) => Ok(Reach::SameAddress),
        (Power::None | Power::OpenDeletes, false) => Err(Denied::NoAddress),
    }
}

fn owns(room: &RoomRecord, caller: &Caller<'_>) -> bool {
    let made_it = caller.is(&room.created_by);
    let belongs = caller.is_known() && caller.belongs;
    let knows_it = caller.token.is_some_and(|token| same_secret(token, &room.token));
    made_it || belongs || knows_it
}

fn decide(caller: &Caller<'_>, allowed: bool) -> Result<(), Denied> {
    if allowed || caller.power != Power::None || caller.same_address {
        Ok(())
    } else if !caller.is_known() && caller.token.is_none() {
        Err(Denied::Unauthenticated)
    } else {
        Err(Denied::Forbidden)
    }
}
