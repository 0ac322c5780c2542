use sleap_rtc_access::{TokenDenied, may_delete_token, may_make_token, may_manage_token, worker_token};
use sleap_rtc_wire::record::MemberRole::{Member, Owner};
use sleap_rtc_wire::record::{ApiKeyKind, ApiKeyRecord};
use sleap_rtc_wire::{ApiKey, RoomId, Time, limits};

use crate::{member, person};

fn token() -> ApiKeyRecord {
    ApiKeyRecord {
        hash: ApiKey::of_worker([1; 24]).hash(),
        kind: ApiKeyKind::Worker(RoomId::new("a7f3d2e1").unwrap()),
        owner: member("ana"),
        name: "gpu1".to_owned(),
        created_at: Time(0),
        expires_at: Some(Time(100)),
        revoked_at: None,
    }
}

#[test]
fn whoever_made_a_token_and_the_rooms_owner_manage_it() {
    let token = token();
    assert_eq!(may_manage_token(&token, &person("ana"), None), Ok(()), "also when no member any more");
    assert_eq!(may_manage_token(&token, &person("bob"), Some(Owner)), Ok(()));
    assert_eq!(may_manage_token(&token, &person("bob"), Some(Member)), Err(TokenDenied::NotYours));
    assert_eq!(may_manage_token(&token, &person("bob"), None), Err(TokenDenied::NotYours));
}

#[test]
fn a_token_is_deleted_when_it_has_had_its_time() {
    let (ana, bob) = (person("ana"), person("bob"));
    let revoked = ApiKeyRecord { revoked_at: Some(Time(5)), ..token() };
    let endless = ApiKeyRecord { expires_at: None, ..token() };
    assert_eq!(may_delete_token(&token(), &ana, None, Time(99)), Err(TokenDenied::Active));
    assert_eq!(may_delete_token(&token(), &ana, None, Time(100)), Ok(()));
    assert_eq!(may_delete_token(&revoked, &ana, None, Time(6)), Ok(()));
    assert_eq!(may_delete_token(&endless, &ana, None, Time(u64::MAX)), Err(TokenDenied::Active));
    assert_eq!(may_delete_token(&revoked, &bob, Some(Member), Time(6)), Err(TokenDenied::NotYours));
}

#[test]
fn the_key_of_an_account_is_no_token() {
    let room = RoomId::new("a7f3d2e1").unwrap();
    assert_eq!(worker_token(Some(token())), Ok((token(), room)));
    let key = ApiKeyRecord { kind: ApiKeyKind::Account, ..token() };
    assert_eq!(worker_token(Some(key)), Err(TokenDenied::NotFound));
    assert_eq!(worker_token(None), Err(TokenDenied::NotFound));
}

#[test]
fn a_room_has_so_many_tokens() {
    assert_eq!(may_make_token(limits::API_KEYS - 1), Ok(()));
    let refused = may_make_token(limits::API_KEYS).unwrap_err();
    assert!(refused.to_string().contains("1000"), "it names its limit: {refused}");
}
