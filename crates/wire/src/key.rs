//! Ed25519 keys and signatures as they are written on the wire: url-safe base64 without padding.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::MemberId;

/// A text that is not a key or a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {0} bytes of url-safe base64 without padding")]
pub struct InvalidKey(usize);

macro_rules! bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidKey;

            fn from_str(text: &str) -> Result<Self, InvalidKey> {
                let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidKey($len))?;
                bytes.try_into().map(Self).map_err(|_| InvalidKey($len))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

bytes!(
    /// An installation's public key.
    PublicKey, 32
);
bytes!(
    /// An Ed25519 signature.
    Signature, 64
);

impl PublicKey {
    /// The member that this key is: the lower-case hex BLAKE3 hash of its 32 bytes.
    pub fn member(&self) -> MemberId {
        let hex = blake3::hash(&self.0).to_hex();
        // 64 hex characters are always a valid member id.
        MemberId::new(&hex).unwrap_or_else(|_| unreachable!())
    }
}
