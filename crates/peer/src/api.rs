//! HTTP calls to the server.
//!
//! They block, in a thread of the runtime's pool, for [`TIMEOUT`] at most.

pub mod accounts;
mod error;
pub mod members;
mod methods;
mod rooms;

use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sleap_rtc_session::KeyPair;
use sleap_rtc_wire::http::{AnonymousSignin, KeyNonce, KeySignedIn, KeySignin, key_signin_text};
use sleap_rtc_wire::{MemberId, limits};
use ureq::typestate::{WithBody, WithoutBody};
use ureq::{Agent, RequestBuilder};

pub use error::ApiError;
pub(crate) use error::io_cause;

use crate::settings::Server;

/// How long a call may take, with everything.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// How long opening the connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer, bytes.
const ANSWER: u64 = limits::FRAME as u64;
/// A token is renewed so long before it ends.
const RENEW_BEFORE: Duration = Duration::from_mins(1);

/// Who we are, for an hour. The token is a secret.
#[derive(Clone)]
pub struct SignedIn {
    /// Bearer credential, and the `id_token` of `register`.
    pub id_token: String,
    /// The key's hash.
    pub member: MemberId,
    ends: Instant,
}

impl SignedIn {
    /// Whether the token is still good for a while.
    pub fn is_valid(&self) -> bool {
        Instant::now() + RENEW_BEFORE < self.ends
    }
}

/// What `GET /health` says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Health {
    /// `healthy`.
    pub status: String,
    /// The server's version.
    #[serde(default)]
    pub version: String,
}

/// The server's HTTP side. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Api {
    server: Server,
    agent: Agent,
}

impl Api {
    /// Calls to this server.
    pub fn new(server: Server) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .max_redirects(0)
            .no_delay(true)
            // The signaling socket goes straight to the server too.
            .proxy(None)
            .tls_config(server.trust().of_calls())
            .user_agent(concat!("sleap-rtc/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { server, agent: config.new_agent() }
    }

    /// The server that is called.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Signs in with the installation's key: the server's nonce is signed for this address and no other.
    pub async fn sign_in(&self, key: &KeyPair) -> Result<SignedIn, ApiError> {
        let public_key = Some(key.public());
        let asked = Instant::now();
        let first = KeySignin { public_key, ..KeySignin::default() };
        let KeyNonce { nonce } = self.post("/key-signin", None, &first).await?;
        let audience = self.server.audience().to_owned();
        let signature = Some(key.sign(key_signin_text(&audience, &nonce).as_bytes()));
        let second = KeySignin { public_key, nonce: Some(nonce), audience: Some(audience), signature };
        let KeySignedIn { id_token, member, expires_in } = self.post("/key-signin", None, &second).await?;
        Ok(SignedIn { id_token, member, ends: asked + Duration::from_secs(expires_in) })
    }

    /// Signs in without a key, as somebody who is forgotten again.
    pub async fn sign_in_anonymously(&self) -> Result<AnonymousSignin, ApiError> {
        self.post("/anonymous-signin", None, &serde_json::json!({})).await
    }

    /// Whether the server is there, and which one it is.
    pub async fn health(&self) -> Result<Health, ApiError> {
        self.get("/health", None).await
    }

    /// Any other call: GETs a JSON answer.
    pub async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        bearer: Option<&str>,
    ) -> Result<T, ApiError> {
        let url = self.url(path);
        self.ask(self.agent.get(&url), url, bearer).await
    }

    /// Any other call: POSTs a JSON body, reads a JSON answer.
    pub async fn post<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        bearer: Option<&str>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ApiError> {
        let url = self.url(path);
        self.tell(self.agent.post(&url), url, bearer, body).await
    }

    /// Sends a request without a body.
    async fn ask<T: DeserializeOwned + Send + 'static>(
        &self,
        request: RequestBuilder<WithoutBody>,
        url: String,
        bearer: Option<&str>,
    ) -> Result<T, ApiError> {
        let request = with_bearer(request, bearer);
        self.call(url, move || request.call()).await
    }

    /// Sends a request with a JSON body.
    async fn tell<T: DeserializeOwned + Send + 'static>(
        &self,
        request: RequestBuilder<WithBody>,
        url: String,
        bearer: Option<&str>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ApiError> {
        let body = serde_json::to_string(body).map_err(|error| ApiError::internal(&error))?;
        let request = with_bearer(request, bearer).header("Content-Type", "application/json");
        self.call(url, move || request.send(body)).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.http())
    }

    async fn call<T: DeserializeOwned + Send + 'static>(
        &self,
        url: String,
        send: impl FnOnce() -> Result<ureq::http::Response<ureq::Body>, ureq::Error> + Send + 'static,
    ) -> Result<T, ApiError> {
        let url = without_query(url);
        let work = move || {
            let mut response = send().map_err(|error| ApiError::of_transport(&url, &error))?;
            let status = response.status().as_u16();
            let text = response
                .body_mut()
                .with_config()
                .limit(ANSWER)
                .read_to_string()
                .map_err(|error| ApiError::of_transport(&url, &error))?;
            if !(200..300).contains(&status) {
                return Err(ApiError::of_answer(&url, status, &text));
            }
            serde_json::from_str(&text).map_err(|_| ApiError::NotAServer { url, status })
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))?
    }
}

/// What an error names: a query may hold a secret, such as a login's state.
fn without_query(mut url: String) -> String {
    if let Some(at) = url.find('?') {
        url.truncate(at);
    }
    url
}

fn with_bearer<B>(request: RequestBuilder<B>, bearer: Option<&str>) -> RequestBuilder<B> {
    match bearer {
        Some(bearer) => request.header("Authorization", format!("Bearer {bearer}")),
        None => request,
    }
}
