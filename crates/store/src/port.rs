//! The port: questions, and one way to write.

use async_trait::async_trait;
use sleap_rtc_wire::record::{
    AccountRecord, ApiKeyRecord, Change, DeviceKeyRecord, IdentityKind, IdentityRecord, InviteRecord, MembershipRecord,
    RoomRecord, WorkerRecord,
};
use sleap_rtc_wire::{ApiKey, KeyId, MemberId, PublicKey, RoomId, Time};

use crate::StoreError;

/// The last row of a page of expired rooms: the next page starts behind it.
pub type ExpiredAfter = (Time, RoomId);

/// The last row of a page of identities: the next page starts behind it.
pub type IdentityAfter = (Time, MemberId);

/// What must be remembered.
///
/// A read sees every write that was confirmed before it was asked. Pages hold at most `limit` rows; a page with fewer rows is
/// the last one.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// One room, expired or not.
    async fn room(&self, room: &RoomId) -> Result<Option<RoomRecord>, StoreError>;

    /// A page of all rooms, ordered by id.
    async fn rooms(&self, after: Option<&RoomId>, limit: usize) -> Result<Vec<RoomRecord>, StoreError>;

    /// A page of the rooms whose end is at or before `now`, ordered by end and id.
    async fn expired_rooms(
        &self,
        now: Time,
        after: Option<&ExpiredAfter>,
        limit: usize,
    ) -> Result<Vec<RoomRecord>, StoreError>;

    /// What somebody is in a room.
    async fn membership(&self, room: &RoomId, member: &MemberId) -> Result<Option<MembershipRecord>, StoreError>;

    /// Who belongs to a room, ordered by member.
    async fn members(&self, room: &RoomId) -> Result<Vec<MembershipRecord>, StoreError>;

    /// Where somebody belongs, ordered by room.
    async fn memberships(&self, member: &MemberId) -> Result<Vec<MembershipRecord>, StoreError>;

    /// The workers that a room expects, ordered by peer.
    async fn workers(&self, room: &RoomId) -> Result<Vec<WorkerRecord>, StoreError>;

    /// Somebody who has signed in.
    async fn identity(&self, member: &MemberId) -> Result<Option<IdentityRecord>, StoreError>;

    /// A page of the identities of one kind that signed in first before `before`, ordered by that time and member.
    async fn identities_before(
        &self,
        kind: IdentityKind,
        before: Time,
        after: Option<&IdentityAfter>,
        limit: usize,
    ) -> Result<Vec<IdentityRecord>, StoreError>;

    /// A person.
    async fn account(&self, member: &MemberId) -> Result<Option<AccountRecord>, StoreError>;

    /// A page of all persons, ordered by member.
    async fn accounts(&self, after: Option<&MemberId>, limit: usize) -> Result<Vec<AccountRecord>, StoreError>;

    /// The person with this name, in whatever case (of ASCII letters).
    async fn account_named(&self, username: &str) -> Result<Option<AccountRecord>, StoreError>;

    /// The record of a key that somebody shows, active or not. The key itself is asked for, and not its hash, because a deployed
    /// server's tables have nothing else.
    async fn api_key(&self, shown: &ApiKey) -> Result<Option<ApiKeyRecord>, StoreError>;

    /// The key with this public name.
    async fn api_key_named(&self, id: &KeyId) -> Result<Option<ApiKeyRecord>, StoreError>;

    /// The keys that an account made, of both kinds, ordered by creation and hash.
    async fn api_keys_of(&self, owner: &MemberId) -> Result<Vec<ApiKeyRecord>, StoreError>;

    /// The keys of a room's workers, ordered by creation and hash.
    async fn api_keys_for(&self, room: &RoomId) -> Result<Vec<ApiKeyRecord>, StoreError>;

    /// The account to which an installation's key belongs, proven.
    async fn device_key(&self, key: &PublicKey) -> Result<Option<DeviceKeyRecord>, StoreError>;

    /// The installations of an account, ordered by the time they were registered and key.
    async fn device_keys_of(&self, account: &MemberId) -> Result<Vec<DeviceKeyRecord>, StoreError>;

    /// The invite with this code, expired or not.
    async fn invite(&self, code: &str) -> Result<Option<InviteRecord>, StoreError>;

    /// The invites into a room, ordered by end and code.
    async fn invites_of(&self, room: &RoomId) -> Result<Vec<InviteRecord>, StoreError>;

    /// Writes all changes in the order given, or none of them. When it returns `Ok`, they survive a crash.
    ///
    /// The fence: a [`Change::PutRoom`] whose epoch is lower than the stored one fails with [`StoreError::Stale`]; an equal
    /// or higher one replaces it. A [`Change::PutAccount`] with a name that another account has fails with
    /// [`StoreError::NameTaken`]. Changes that remove what is not there do nothing, and neither does a change that puts something
    /// into a room that is not there.
    async fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError>;
}
