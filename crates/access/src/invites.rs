//! Codes by which somebody becomes a member of a room.

use sleap_rtc_wire::record::{Change, InviteRecord};
use sleap_rtc_wire::{Code, Time, limits};

/// How long a code is good, ms: an hour, as with the deployed server.
pub const INVITE_MS: u64 = 3_600_000;
/// Characters of a code.
const LENGTH: usize = 8;
/// What a code is made of: no `I`, `O`, `0` and `1`, which people take for each other.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Why there is no code, or none by which somebody comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteDenied {
    /// There is no such code.
    #[error("Invalid invite code")]
    Unknown,
    /// There was one.
    #[error("Invite code expired")]
    Expired,
    /// The room has as many as it may have.
    #[error("the room has {} invites that are good now, no more are allowed; each ends after an hour", limits::INVITES)]
    TooMany,
    /// The room has as many members as it may have.
    #[error("the room has {} members, no more are allowed", limits::MEMBERS)]
    Full,
}

impl InviteDenied {
    /// For a program.
    pub const fn code(self) -> Code {
        match self {
            Self::Unknown | Self::Expired => Code::InvalidMessage,
            Self::TooMany | Self::Full => Code::TooLarge,
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Unknown | Self::Expired => 400,
            Self::TooMany | Self::Full => 409,
        }
    }
}

/// A new code, from random bytes.
pub fn invite_code(random: [u8; LENGTH]) -> String {
    random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|letter| char::from(*letter)).collect()
}

/// A code as somebody typed it: in whatever case, with spaces and dashes. `None`: nothing that we would make.
pub fn typed_code(text: &str) -> Option<String> {
    // No more is looked at than a person would type.
    let letters = text.chars().take(4 * LENGTH).filter(|c| !c.is_whitespace() && *c != '-');
    let code: String = letters.map(|c| c.to_ascii_uppercase()).collect();
    let is_code = code.len() == LENGTH && code.bytes().all(|byte| ALPHABET.contains(&byte));
    is_code.then_some(code)
}

/// Makes place for one more code of a room that has these: what has had its time goes.
pub fn may_invite(existing: &[InviteRecord], now: Time) -> Result<Vec<Change>, InviteDenied> {
    let (good, ended): (Vec<_>, Vec<_>) = existing.iter().partition(|invite| invite.expires_at > now);
    if good.len() >= limits::INVITES {
        return Err(InviteDenied::TooMany);
    }
    Ok(ended.into_iter().map(|invite| Change::DeleteInvite(invite.code.clone())).collect())
}

/// Whether a code lets somebody in: `found` is what the store has under it.
pub fn may_come_by(found: Option<&InviteRecord>, now: Time) -> Result<&InviteRecord, InviteDenied> {
    let invite = found.ok_or(InviteDenied::Unknown)?;
    if invite.expires_at > now { Ok(invite) } else { Err(InviteDenied::Expired) }
}

/// Whether a room with so many members takes one more.
pub fn may_take_in(members: usize) -> Result<(), InviteDenied> {
    if members < limits::MEMBERS { Ok(()) } else { Err(InviteDenied::Full) }
}
