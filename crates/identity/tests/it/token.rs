//! What is no token of this server.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sleap_rtc_identity::{Identity, IdentityError, Local};

use crate::rig::{Installation, NOW, rig};

async fn refused(identity: &Local, token: &str) {
    let answer = identity.verify(token, NOW).await;
    assert!(matches!(answer, Err(IdentityError::InvalidToken)), "{token}: {answer:?}");
}

#[tokio::test]
async fn a_token_of_another_server_is_refused() {
    let token = rig().identity.sign_in_anonymous(NOW).await.unwrap().id_token;
    refused(&rig().identity, &token).await;
}

#[tokio::test]
async fn a_nonce_is_no_token_and_a_token_no_nonce() {
    let identity = rig().identity;
    let installation = Installation::new(1);
    refused(&identity, &identity.key_nonce(installation.key(), NOW).await.unwrap()).await;
    let token = installation.sign_in(&identity, NOW).await.unwrap().id_token;
    let answer = identity.sign_in_key(installation.proof(crate::rig::HOST, &token), NOW).await;
    assert!(matches!(answer, Err(IdentityError::InvalidNonce)));
}

#[tokio::test]
async fn another_algorithm_is_refused() {
    let identity = rig().identity;
    let token = identity.sign_in_anonymous(NOW).await.unwrap().id_token;
    let (_, rest) = token.split_once('.').unwrap();
    let claims = rest.split_once('.').unwrap().0;
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"typ":"JWT","alg":"EdDSA"}"#] {
        let header = URL_SAFE_NO_PAD.encode(header);
        refused(&identity, &format!("{header}.{rest}")).await;
        refused(&identity, &format!("{header}.{claims}.")).await;
    }
}

#[tokio::test]
async fn every_changed_character_is_noticed() {
    let identity = rig().identity;
    let token = identity.sign_in_anonymous(NOW).await.unwrap().id_token;
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        refused(&identity, std::str::from_utf8(&changed).unwrap()).await;
    }
    for at in 0..token.len() {
        refused(&identity, &token[..at]).await;
    }
    for nonsense in ["", ".", "..", "a.b.c", &"x".repeat(1 << 20), "\u{1f41d}.\u{1f41d}.\u{1f41d}"] {
        refused(&identity, nonsense).await;
    }
}
