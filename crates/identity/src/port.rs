//! The port: sign in, show a token, be forgotten.

use async_trait::async_trait;
use sleap_rtc_store::IdentityAfter;
use sleap_rtc_wire::record::{AccountRecord, IdentityKind, IdentityRecord};
use sleap_rtc_wire::{MemberId, PublicKey, Signature, Time};

use crate::IdentityError;

/// Whom a token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Owner of rooms and claims.
    pub member: MemberId,
    /// How it signed in.
    pub kind: IdentityKind,
    /// The key that it proved, for [`IdentityKind::Key`] and for an account's token that was given to a computer's key.
    pub key: Option<PublicKey>,
    /// What old programs use as their peer id.
    pub username: String,
    /// When the token ends.
    pub expires: Time,
}

/// A fresh token. It is a secret, hence no `Debug`.
#[derive(Clone)]
pub struct SignedIn {
    /// To be shown from now on.
    pub id_token: String,
    /// Whom it names.
    pub subject: Subject,
}

/// What an installation shows to sign in.
#[derive(Clone, Debug)]
pub struct KeyProof {
    /// Its key.
    pub public_key: PublicKey,
    /// From [`Identity::key_nonce`] for this very key.
    pub nonce: String,
    /// The address that it believes to talk to. The caller has compared it with its own.
    pub audience: String,
    /// Over [`sleap_rtc_wire::http::key_signin_text`] of audience and nonce.
    pub signature: Signature,
}

/// Who is asking.
#[async_trait]
pub trait Identity: Send + Sync + 'static {
    /// A new identity that nobody had before. It is remembered until [`Identity::forget`].
    async fn sign_in_anonymous(&self, now: Time) -> Result<SignedIn, IdentityError>;

    /// Something to sign within a minute, good for one sign-in with this key.
    async fn key_nonce(&self, key: PublicKey, now: Time) -> Result<String, IdentityError>;

    /// The identity of an installation's key: the same every time.
    async fn sign_in_key(&self, proof: KeyProof, now: Time) -> Result<SignedIn, IdentityError>;

    /// A token of a person, good for seven days: the account is in the store, and whoever asks has shown to be that person. `computer`:
    /// by this key, if it was one of the account's; then the token ends with its place in the account.
    async fn sign_in_account(
        &self,
        account: &AccountRecord,
        computer: Option<PublicKey>,
        now: Time,
    ) -> Result<SignedIn, IdentityError>;

    /// Whom a token names, if it is good and its identity or account still exists.
    async fn verify(&self, id_token: &str, now: Time) -> Result<Subject, IdentityError>;

    /// Ends an identity: its tokens fail from now on. One that is not there is fine.
    async fn forget(&self, member: &MemberId) -> Result<(), IdentityError>;

    /// A page of the anonymous identities that signed in before `before`, by that time.
    async fn anonymous_before(
        &self,
        before: Time,
        after: Option<&IdentityAfter>,
        limit: usize,
    ) -> Result<Vec<IdentityRecord>, IdentityError>;
}
