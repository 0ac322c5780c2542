//! Accounts: names for people, the keys that belong to them, and the ways into their rooms.

use crate::debug::debug_only;
use crate::{KeyHash, KeyId, MemberId, PublicKey, RoomId, Time};

/// A person's name. The keys of installations are attached to it by [`DeviceKeyRecord`]s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// Owner of rooms, as the subject of the account's tokens. A GitHub account's is its number there (digits only, as with the
    /// deployed server), a local account's begins with `u_`.
    pub member: MemberId,
    /// What others see. Nobody else has it, in whatever case.
    pub username: String,
    /// A picture.
    pub avatar_url: Option<String>,
    /// When it was made.
    pub created_at: Time,
}

/// What a key is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiKeyKind {
    /// Everything that its account may do.
    Account,
    /// Being a worker of this room.
    Worker(RoomId),
}

/// A key of an account, or of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// Its hash; its public name is the hash's.
    pub hash: KeyHash,
    /// What it is good for.
    pub kind: ApiKeyKind,
    /// The account that made it.
    pub owner: MemberId,
    /// Its name, for people; a worker's is the worker's.
    pub name: String,
    /// When it was made.
    pub created_at: Time,
    /// When it ends; `None`: never.
    pub expires_at: Option<Time>,
    /// Since when it is good no more.
    pub revoked_at: Option<Time>,
}

impl ApiKeyRecord {
    /// Its public name.
    pub fn id(&self) -> KeyId {
        self.hash.id()
    }

    /// Whether it is good now.
    pub fn is_active(&self, now: Time) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }
}

/// A key of an installation that belongs to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceKeyRecord {
    /// Its name for programs.
    pub key_id: KeyId,
    /// Whose it is.
    pub account: MemberId,
    /// The key.
    pub public_key: PublicKey,
    /// The computer's name, for people.
    pub device_name: String,
    /// Since when.
    pub registered_at: Time,
    /// Whether the installation showed that it has the key, by signing in with it. Deployed programs only say that they have it:
    /// such a key is told to the workers of the account's rooms, and gives the account nothing that is the key's.
    pub proven: bool,
}

/// A way into a room for those who know its code.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteRecord {
    /// Eight capital letters and digits. A secret.
    pub code: String,
    /// The room.
    pub room_id: RoomId,
    /// Who made it.
    pub made_by: MemberId,
    /// When it ends.
    pub expires_at: Time,
}

debug_only!(InviteRecord { room_id, made_by, expires_at });
