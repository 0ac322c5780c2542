//! Whom a credential names: a person under all its names, as the store knows them.

use sleap_rtc_access::Person;
use sleap_rtc_identity::Subject;
use sleap_rtc_store::{Store, StoreError};
use sleap_rtc_wire::record::{AccountRecord, IdentityKind, MemberRole, MembershipRecord};
use sleap_rtc_wire::{MemberId, RoomId};

/// The person of an account.
pub(crate) async fn of_account(store: &dyn Store, account: AccountRecord) -> Result<Person, StoreError> {
    let devices = store.device_keys_of(&account.member).await?;
    Ok(Person::of_account(account, &devices))
}

/// The person whose token it is. `None`: its account is gone since.
pub(crate) async fn of_subject(store: &dyn Store, subject: Subject) -> Result<Option<Person>, StoreError> {
    let Subject { member, kind, key, username, .. } = subject;
    if kind == IdentityKind::Account {
        return match store.account(&member).await? {
            Some(account) => of_account(store, account).await.map(Some),
            None => Ok(None),
        };
    }
    let alone = Person::alone(member, kind, key, username);
    let Some(key) = key else { return Ok(Some(alone)) };
    let Some(device) = store.device_key(&key).await? else { return Ok(Some(alone)) };
    let Some(account) = store.account(&device.account).await? else { return Ok(Some(alone)) };
    let devices = store.device_keys_of(&account.member).await?;
    Ok(Some(alone.with_account(account, &devices)))
}

/// The person behind a name that the store has: an account, an installation's key or an anonymous identity.
pub(crate) async fn of_member(store: &dyn Store, member: &MemberId) -> Result<Person, StoreError> {
    if let Some(account) = store.account(member).await? {
        return of_account(store, account).await;
    }
    let Some(identity) = store.identity(member).await? else {
        return Ok(Person::alone(member.clone(), IdentityKind::Anonymous, None, member.to_string()));
    };
    let subject = Subject {
        member: identity.member,
        kind: identity.kind,
        key: identity.key,
        username: identity.username,
        expires: identity.created_at,
    };
    let alone = Person::alone(member.clone(), subject.kind, subject.key, subject.username.clone());
    Ok(of_subject(store, subject).await?.unwrap_or(alone))
}

/// Whether a membership of this room is stored under any of the person's names.
pub(crate) async fn belong(store: &dyn Store, room: &RoomId, person: &Person) -> Result<bool, StoreError> {
    for member in person.members() {
        if store.membership(room, member).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where the person belongs under any of its names, ordered by room: once each, as an owner where it is one.
pub(crate) async fn memberships(store: &dyn Store, person: &Person) -> Result<Vec<MembershipRecord>, StoreError> {
    let mut found = Vec::new();
    for member in person.members() {
        found.extend(store.memberships(member).await?);
    }
    found.sort_by_key(|one| (one.room_id.clone(), one.role != MemberRole::Owner, one.joined_at));
    found.dedup_by(|later, first| later.room_id == first.room_id);
    Ok(found)
}
