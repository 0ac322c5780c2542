//! Calls about accounts: who somebody is, which computers are theirs, and the keys that stand for them.
//!
//! An account's calls show its token, of a login or of [`Api::key_login`], for which an attached installation's id token is enough.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use sleap_rtc_wire::KeyId;
use sleap_rtc_wire::http::{Account, AccountSignedIn, AllowLogin, Asking, AttachDevice, CreateAccount, Device, User};

use super::{Api, ApiError};

/// A login that is under way, by its name that nobody can guess. A secret: who knows it gets the token.
#[derive(Clone)]
pub struct LoginState(String);

impl LoginState {
    /// A new one.
    pub fn draw() -> Result<Self, ApiError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| ApiError::Internal(error.to_string()))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The name itself, for the page's address.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// How a login stands.
#[derive(Clone)]
pub enum Polled {
    /// Nobody has allowed it yet.
    Pending {
        /// What the page shows too; a computer that is logged in can allow it by this.
        code: Option<String>,
    },
    /// Somebody has.
    Allowed {
        /// The account's token. A secret.
        token: String,
        /// Whose it is.
        user: User,
    },
}

#[derive(Deserialize)]
struct PollAnswer {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    jwt: Option<String>,
    #[serde(default)]
    user: Option<User>,
}

/// A key of an account that was just made.
#[derive(Clone, Deserialize)]
pub struct NewAccountKey {
    /// The secret: shown this once.
    pub key_id: String,
    /// Its public name, under which lists have it.
    pub id: KeyId,
    /// What it is called.
    pub name: String,
}

/// A key of an account, as lists have it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AccountKey {
    /// Its public name.
    pub key_id: String,
    /// What it is called.
    #[serde(default)]
    pub name: String,
    /// ISO 8601.
    pub created_at: String,
    /// ISO 8601; `None`: never.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// Since when it is good no more.
    #[serde(default)]
    pub revoked_at: Option<String>,
}

#[derive(Deserialize)]
struct AccountKeys {
    keys: Vec<AccountKey>,
}

impl Api {
    /// Makes an account of which the installation that signed in is the first computer.
    pub async fn create_account(&self, id_token: &str, account: &CreateAccount) -> Result<AccountSignedIn, ApiError> {
        self.post("/api/auth/account", Some(id_token), account).await
    }

    /// Makes an account for somebody else, with a key of it.
    pub async fn create_account_for(
        &self,
        operator: &str,
        account: &CreateAccount,
    ) -> Result<AccountSignedIn, ApiError> {
        self.post("/admin/accounts", Some(operator), account).await
    }

    /// The account that has the installation attached; `None` if none has.
    pub async fn key_login(&self, id_token: &str) -> Result<Option<AccountSignedIn>, ApiError> {
        match self.post("/api/auth/key-login", Some(id_token), &json!({})).await {
            Ok(signed_in) => Ok(Some(signed_in)),
            Err(ApiError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The account and its computers.
    pub async fn account(&self, token: &str) -> Result<Account, ApiError> {
        self.get("/api/auth/account", Some(token)).await
    }

    /// Attaches an installation to the account whose token this is.
    pub async fn attach_device(&self, token: &str, device: &AttachDevice) -> Result<Device, ApiError> {
        self.post("/api/auth/device", Some(token), device).await
    }

    /// Takes a computer from the account.
    pub async fn detach_device(&self, token: &str, device: &KeyId) -> Result<(), ApiError> {
        self.delete::<serde_json::Value>(&format!("/api/auth/public-keys/{device}"), Some(token)).await.map(drop)
    }

    /// Asks how a login stands. Its first call makes it known to the server.
    pub async fn poll_login(&self, state: &LoginState) -> Result<Polled, ApiError> {
        let answer: PollAnswer = self.get(&format!("/api/auth/cli/poll?state={}", state.reveal()), None).await?;
        Ok(match (answer.jwt, answer.user) {
            (Some(token), Some(user)) => Polled::Allowed { token, user },
            _ => Polled::Pending { code: answer.code },
        })
    }

    /// Which computer asks with this code.
    pub async fn asking(&self, token: &str, code: &str) -> Result<Asking, ApiError> {
        self.get(&format!("/api/auth/cli/asking?code={code}"), Some(token)).await
    }

    /// Lets the computer with this code in, as the account whose token this is.
    pub async fn allow_login(&self, token: &str, code: &str) -> Result<(), ApiError> {
        let body = AllowLogin { code: code.to_owned() };
        self.post::<serde_json::Value>("/api/auth/cli/allow", Some(token), &body).await.map(drop)
    }

    /// Makes a key that is as good as the account.
    pub async fn create_account_key(&self, token: &str, name: &str) -> Result<NewAccountKey, ApiError> {
        self.post("/api/auth/account-keys", Some(token), &json!({"name": name})).await
    }

    /// The account's keys, without the secrets.
    pub async fn account_keys(&self, token: &str) -> Result<Vec<AccountKey>, ApiError> {
        self.get("/api/auth/account-keys", Some(token)).await.map(|list: AccountKeys| list.keys)
    }

    /// Ends a key, by its public name.
    pub async fn revoke_account_key(&self, token: &str, key: &KeyId) -> Result<(), ApiError> {
        self.delete::<serde_json::Value>(&format!("/api/auth/account-keys/{key}"), Some(token)).await.map(drop)
    }
}
