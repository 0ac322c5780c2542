//! An identity port that fails: what callers are told.

use std::sync::Arc;

use serde_json::json;
use sleap_rtc_identity::{Identity, IdentityError, KeyProof, SignedIn, Subject};
use sleap_rtc_server::Ports;
use sleap_rtc_store::IdentityAfter;
use sleap_rtc_wire::record::{AccountRecord, IdentityRecord};
use sleap_rtc_wire::{MemberId, PublicKey, Time};

use crate::rig::{Installation, TestServer};

/// An identity port of its own, to see that the server knows nothing but the port.
struct Fixed;

#[async_trait::async_trait]
impl Identity for Fixed {
    async fn sign_in_anonymous(&self, _: Time) -> Result<SignedIn, IdentityError> {
        Err(IdentityError::Random("none left".to_owned()))
    }

    async fn key_nonce(&self, _: PublicKey, _: Time) -> Result<String, IdentityError> {
        Ok("nonce".to_owned())
    }

    async fn sign_in_key(&self, _: KeyProof, _: Time) -> Result<SignedIn, IdentityError> {
        Err(IdentityError::TooMany)
    }

    async fn sign_in_account(
        &self,
        _: &AccountRecord,
        _: Option<PublicKey>,
        _: Time,
    ) -> Result<SignedIn, IdentityError> {
        Err(IdentityError::TooMany)
    }

    async fn verify(&self, _: &str, _: Time) -> Result<Subject, IdentityError> {
        Err(IdentityError::TokenExpired)
    }

    async fn forget(&self, _: &MemberId) -> Result<(), IdentityError> {
        Ok(())
    }

    async fn anonymous_before(
        &self,
        _: Time,
        _: Option<&IdentityAfter>,
        _: usize,
    ) -> Result<Vec<IdentityRecord>, IdentityError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn each_fault_of_the_identity_port_has_its_status() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let change = |ports: Ports| Ports { identity: Arc::new(Fixed), ..ports };
    let server = TestServer::on(folder, |_| {}, change).await;
    let anonymous = server.post("/anonymous-signin").send().await;
    assert_eq!(anonymous.error(), (500, "INTERNAL".to_owned()));
    assert!(anonymous.body.contains("Anonymous sign-in failed: "));
    let (who, audience) = (Installation::new(), server.http.to_string());
    let body =
        json!({"public_key": who.key(), "nonce": "n", "audience": audience, "signature": who.sign(&audience, "n")});
    assert_eq!(server.post("/key-signin").json(&body).send().await.error(), (429, "RATE_LIMITED".to_owned()));
    let expired = server.post("/create-room").bearer("t").send().await;
    assert_eq!(expired.error(), (401, "AUTH_FAILED".to_owned()));
    assert!(expired.body.contains("Token verification failed: token has expired"));
}
