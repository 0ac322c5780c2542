//! The installation's key.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sleap_rtc_wire::{PublicKey, Signature};

/// An Ed25519 key with its secret half. Never printed, never sent.
#[derive(Clone)]
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// The key that a seed makes: 32 bytes of chance that the installation keeps.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs. The caller puts the purpose in front of the message, so that no signature serves two.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public())
    }
}

/// Whether `key` signed `message`. Strict: weak keys and malleable signatures do not count.
pub(crate) fn verify(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    VerifyingKey::from_bytes(&key.0)
        .is_ok_and(|key| key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0)).is_ok())
}
