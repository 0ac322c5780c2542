use std::net::IpAddr;

use sleap_rtc_access::{Admitted, Named, Refusal, admit, may_take_name};
use sleap_rtc_wire::record::{IdentityKind, IdentityRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, PeerId, PublicKey, RoomId, Time};

use crate::{member, room};

#[test]
fn the_right_token_of_a_living_room_lets_in() {
    let admitted = admit(Some(&room()), Some(&bob()), &register(), Time(0)).unwrap();
    assert_eq!(admitted, Admitted { member: member("bob"), key: Some(KEY), fallback_peer_id: None });
}

#[test]
fn each_missing_field_is_refused_before_anything_is_looked_up() {
    type Omit = fn(&mut Register);
    let omit: [Omit; 4] =
        [|r| r.peer_id = None, |r| r.room_id = None, |r| r.token = None, |r| r.token = Some(String::new())];
    for omit in omit {
        let mut register = register();
        omit(&mut register);
        assert_eq!(admit(None, None, &register, Time(0)), Err(Refusal::MissingFields));
    }
    assert_eq!(Refusal::MissingFields.frame().reason, "Missing required fields during registration.");
}

#[test]
fn a_bad_id_token_is_told_before_the_room_is_looked_up_and_where_the_oldest_programs_look() {
    let refusal = admit(None, None, &register(), Time(0)).unwrap_err();
    assert_eq!(refusal, Refusal::InvalidIdToken);
    assert_eq!(refusal.frame().error.as_deref(), Some("Invalid token"));
}

#[test]
fn an_unknown_room_is_told_before_its_token_and_a_wrong_token_before_the_expiry() {
    let late = Time(7_200_000);
    assert_eq!(admit(None, Some(&bob()), &register(), late), Err(Refusal::RoomNotFound));
    let wrong = Register { token: Some("f9g2h6".to_owned()), ..register() };
    assert_eq!(admit(Some(&room()), Some(&bob()), &wrong, late), Err(Refusal::WrongRoomToken));
    assert_eq!(admit(Some(&room()), Some(&bob()), &register(), late), Err(Refusal::RoomExpired));
    assert!(admit(Some(&room()), Some(&bob()), &register(), Time(7_199_999)).is_ok());
}

#[test]
fn refusals_have_the_words_of_the_deployed_server_and_a_code() {
    let told: Vec<(String, Code)> =
        [Refusal::RoomNotFound, Refusal::WrongRoomToken, Refusal::RoomExpired, Refusal::NoCredential]
            .into_iter()
            .map(|refusal| (refusal.frame().reason, refusal.frame().code))
            .collect();
    assert_eq!(
        told,
        [
            ("Room not found".to_owned(), Code::RoomNotFound),
            ("Invalid token".to_owned(), Code::AuthFailed),
            ("Room expired".to_owned(), Code::RoomExpired),
            ("No authentication provided. Use api_key, jwt, or id_token.".to_owned(), Code::AuthFailed),
        ]
    );
}

#[test]
fn credentials_of_accounts_are_refused_by_name_unless_an_id_token_is_there_too() {
    let only = |register: Register| admit(Some(&room()), None, &register, Time(0)).unwrap_err();
    let bare = Register { id_token: None, ..register() };
    assert_eq!(only(bare.clone()), Refusal::NoCredential);
    assert_eq!(only(Register { api_key: Some("slp_x".to_owned()), ..bare.clone() }), Refusal::UnknownApiKey);
    assert_eq!(only(Register { jwt: Some("x".to_owned()), ..bare.clone() }), Refusal::UnknownAccount);
    // What is no key of that server's is as good as none.
    assert_eq!(only(Register { api_key: Some("x".to_owned()), ..bare.clone() }), Refusal::NoCredential);
    let odd = Register { api_key: Some("x".to_owned()), jwt: Some("y".to_owned()), ..bare };
    assert_eq!(only(odd), Refusal::UnknownAccount);
    let both = Register { api_key: Some("slp_x".to_owned()), ..register() };
    assert!(admit(Some(&room()), Some(&bob()), &both, Time(0)).is_ok());
}

const KEY: PublicKey = PublicKey([7; 32]);

fn bob() -> IdentityRecord {
    IdentityRecord {
        member: member("bob"),
        kind: IdentityKind::Key,
        username: "bob".to_owned(),
        key: Some(KEY),
        created_at: Time(0),
    }
}

fn register() -> Register {
    Register {
        peer_id: Some(PeerId::new("worker-1").unwrap()),
        room_id: Some(RoomId::new("a7f3d2e1").unwrap()),
        token: Some("f9g2h5".to_owned()),
        id_token: Some("signed".to_owned()),
        ..Register::default()
    }
}

#[test]
fn an_anonymous_peer_takes_its_name_again_from_its_own_address_and_nobody_else_does() {
    let here = Named { anonymous: true, claims: false, address: Some(IpAddr::from([10, 0, 0, 1])) };
    let elsewhere = Named { address: Some(IpAddr::from([10, 0, 0, 2])), ..here };
    let unknown = Named { address: None, ..here };
    let keyed = Named { anonymous: false, ..here };
    let booked = Named { claims: true, ..here };
    assert!(may_take_name(here, here) && may_take_name(here, booked));
    for (holder, newcomer) in
        [(here, elsewhere), (elsewhere, here), (unknown, unknown), (keyed, here), (here, keyed), (booked, here)]
    {
        assert!(!may_take_name(holder, newcomer), "{holder:?} {newcomer:?}");
    }
}
