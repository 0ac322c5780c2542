//! Who somebody is: a person has one account and several computers, each with a key of its own.

use sleap_rtc_wire::record::{AccountRecord, DeviceKeyRecord, IdentityKind};
use sleap_rtc_wire::{MemberId, PublicKey};

/// Somebody under all their names: an account and the keys that it has proven, or one of these alone.
///
/// Whatever belongs to one of the names belongs to the person. A key that an account only says to have (the deployed programs'
/// `public-keys`) is none of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    member: MemberId,
    kind: IdentityKind,
    key: Option<PublicKey>,
    username: String,
    account: Option<AccountRecord>,
    others: Vec<MemberId>,
}

impl Person {
    /// Somebody who signed in by this, and has no account: `username` is what old programs use as their peer id.
    pub fn alone(member: MemberId, kind: IdentityKind, key: Option<PublicKey>, username: String) -> Self {
        Self { member, kind, key, username, account: None, others: Vec::new() }
    }

    /// An account, by its own credential.
    pub fn of_account(account: AccountRecord, devices: &[DeviceKeyRecord]) -> Self {
        let (member, username) = (account.member.clone(), account.username.clone());
        Self::alone(member, IdentityKind::Account, None, username).with_account(account, devices)
    }

    /// The same person with the account that has its key proven, and the account's other keys.
    #[must_use]
    pub fn with_account(mut self, account: AccountRecord, devices: &[DeviceKeyRecord]) -> Self {
        let keys = devices.iter().filter(|one| one.proven && one.account == account.member);
        let names = std::iter::once(account.member.clone()).chain(keys.map(|one| one.public_key.member()));
        self.others = names.filter(|name| *name != self.member).collect();
        self.account = Some(account);
        self
    }

    /// The name under which it showed itself: owner of what it does now.
    pub fn member(&self) -> &MemberId {
        &self.member
    }

    /// How it showed itself.
    pub fn kind(&self) -> IdentityKind {
        self.kind
    }

    /// The key that it showed itself by.
    pub fn key(&self) -> Option<PublicKey> {
        self.key
    }

    /// Its account's name, else what it is called without one.
    pub fn username(&self) -> &str {
        self.account.as_ref().map_or(&self.username, |account| &account.username)
    }

    /// Its account.
    pub fn account(&self) -> Option<&AccountRecord> {
        self.account.as_ref()
    }

    /// All its names, the one that it showed first.
    pub fn members(&self) -> impl Iterator<Item = &MemberId> {
        std::iter::once(&self.member).chain(&self.others)
    }

    /// Whether this is one of its names.
    pub fn is(&self, member: &MemberId) -> bool {
        self.members().any(|name| name == member)
    }
}
