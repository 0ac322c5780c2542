//! What a person may do with a room of the account pages, in the words of the deployed server.
//!
//! Whoever does not belong to a room is told the same as if there were none.

use sleap_rtc_wire::Code;
use sleap_rtc_wire::record::{IdentityKind, MemberRole, MembershipRecord, RoomRecord};

use crate::Person;

/// What somebody wants to do with a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomDeed {
    /// See it, and who belongs to it.
    See,
    /// See which workers are in it.
    SeeWorkers,
    /// Make a token for a worker of it.
    MakeToken,
    /// Change its name and what is switched.
    Change,
    /// Make a code by which others become members.
    Invite,
    /// Delete it.
    Delete,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomDenied {
    /// Anonymous identities go with their connections: nothing is made for them to stay.
    #[error("this needs an account or the key of an installation; sign in with one")]
    Anonymous,
    /// There is no such room, or it is not the caller's.
    #[error("Room not found or you don't have access")]
    NoRoom,
    /// The same, to who asks for workers.
    #[error("No access to this room")]
    NoWorkers,
    /// The same, to who wants a token.
    #[error("You don't have access to this room")]
    NoTokens,
    /// Only its owner changes it.
    #[error("Only the room owner can update room settings")]
    ChangeIsOwners,
    /// Only its owner invites.
    #[error("Only room owners can create invites")]
    InviteIsOwners,
    /// Only its owner deletes it.
    #[error("Only the room owner can delete a room")]
    DeleteIsOwners,
    /// Only its owner removes others.
    #[error("Only the room owner can remove members")]
    RemoveIsOwners,
    /// A room has an owner as long as it is there.
    #[error("The room owner cannot be removed; delete the room instead")]
    OwnerStays,
    /// Nobody to remove.
    #[error("User is not a member of this room")]
    NotAMember,
}

impl RoomDenied {
    /// For a program.
    pub const fn code(self) -> Code {
        match self {
            Self::NoRoom => Code::RoomNotFound,
            Self::NotAMember => Code::NotFound,
            Self::OwnerStays => Code::InvalidMessage,
            _ => Code::Forbidden,
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::NoRoom | Self::NotAMember => 404,
            Self::OwnerStays => 400,
            _ => 403,
        }
    }
}

/// Whether somebody may have rooms, tokens and memberships that stay.
pub fn may_own(person: &Person) -> Result<(), RoomDenied> {
    if person.kind() == IdentityKind::Anonymous { Err(RoomDenied::Anonymous) } else { Ok(()) }
}

/// What a person is in a room, by all its names. `None`: nothing.
pub fn role_in<'a>(
    room: &RoomRecord,
    memberships: impl IntoIterator<Item = &'a MembershipRecord>,
    person: &Person,
) -> Option<MemberRole> {
    let made_it = person.is(&room.created_by).then_some(MemberRole::Owner);
    let own = memberships.into_iter().filter(|one| one.room_id == room.room_id && person.is(&one.member));
    let roles = own.map(|one| one.role).chain(made_it);
    roles.min_by_key(|role| *role != MemberRole::Owner)
}

/// Whether somebody who is this in a room may do that with it.
pub fn may_do(deed: RoomDeed, role: Option<MemberRole>) -> Result<(), RoomDenied> {
    let refusal = match (role, deed) {
        (Some(MemberRole::Owner), _)
        | (Some(MemberRole::Member), RoomDeed::See | RoomDeed::SeeWorkers | RoomDeed::MakeToken) => return Ok(()),
        (Some(MemberRole::Member), RoomDeed::Change) => RoomDenied::ChangeIsOwners,
        (Some(MemberRole::Member), RoomDeed::Invite) => RoomDenied::InviteIsOwners,
        (Some(MemberRole::Member), RoomDeed::Delete) => RoomDenied::DeleteIsOwners,
        (None, RoomDeed::SeeWorkers) => RoomDenied::NoWorkers,
        (None, RoomDeed::MakeToken) => RoomDenied::NoTokens,
        (None, RoomDeed::See | RoomDeed::Change | RoomDeed::Invite | RoomDeed::Delete) => RoomDenied::NoRoom,
    };
    Err(refusal)
}

/// How somebody ends being a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// By its own wish.
    Leaves,
    /// By the owner's.
    IsRemoved,
}

/// Whether somebody who is `role` in a room may end the membership of one who is `of` in it. `is_self`: that is the same person.
pub fn may_remove(role: Option<MemberRole>, of: Option<MemberRole>, is_self: bool) -> Result<Removal, RoomDenied> {
    match (role, of) {
        (None, _) => Err(RoomDenied::NoRoom),
        (Some(MemberRole::Owner), Some(MemberRole::Owner)) => Err(RoomDenied::OwnerStays),
        (Some(MemberRole::Member), _) if is_self => Ok(Removal::Leaves),
        (Some(MemberRole::Member), _) => Err(RoomDenied::RemoveIsOwners),
        (Some(MemberRole::Owner), None) => Err(RoomDenied::NotAMember),
        (Some(MemberRole::Owner), Some(MemberRole::Member)) => Ok(Removal::IsRemoved),
    }
}
