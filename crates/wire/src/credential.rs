//! Keys of accounts and workers, as the deployed programs show them: long-lived secrets.

use std::fmt;
use std::str::FromStr;

/// How the key of an account begins.
pub const ACCOUNT_KEY: &str = "slp_acct_";
/// How the key of a worker (a room's *token*, in the deployed programs' word) begins, and that of an account too.
pub const API_KEY: &str = "slp_";

/// A key as its owner shows it. A secret: it has no `Debug` or `Display`, and is remembered only as its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key of an account or a worker: it begins with slp_ and has up to 128 letters, digits, '-' or '_'")]
pub struct InvalidApiKey;

/// The longest key, bytes: the deployed server's have 41.
const LONGEST: usize = 128;

impl ApiKey {
    /// A key of an account from 24 random bytes in base64.
    pub fn of_account(random: [u8; 24]) -> Self {
        Self::with_prefix(ACCOUNT_KEY, random)
    }

    /// A key of a worker from 24 random bytes.
    pub fn of_worker(random: [u8; 24]) -> Self {
        Self::with_prefix(API_KEY, random)
    }

    fn with_prefix(prefix: &str, random: [u8; 24]) -> Self {
        use base64::Engine;
        Self(format!("{prefix}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random)))
    }

    /// The secret itself, to be told to its owner once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is remembered of it. A key has 24 random bytes, so a plain hash does not help anybody to guess it.
    pub fn hash(&self) -> KeyHash {
        KeyHash(*blake3::hash(self.0.as_bytes()).as_bytes())
    }

    /// Whether it begins as the key of an account does.
    pub fn is_of_account(&self) -> bool {
        self.0.starts_with(ACCOUNT_KEY)
    }
}

impl FromStr for ApiKey {
    type Err = InvalidApiKey;

    fn from_str(text: &str) -> Result<Self, InvalidApiKey> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = text.starts_with(API_KEY) && text.len() <= LONGEST && text.bytes().all(is_word);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidApiKey) }
    }
}

/// The hash of an [`ApiKey`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The public name of the key with this hash: by it lists, logs and revocations mean the key without telling it.
    pub fn id(&self) -> crate::KeyId {
        let number = self.0.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        crate::KeyId::new(&format!("key_{number:016x}")).unwrap_or_else(|_| unreachable!())
    }
}

/// By its public name.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({})", self.id())
    }
}
