//! Signing in with the key of an installation.

use sleap_rtc_identity::{Identity, IdentityError};
use sleap_rtc_wire::record::IdentityKind;

use crate::rig::{HOST, Installation, NOW, rig};

#[tokio::test]
async fn a_key_is_the_same_member_every_time() {
    let identity = rig().identity;
    let installation = Installation::new(1);
    let first = installation.sign_in(&identity, NOW).await.unwrap();
    let second = installation.sign_in(&identity, NOW.plus_ms(1)).await.unwrap();
    assert_eq!(first.subject.member, installation.key().member());
    assert_eq!(first.subject.kind, IdentityKind::Key);
    assert_eq!(first.subject.key, Some(installation.key()));
    assert_eq!(second.subject.member, first.subject.member);
    assert_eq!(identity.verify(&first.id_token, NOW).await.unwrap(), first.subject);
}

#[tokio::test]
async fn a_nonce_is_good_once() {
    let identity = rig().identity;
    let installation = Installation::new(1);
    let nonce = identity.key_nonce(installation.key(), NOW).await.unwrap();
    identity.sign_in_key(installation.proof(HOST, &nonce), NOW).await.unwrap();
    let again = identity.sign_in_key(installation.proof(HOST, &nonce), NOW).await;
    assert!(matches!(again, Err(IdentityError::InvalidNonce)));
}

#[tokio::test]
async fn a_nonce_is_good_for_a_minute() {
    let identity = rig().identity;
    let installation = Installation::new(1);
    let nonce = identity.key_nonce(installation.key(), NOW).await.unwrap();
    let late = identity.sign_in_key(installation.proof(HOST, &nonce), NOW.plus_ms(60_000)).await;
    assert!(matches!(late, Err(IdentityError::InvalidNonce)));
    identity.sign_in_key(installation.proof(HOST, &nonce), NOW.plus_ms(59_999)).await.unwrap();
    let replayed = identity.sign_in_key(installation.proof(HOST, &nonce), NOW.plus_ms(59_999)).await;
    assert!(matches!(replayed, Err(IdentityError::InvalidNonce)));
}

#[tokio::test]
async fn a_nonce_is_good_for_one_key() {
    let identity = rig().identity;
    let (mine, other) = (Installation::new(1), Installation::new(2));
    let nonce = identity.key_nonce(mine.key(), NOW).await.unwrap();
    let stolen = identity.sign_in_key(other.proof(HOST, &nonce), NOW).await;
    assert!(matches!(stolen, Err(IdentityError::InvalidNonce)));
    identity.sign_in_key(mine.proof(HOST, &nonce), NOW).await.unwrap();
}

#[tokio::test]
async fn a_nonce_of_another_run_is_none() {
    let (before, after) = (rig(), rig());
    std::fs::copy(before.folder.path().join("server.key"), after.folder.path().join("copy.key")).unwrap();
    let restarted =
        sleap_rtc_identity::Local::open(&after.folder.path().join("copy.key"), before.store.clone()).unwrap();
    let installation = Installation::new(1);
    let nonce = before.identity.key_nonce(installation.key(), NOW).await.unwrap();
    let refused = restarted.sign_in_key(installation.proof(HOST, &nonce), NOW).await;
    assert!(matches!(refused, Err(IdentityError::InvalidNonce)));
    let token = installation.sign_in(&before.identity, NOW).await.unwrap().id_token;
    restarted.verify(&token, NOW).await.unwrap();
}

#[tokio::test]
async fn a_signature_is_good_for_one_server_and_one_key() {
    let identity = rig().identity;
    let (mine, other) = (Installation::new(1), Installation::new(2));
    let nonce = identity.key_nonce(mine.key(), NOW).await.unwrap();
    let mut elsewhere = mine.proof("evil:8001", &nonce);
    HOST.clone_into(&mut elsewhere.audience);
    let mut forged = other.proof(HOST, &nonce);
    forged.public_key = mine.key();
    for proof in [elsewhere, forged] {
        assert!(matches!(identity.sign_in_key(proof, NOW).await, Err(IdentityError::InvalidSignature)));
    }
}

#[tokio::test]
async fn a_forgotten_key_signs_in_anew() {
    let identity = rig().identity;
    let installation = Installation::new(1);
    let before = installation.sign_in(&identity, NOW).await.unwrap();
    identity.forget(&before.subject.member).await.unwrap();
    assert!(matches!(identity.verify(&before.id_token, NOW).await, Err(IdentityError::Forgotten)));
    let after = installation.sign_in(&identity, NOW).await.unwrap();
    assert_eq!(after.subject.member, before.subject.member);
}
