//! What every adapter does with the tokens of accounts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sleap_rtc_identity::{Identity, IdentityError};
use sleap_rtc_wire::record::{AccountRecord, Change, IdentityKind};
use sleap_rtc_wire::{MemberId, Time};

use crate::rig::{NOW, rig};

const WEEK_MS: u64 = 7 * 24 * 3_600_000;

fn ana() -> AccountRecord {
    let member = MemberId::new("u_1").unwrap();
    AccountRecord { member, username: "ana".to_owned(), avatar_url: None, created_at: Time(0) }
}

#[tokio::test]
async fn an_accounts_token_is_good_for_a_week() {
    let rig = rig();
    rig.store.apply(vec![Change::PutAccount(ana())]).await.unwrap();
    let signed_in = rig.identity.sign_in_account(&ana(), None, NOW).await.unwrap();
    let subject = rig.identity.verify(&signed_in.id_token, NOW.plus_ms(WEEK_MS - 1000)).await.unwrap();
    assert_eq!((subject.member, subject.kind), (ana().member, IdentityKind::Account));
    assert_eq!((subject.username.as_str(), subject.key), ("ana", None));
    let late = rig.identity.verify(&signed_in.id_token, NOW.plus_ms(WEEK_MS)).await;
    assert!(matches!(late, Err(IdentityError::TokenExpired)));
}

#[tokio::test]
async fn its_claims_are_those_that_deployed_programs_read() {
    let token = rig().identity.sign_in_account(&ana(), None, NOW).await.unwrap().id_token;
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!((&claims["sub"], &claims["username"]), (&"u_1".into(), &"ana".into()));
    assert_eq!((&claims["iss"], &claims["aud"]), (&"sleap-rtc".into(), &"sleap-rtc".into()));
    let (iat, exp) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
    assert_eq!((iat, exp - iat), (NOW.unix_seconds(), 7 * 24 * 3600));
}

#[tokio::test]
async fn it_ends_with_its_account() {
    let rig = rig();
    let signed_in = rig.identity.sign_in_account(&ana(), None, NOW).await.unwrap();
    let never_was = rig.identity.verify(&signed_in.id_token, NOW).await;
    assert!(matches!(never_was, Err(IdentityError::Forgotten)));
    rig.store.apply(vec![Change::PutAccount(ana())]).await.unwrap();
    assert!(rig.identity.verify(&signed_in.id_token, NOW).await.is_ok());
    rig.store.apply(vec![Change::DeleteAccount(ana().member)]).await.unwrap();
    assert!(matches!(rig.identity.verify(&signed_in.id_token, NOW).await, Err(IdentityError::Forgotten)));
}
