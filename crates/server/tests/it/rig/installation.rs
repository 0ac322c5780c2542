use ed25519_dalek::{Signer, SigningKey};
use serde_json::json;
use sleap_rtc_wire::http::key_signin_text;
use sleap_rtc_wire::{PublicKey, Signature};

use super::TestServer;
use super::server::text;

/// A program with a key of its own.
#[derive(Clone)]
pub(crate) struct Installation(SigningKey);

impl Installation {
    pub(crate) fn new() -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        Self(SigningKey::from_bytes(&seed))
    }

    /// The one of the machine with this name: the same whenever it comes.
    pub(crate) fn of(name: &str) -> Self {
        let mut seed = [0; 32];
        seed.iter_mut().zip(name.bytes()).for_each(|(seed, byte)| *seed = byte);
        Self(SigningKey::from_bytes(&seed))
    }

    pub(crate) fn key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, audience: &str, nonce: &str) -> Signature {
        Signature(self.0.sign(key_signin_text(audience, nonce).as_bytes()).to_bytes())
    }

    pub(crate) async fn nonce(&self, server: &TestServer) -> String {
        let reply = server.post("/key-signin").json(&json!({"public_key": self.key()})).send().await;
        text(&reply.json()["nonce"])
    }

    /// The id token.
    pub(crate) async fn sign_in(&self, server: &TestServer) -> String {
        let (nonce, audience) = (self.nonce(server).await, server.http.to_string());
        let signature = self.sign(&audience, &nonce);
        let body = json!({"public_key": self.key(), "nonce": nonce, "audience": audience, "signature": signature});
        let reply = server.post("/key-signin").json(&body).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        text(&reply.json()["id_token"])
    }
}
