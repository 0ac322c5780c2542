//! Tokens that only this server makes and reads: JSON Web Signatures with one algorithm.
//!
//! The header is not read but compared with the one text that this server writes, so there is no algorithm to choose, no
//! key to name and no `none`. The two kinds differ in their header and so can never stand for each other.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Shows who somebody is.
    Id,
    /// To be signed by somebody who signs in.
    Nonce,
}

impl Kind {
    const fn header(self) -> &'static str {
        match self {
            Self::Id => r#"{"alg":"EdDSA","typ":"JWT"}"#,
            Self::Nonce => r#"{"alg":"EdDSA","typ":"sleap-rtc-nonce"}"#,
        }
    }
}

/// Longer texts are refused before anything is decoded.
const MOST_BYTES: usize = 2048;

pub(super) fn sign(key: &SigningKey, kind: Kind, claims: &impl Serialize) -> String {
    // Our claims are plain structs of texts and numbers: writing them cannot fail.
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    let mut text = format!("{}.{}", URL_SAFE_NO_PAD.encode(kind.header()), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(text.as_bytes());
    text.push('.');
    text.push_str(&URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    text
}

/// The claims of a token that this key has signed as this kind; its time is the caller's business.
pub(super) fn open<T: DeserializeOwned>(key: &SigningKey, kind: Kind, text: &str) -> Option<T> {
    if text.len() > MOST_BYTES {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    if header != URL_SAFE_NO_PAD.encode(kind.header()) {
        return None;
    }
    let signature: [u8; 64] = URL_SAFE_NO_PAD.decode(signature).ok()?.try_into().ok()?;
    key.verifying_key().verify_strict(signed.as_bytes(), &Signature::from_bytes(&signature)).ok()?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}
