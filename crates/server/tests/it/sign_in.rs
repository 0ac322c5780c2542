//! Signing in over HTTP.

use serde_json::json;

use crate::rig::{Installation, TestServer, text};

#[tokio::test]
async fn an_anonymous_sign_in_needs_no_body() {
    let server = TestServer::start().await;
    for body in ["", "{}"] {
        let reply = server.post("/anonymous-signin").body(body).send().await;
        assert_eq!(reply.status, 200);
        assert_eq!(text(&reply.json()["username"]).len(), 36);
        assert!(text(&reply.json()["id_token"]).len() > 100);
    }
}

#[tokio::test]
async fn a_key_signs_in_and_is_its_hash() {
    let server = TestServer::start().await;
    let who = Installation::new();
    let (nonce, audience) = (who.nonce(&server).await, server.http.to_string());
    let body = json!({"public_key": who.key(), "nonce": nonce, "audience": audience, "signature": who.sign(&audience, &nonce)});
    let reply = server.post("/key-signin").json(&body).send().await.json();
    assert_eq!(reply["member"], json!(who.key().member()));
    assert!((3590..=3600).contains(&reply["expires_in"].as_u64().unwrap()), "{reply}");
    let again = server.post("/key-signin").json(&body).send().await;
    assert_eq!(again.error(), (401, "AUTH_FAILED".to_owned()), "a nonce is good once");
}

#[tokio::test]
async fn a_signature_for_another_server_is_refused() {
    let server = TestServer::start().await;
    let (who, elsewhere) = (Installation::new(), "evil.example:8001");
    let nonce = who.nonce(&server).await;
    let body = json!({"public_key": who.key(), "nonce": nonce, "audience": elsewhere, "signature": who.sign(elsewhere, &nonce)});
    let reply = server.post("/key-signin").json(&body).send().await;
    assert_eq!(reply.error(), (401, "AUTH_FAILED".to_owned()));
    assert!(reply.json()["error"].as_str().unwrap().contains("--public-url http://evil.example:8001"));
}

#[tokio::test]
async fn a_signature_for_the_public_address_is_good_behind_a_proxy() {
    let server = TestServer::with(|config| config.public_url = Some("https://rtc.lab.edu/".to_owned())).await;
    let (who, audience) = (Installation::new(), "rtc.lab.edu");
    let nonce = who.nonce(&server).await;
    let body =
        json!({"public_key": who.key(), "nonce": nonce, "audience": audience, "signature": who.sign(audience, &nonce)});
    assert_eq!(server.post("/key-signin").json(&body).send().await.status, 200);
}

#[tokio::test]
async fn a_key_sign_in_without_its_fields_is_422() {
    let server = TestServer::start().await;
    let key = Installation::new().key();
    for (body, field) in [
        (json!({}), "public_key"),
        (json!({"public_key": key, "nonce": "n"}), "audience"),
        (json!({"public_key": key, "nonce": "n", "audience": "a"}), "signature"),
    ] {
        let reply = server.post("/key-signin").json(&body).send().await;
        assert_eq!(reply.error(), (422, "INVALID_MESSAGE".to_owned()));
        assert_eq!(reply.json()["detail"][0]["loc"], json!(["body", field]));
    }
    let garbage = server.post("/key-signin").json(&json!({"public_key": "short"})).send().await;
    assert_eq!(garbage.error(), (422, "INVALID_MESSAGE".to_owned()));
}

#[tokio::test]
async fn one_address_may_sign_in_so_often_a_minute() {
    let server = TestServer::with(|config| config.rates.sign_ins = 2).await;
    for _ in 0..2 {
        assert_eq!(server.post("/anonymous-signin").send().await.status, 200);
    }
    assert_eq!(server.post("/anonymous-signin").send().await.error(), (429, "RATE_LIMITED".to_owned()));
    let key = Installation::new().key();
    let reply = server.post("/key-signin").json(&json!({"public_key": key})).send().await;
    assert_eq!(reply.error(), (429, "RATE_LIMITED".to_owned()));
}
