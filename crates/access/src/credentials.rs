//! What somebody may show, and whether it is still good.

use sleap_rtc_wire::record::{ApiKeyKind, ApiKeyRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{ACCOUNT_KEY, API_KEY, Time};

/// What a `register` shows: the first of these that is there, as with the deployed server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// The key of an account.
    AccountKey(&'a str),
    /// The key of a room's worker.
    WorkerKey(&'a str),
    /// A token of an account.
    Jwt(&'a str),
    /// A token of a key or of an anonymous identity.
    IdToken(&'a str),
}

impl<'a> Credential<'a> {
    /// `None`: nothing is there. An `api_key` that does not look like one is as good as none.
    pub fn of(register: &'a Register) -> Option<Self> {
        let key = given(register.api_key.as_deref()).filter(|key| key.starts_with(API_KEY));
        match (key, given(register.jwt.as_deref()), given(register.id_token.as_deref())) {
            (Some(key), _, _) if key.starts_with(ACCOUNT_KEY) => Some(Self::AccountKey(key)),
            (Some(key), _, _) => Some(Self::WorkerKey(key)),
            (None, Some(jwt), _) => Some(Self::Jwt(jwt)),
            (None, None, Some(token)) => Some(Self::IdToken(token)),
            (None, None, None) => None,
        }
    }
}

/// What Python takes for missing, an empty text, is missing.
pub(crate) fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// Why a key is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// There is no such key, or its account or worker is gone.
    Unknown,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
}

impl KeyFault {
    /// In the deployed server's words for the key of an account.
    pub const fn of_account(self) -> &'static str {
        match self {
            Self::Unknown => "Invalid account key",
            Self::Revoked => "Account key revoked",
            Self::Expired => "Account key expired",
        }
    }

    /// In its words for the key of a worker.
    pub const fn of_worker(self) -> &'static str {
        match self {
            Self::Unknown => "Invalid API key",
            Self::Revoked => "Token revoked",
            Self::Expired => "Token expired",
        }
    }
}

/// Whether a key is good: `record` is what is remembered of it, `of_account` whether it looks like the key of an account.
pub fn check_key(record: Option<&ApiKeyRecord>, of_account: bool, now: Time) -> Result<&ApiKeyRecord, KeyFault> {
    let is_such = |record: &&ApiKeyRecord| (record.kind == ApiKeyKind::Account) == of_account;
    let record = record.filter(is_such).ok_or(KeyFault::Unknown)?;
    if record.revoked_at.is_some() {
        Err(KeyFault::Revoked)
    } else if record.is_active(now) {
        Ok(record)
    } else {
        Err(KeyFault::Expired)
    }
}
