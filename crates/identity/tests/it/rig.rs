//! A server's identities, and an installation that signs in.

use std::sync::Arc;

use ed25519_dalek::{Signer, SigningKey};
use sleap_rtc_identity::{Identity, IdentityError, KeyProof, Local, SignedIn};
use sleap_rtc_store::{Memory, Store};
use sleap_rtc_wire::http::key_signin_text;
use sleap_rtc_wire::{PublicKey, Signature, Time};

pub(crate) const NOW: Time = Time(1_764_000_000_000);
pub(crate) const HOST: &str = "admin-box:8001";

pub(crate) struct Rig {
    pub(crate) identity: Local,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn rig() -> Rig {
    let (store, folder): (Arc<dyn Store>, _) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
    let identity = Local::open(&folder.path().join("server.key"), store.clone()).unwrap();
    Rig { identity, store, folder }
}

pub(crate) struct Installation(SigningKey);

impl Installation {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    pub(crate) fn key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn proof(&self, audience: &str, nonce: &str) -> KeyProof {
        let signature = self.0.sign(key_signin_text(audience, nonce).as_bytes());
        KeyProof {
            public_key: self.key(),
            nonce: nonce.to_owned(),
            audience: audience.to_owned(),
            signature: Signature(signature.to_bytes()),
        }
    }

    pub(crate) async fn sign_in(&self, identity: &impl Identity, now: Time) -> Result<SignedIn, IdentityError> {
        let nonce = identity.key_nonce(self.key(), now).await?;
        identity.sign_in_key(self.proof(HOST, &nonce), now).await
    }
}
