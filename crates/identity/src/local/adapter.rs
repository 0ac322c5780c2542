//! The port over a signing key and a store.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sleap_rtc_store::{IdentityAfter, Store};
use sleap_rtc_wire::http::key_signin_text;
use sleap_rtc_wire::record::{AccountRecord, Change, IdentityKind, IdentityRecord};
use sleap_rtc_wire::{MemberId, PublicKey, Time};

use super::key_file;
use super::nonce::Nonces;
use super::token::{self, Kind};
use crate::{Identity, IdentityError, KeyFileError, KeyProof, SignedIn, Subject};

/// How long a token is good, ms: as with the deployed server.
const TOKEN_MS: u64 = 3_600_000;
/// How long an account's is, ms: as with the deployed server.
const ACCOUNT_TOKEN_MS: u64 = 7 * 24 * 3_600_000;
/// Issuer and audience of an account's token, as with the deployed server.
const ISSUER: &str = "sleap-rtc";

/// Claims of an id token, under their registered names where there are any.
#[derive(Serialize, Deserialize)]
struct Claims {
    sub: MemberId,
    username: String,
    kind: IdentityKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<PublicKey>,
    /// Unix seconds.
    iat: u64,
    /// Unix seconds.
    exp: u64,
    /// [`ISSUER`], in the token of an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
}

/// Identities of this server alone.
///
/// Both kinds are written to the store when they sign in first, and every token is checked against it, so whoever is
/// forgotten is out at once.
pub struct Local {
    store: Arc<dyn Store>,
    key: SigningKey,
    nonces: Mutex<Nonces>,
}

impl Local {
    /// Uses the key in this file, and makes the file (readable by its owner only) if there is none.
    pub fn open(key_file: &Path, store: Arc<dyn Store>) -> Result<Self, KeyFileError> {
        let key = key_file::load_or_make(key_file)?;
        let run = getrandom::u64().map_err(|error| KeyFileError::Random(error.to_string()))?;
        Ok(Self { store, key, nonces: Mutex::new(Nonces::new(run)) })
    }

    /// A secret of this server's for another purpose, which `context` names: the same after every restart, and of no use for
    /// anything else.
    pub fn derive(&self, context: &'static str) -> [u8; 32] {
        blake3::derive_key(context, self.key.as_bytes())
    }

    /// Whether the account that a token names is there, and still has the computer that the token was given to.
    async fn account_is_there(&self, claims: &Claims) -> Result<bool, IdentityError> {
        if let Some(key) = &claims.key {
            let device = self.store.device_key(key).await?;
            if device.is_none_or(|device| device.account != claims.sub) {
                return Ok(false);
            }
        }
        Ok(self.store.account(&claims.sub).await?.is_some())
    }

    fn signed_in(&self, record: IdentityRecord, now: Time) -> SignedIn {
        let IdentityRecord { member, kind, username, key, .. } = record;
        let (lasts, issuer) = match kind {
            IdentityKind::Account => (ACCOUNT_TOKEN_MS, Some(ISSUER.to_owned())),
            IdentityKind::Anonymous | IdentityKind::Key => (TOKEN_MS, None),
        };
        let (iat, exp) = (now.unix_seconds(), now.plus_ms(lasts).unix_seconds());
        let subject = Subject { member, kind, key, username, expires: Time::from_unix_seconds(exp) };
        let claims = Claims {
            sub: subject.member.clone(),
            username: subject.username.clone(),
            kind,
            key,
            iat,
            exp,
            iss: issuer.clone(),
            aud: issuer,
        };
        SignedIn { id_token: token::sign(&self.key, Kind::Id, &claims), subject }
    }
}

fn random<const N: usize>() -> Result<[u8; N], IdentityError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| IdentityError::Random(error.to_string()))?;
    Ok(bytes)
}

/// A random UUID (version 4), the form of the deployed server's anonymous names.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let n = u128::from_be_bytes(bytes);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        n >> 96,
        n >> 80 & 0xffff,
        n >> 64 & 0xffff,
        n >> 48 & 0xffff,
        n & 0xffff_ffff_ffff
    )
}

#[async_trait]
impl Identity for Local {
    async fn sign_in_anonymous(&self, now: Time) -> Result<SignedIn, IdentityError> {
        let username = uuid(random()?);
        // A UUID is always a valid member id.
        let member = MemberId::new(&username).map_err(|_| IdentityError::InvalidToken)?;
        let record = IdentityRecord { member, kind: IdentityKind::Anonymous, username, key: None, created_at: now };
        self.store.apply(vec![Change::PutIdentity(record.clone())]).await?;
        Ok(self.signed_in(record, now))
    }

    async fn key_nonce(&self, key: PublicKey, now: Time) -> Result<String, IdentityError> {
        let id = u64::from_le_bytes(random()?);
        Ok(self.nonces.lock().unwrap_or_else(PoisonError::into_inner).make(&self.key, key, id, now))
    }

    async fn sign_in_key(&self, proof: KeyProof, now: Time) -> Result<SignedIn, IdentityError> {
        let key = VerifyingKey::from_bytes(&proof.public_key.0).map_err(|_| IdentityError::InvalidSignature)?;
        let text = key_signin_text(&proof.audience, &proof.nonce);
        key.verify_strict(text.as_bytes(), &Signature::from_bytes(&proof.signature.0))
            .map_err(|_| IdentityError::InvalidSignature)?;
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner).take(
            &self.key,
            proof.public_key,
            &proof.nonce,
            now,
        )?;
        let member = proof.public_key.member();
        let record = if let Some(record) = self.store.identity(&member).await? {
            record
        } else {
            let (username, key) = (member.to_string(), Some(proof.public_key));
            let record = IdentityRecord { member, kind: IdentityKind::Key, username, key, created_at: now };
            self.store.apply(vec![Change::PutIdentity(record.clone())]).await?;
            record
        };
        Ok(self.signed_in(record, now))
    }

    async fn sign_in_account(
        &self,
        account: &AccountRecord,
        computer: Option<PublicKey>,
        now: Time,
    ) -> Result<SignedIn, IdentityError> {
        let AccountRecord { member, username, created_at, .. } = account.clone();
        let (kind, key) = (IdentityKind::Account, computer);
        Ok(self.signed_in(IdentityRecord { member, kind, username, key, created_at }, now))
    }

    async fn verify(&self, id_token: &str, now: Time) -> Result<Subject, IdentityError> {
        let claims: Claims = token::open(&self.key, Kind::Id, id_token).ok_or(IdentityError::InvalidToken)?;
        let expires = Time::from_unix_seconds(claims.exp);
        if expires <= now {
            return Err(IdentityError::TokenExpired);
        }
        let is_there = match claims.kind {
            IdentityKind::Account => self.account_is_there(&claims).await?,
            IdentityKind::Anonymous | IdentityKind::Key => self.store.identity(&claims.sub).await?.is_some(),
        };
        if !is_there {
            return Err(IdentityError::Forgotten);
        }
        Ok(Subject { member: claims.sub, kind: claims.kind, key: claims.key, username: claims.username, expires })
    }

    async fn forget(&self, member: &MemberId) -> Result<(), IdentityError> {
        Ok(self.store.apply(vec![Change::DeleteIdentity(member.clone())]).await?)
    }

    async fn anonymous_before(
        &self,
        before: Time,
        after: Option<&IdentityAfter>,
        limit: usize,
    ) -> Result<Vec<IdentityRecord>, IdentityError> {
        Ok(self.store.identities_before(IdentityKind::Anonymous, before, after, limit).await?)
    }
}
