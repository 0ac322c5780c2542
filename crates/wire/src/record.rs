//! What must be remembered over a restart. Who is connected, and pings, are not among it.

use serde::{Deserialize, Serialize};

mod account;

pub use account::{AccountRecord, ApiKeyKind, ApiKeyRecord, DeviceKeyRecord, InviteRecord};

use crate::debug::debug_only;
use crate::{KeyHash, MemberId, Metadata, PeerId, PublicKey, RoomId, Time};

/// How long a room lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Made by `/create-room` without a body: two hours, and gone when its last peer has been gone for the grace period.
    Ephemeral,
    /// Made with a name: 30 days, or as asked.
    Named,
}

/// How the deployed server's workers are told to form a mesh among themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mesh {
    /// Each worker leads a mesh of its own: then it runs the loop that survives errors and serves browsers.
    #[default]
    Off,
    /// As the deployed server does: the first worker leads, the others connect to it.
    Reference,
}

/// What the owner of a room may switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switches {
    /// How workers form a mesh. Default: off.
    pub mesh: Mesh,
    /// An offer to a worker that is taken is answered with `worker_busy` and not handed on. Default: yes.
    pub strict_offers: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self { mesh: Mesh::Off, strict_offers: true }
    }
}

/// A room, as the store keeps it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRecord {
    /// The room.
    pub room_id: RoomId,
    /// The password that its peers show. A secret: never logged.
    pub token: String,
    /// Who made it.
    pub created_by: MemberId,
    /// When.
    pub created_at: Time,
    /// Its name, for people.
    pub name: Option<String>,
    /// How long it lives.
    pub kind: RoomKind,
    /// Its time to live, ms; `None`: for ever. What an extension and a connected peer add.
    pub ttl_ms: Option<u64>,
    /// When it ends; `None`: never.
    pub expires_at: Option<Time>,
    /// Raised by one and committed whenever the room is loaded: the first half of every fence.
    pub epoch: u64,
    /// What its owner has switched.
    pub switches: Switches,
}

debug_only!(RoomRecord { room_id, created_by, created_at, name, kind, ttl_ms, expires_at, epoch, switches });

/// What a member may do in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Made it.
    Owner,
    /// Came in with the token.
    Member,
}

/// That somebody belongs to a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipRecord {
    /// The room.
    pub room_id: RoomId,
    /// Who.
    pub member: MemberId,
    /// As what.
    pub role: MemberRole,
    /// Since when.
    pub joined_at: Time,
}

/// Where an identity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// `/anonymous-signin`: goes with its last connection.
    Anonymous,
    /// An installation's key: stays.
    Key,
    /// A person with a name: an [`AccountRecord`], never an [`IdentityRecord`].
    Account,
}

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRecord {
    /// The subject of its tokens.
    pub member: MemberId,
    /// Where it comes from.
    pub kind: IdentityKind,
    /// The name that old programs use as peer id; for keys, the member id.
    pub username: String,
    /// Its key, for [`IdentityKind::Key`].
    pub key: Option<PublicKey>,
    /// When it signed in first.
    pub created_at: Time,
}

/// A worker that the room expects: it has been here, takes part in claims or is taken by somebody, and has not left for good. After a restart the room
/// waits for its word before it grants anything, and shows it as silent until it comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// The room.
    pub room_id: RoomId,
    /// The worker.
    pub peer_id: PeerId,
    /// Who it is.
    pub member: MemberId,
    /// What it told of itself when this was written.
    pub metadata: Metadata,
    /// Since when it is missed; `None`: it was connected when this was written.
    pub silent_since: Option<Time>,
    /// Who has a worker that takes no part in claims, as far as the room saw.
    pub taken: Option<Taken>,
}

/// That somebody has a worker of the deployed kind, which does not tell by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The client whose offer it got; absent for a job through the server.
    pub by: Option<PeerId>,
    /// The job that it got through the server.
    pub job_id: Option<String>,
    /// Since when.
    pub since: Time,
}

/// One change to the store. A batch of them is written whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Insert or replace a room; refused if the stored epoch is higher than the record's.
    PutRoom(RoomRecord),
    /// Remove a room with its memberships, its workers, their keys and its invites.
    DeleteRoom(RoomId),
    /// Insert a membership, or change the role of one: it keeps the time it was joined at first. Nothing for a room that is
    /// not there (any more).
    PutMembership(MembershipRecord),
    /// Remove a membership.
    DeleteMembership(RoomId, MemberId),
    /// Insert or replace a worker. Nothing for a room that is not there (any more).
    PutWorker(WorkerRecord),
    /// Forget a worker.
    DeleteWorker(RoomId, PeerId),
    /// Insert or replace an identity.
    PutIdentity(IdentityRecord),
    /// Remove an identity.
    DeleteIdentity(MemberId),
    /// Insert or replace an account; refused if another one has its name.
    PutAccount(AccountRecord),
    /// Remove an account with its keys and its memberships.
    DeleteAccount(MemberId),
    /// Insert or replace a key of an account or a worker. A worker's does nothing for a room that is not there (any more).
    PutApiKey(ApiKeyRecord),
    /// Forget a key of an account or a worker.
    DeleteApiKey(KeyHash),
    /// Insert an installation's key, or change its device's name. What is proven stays so, and a key proven by one account is
    /// taken from another that had it proven before.
    PutDeviceKey(DeviceKeyRecord),
    /// Forget an installation's key of an account.
    DeleteDeviceKey(MemberId, PublicKey),
    /// Insert an invite. Nothing for a room that is not there (any more).
    PutInvite(InviteRecord),
    /// Forget an invite, by its code.
    DeleteInvite(String),
}
