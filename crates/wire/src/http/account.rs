//! Bodies about accounts: our own end points beside those of the deployed server.

use serde::{Deserialize, Serialize};

use crate::debug::debug_only;
use crate::{KeyId, MemberId, PublicKey};

/// A person, as programs are told of them. The deployed programs look for the id under both names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The account.
    pub id: MemberId,
    /// The same.
    pub user_id: MemberId,
    /// Their name.
    pub username: String,
    /// A picture.
    pub avatar_url: Option<String>,
}

/// Body of `POST /api/auth/account`: the installation that signed in makes an account, and is its first device. Body of
/// `POST /admin/accounts` as well, where the operator makes one for somebody else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateAccount {
    /// 1 to 39 letters, digits, `-`, `_` or `.`; taken: `CONFLICT`, 409.
    pub username: String,
    /// How the computer is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
}

/// Answer of `POST /api/auth/account`, `POST /api/auth/key-login`, `POST /admin/accounts` and of the deployed server's GitHub call back.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccountSignedIn {
    /// Bearer credential, and the `jwt` of `register`. Good for seven days.
    pub token: String,
    /// Whom it names.
    pub user: User,
    /// A key of the account, only for one that was just made by the operator or through GitHub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_key: Option<String>,
}

debug_only!(AccountSignedIn { user });

/// Body of `POST /api/auth/device`, with the account's credential as Bearer: attaches an installation that shows that it has its key.
/// The answer is a [`Device`].
#[derive(Clone, Serialize, Deserialize)]
pub struct AttachDevice {
    /// The `id_token` of the installation's own `POST /key-signin`.
    pub id_token: String,
    /// How the computer is called.
    pub device_name: String,
}

debug_only!(AttachDevice { device_name });

/// An installation of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its name for programs.
    pub key_id: KeyId,
    /// Its key.
    pub public_key: PublicKey,
    /// How the computer is called.
    pub device_name: String,
    /// ISO 8601.
    pub registered_at: String,
    /// Whether it showed that it has the key.
    #[serde(default)]
    pub proven: bool,
}

/// Answer of `GET /api/auth/account`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Who asks.
    pub user: User,
    /// Their installations.
    pub devices: Vec<Device>,
}

/// Answer of `GET /api/auth/cli/asking?code=`: which computer waits to be let in by somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asking {
    /// Its address.
    pub address: String,
    /// What it calls itself (its program's `User-Agent`), cleaned.
    pub program: String,
    /// How long it has been waiting, seconds.
    pub since_seconds: u64,
}

/// Body of `POST /api/auth/cli/allow`, with the account's credential as Bearer: the computer that shows this code gets a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllowLogin {
    /// As the page shows it: eight letters and digits, `ABCD-2345`.
    pub code: String,
}
