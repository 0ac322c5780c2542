//! What every adapter does with anonymous identities.

use sleap_rtc_identity::{Identity, IdentityError};
use sleap_rtc_wire::record::IdentityKind;

use crate::rig::{NOW, rig};

#[tokio::test]
async fn an_anonymous_token_names_somebody_new_for_an_hour() {
    let identity = rig().identity;
    let (one, two) = (identity.sign_in_anonymous(NOW).await.unwrap(), identity.sign_in_anonymous(NOW).await.unwrap());
    assert_ne!(one.subject.member, two.subject.member);
    assert_eq!(one.subject.kind, IdentityKind::Anonymous);
    assert_eq!(one.subject.expires, NOW.plus_ms(3_600_000));
    assert_eq!(identity.verify(&one.id_token, NOW.plus_ms(3_599_999)).await.unwrap(), one.subject);
    let late = identity.verify(&one.id_token, NOW.plus_ms(3_600_000)).await;
    assert!(matches!(late, Err(IdentityError::TokenExpired)));
}

#[tokio::test]
async fn an_anonymous_name_is_a_uuid() {
    let name = rig().identity.sign_in_anonymous(NOW).await.unwrap().subject.username;
    let parts: Vec<&str> = name.split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(parts.concat().chars().all(|c| c.is_ascii_hexdigit()), "{name}");
    assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{name}");
}

#[tokio::test]
async fn a_forgotten_identity_is_nobody_at_once() {
    let identity = rig().identity;
    let signed_in = identity.sign_in_anonymous(NOW).await.unwrap();
    identity.forget(&signed_in.subject.member).await.unwrap();
    identity.forget(&signed_in.subject.member).await.unwrap();
    assert!(matches!(identity.verify(&signed_in.id_token, NOW).await, Err(IdentityError::Forgotten)));
}

#[tokio::test]
async fn old_anonymous_identities_are_listed_in_pages() {
    let identity = rig().identity;
    let mut signed_in = Vec::new();
    for n in 0..5 {
        signed_in.push(identity.sign_in_anonymous(NOW.plus_ms(n)).await.unwrap().subject.member);
    }
    let before = NOW.plus_ms(4);
    let first = identity.anonymous_before(before, None, 3).await.unwrap();
    let last = first.last().map(|one| (one.created_at, one.member.clone()));
    let second = identity.anonymous_before(before, last.as_ref(), 3).await.unwrap();
    let listed: Vec<_> = first.into_iter().chain(second).map(|one| one.member).collect();
    assert_eq!(listed, signed_in[..4]);
}
