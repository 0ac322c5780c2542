use std::net::IpAddr;

use sleap_rtc_access::{
    Admitted, Bearer, Credential, KeyFault, Named, Person, Refusal, admit, check_key, may_take_name, room_of,
};
use sleap_rtc_wire::record::{AccountRecord, ApiKeyKind, ApiKeyRecord, DeviceKeyRecord, IdentityKind, RoomRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{ApiKey, Code, KeyId, PeerId, PublicKey, RoomId, Time};

use crate::{member, room};

const KEY: PublicKey = PublicKey([7; 32]);
const LATE: Time = Time(7_200_000);

/// Both questions that the shell asks, in its order. The room is not known before its name is.
fn come_in(
    bearer: Bearer<'_>,
    room: Option<&RoomRecord>,
    belongs: bool,
    register: &Register,
    now: Time,
) -> Result<Admitted, Refusal> {
    room_of(bearer, register)?;
    admit(bearer, room, belongs, register, 0x0a1b, now)
}

#[test]
fn the_first_credential_that_is_there_counts() {
    let all = Register {
        api_key: Some("slp_acct_x".to_owned()),
        jwt: Some("j".to_owned()),
        id_token: Some("i".to_owned()),
        ..Register::default()
    };
    assert!(Credential::of(&all) == Some(Credential::AccountKey("slp_acct_x")));
    let worker = Register { api_key: Some("slp_x".to_owned()), ..all.clone() };
    assert!(Credential::of(&worker) == Some(Credential::WorkerKey("slp_x")));
    // What is no key is as good as none, and so is an empty text.
    let odd = Register { api_key: Some("x".to_owned()), ..all };
    assert!(Credential::of(&odd) == Some(Credential::Jwt("j")));
    let empty = Register { jwt: Some(String::new()), ..odd };
    assert!(Credential::of(&empty) == Some(Credential::IdToken("i")));
    assert!(Credential::of(&Register::default()).is_none());
}

type Omit = fn(&mut Register);

#[test]
fn an_id_token_needs_name_room_and_the_rooms_token() {
    let anonymous = anonymous();
    let bearer = Bearer::IdToken(Some(&anonymous));
    let admitted = come_in(bearer, Some(&room()), false, &register(), Time(0)).unwrap();
    assert_eq!(admitted, Admitted { member: member("eve"), key: None, fallback_peer_id: None });
    let omit: [Omit; 4] =
        [|r| r.peer_id = None, |r| r.room_id = None, |r| r.token = None, |r| r.token = Some(String::new())];
    for omit in omit {
        let mut register = register();
        omit(&mut register);
        for person in [None, Some(&anonymous)] {
            assert_eq!(room_of(Bearer::IdToken(person), &register), Err(Refusal::MissingFields));
        }
    }
}

#[test]
fn a_bad_id_token_is_told_before_the_room_and_where_the_oldest_programs_look() {
    let refusal = room_of(Bearer::IdToken(None), &register()).unwrap_err();
    assert_eq!(refusal, Refusal::InvalidIdToken);
    assert_eq!(refusal.frame().error.as_deref(), Some("Invalid token"));
}

#[test]
fn an_unknown_room_is_told_before_its_token_and_a_wrong_token_before_the_expiry() {
    let bob = bob();
    let bearer = Bearer::IdToken(Some(&bob));
    assert_eq!(come_in(bearer, None, false, &register(), LATE), Err(Refusal::RoomNotFound));
    let wrong = Register { token: Some("f9g2h6".to_owned()), ..register() };
    assert_eq!(come_in(bearer, Some(&room()), true, &wrong, LATE), Err(Refusal::WrongRoomToken), "a member's too");
    assert_eq!(come_in(bearer, Some(&room()), false, &register(), LATE), Err(Refusal::RoomExpired));
    assert!(come_in(bearer, Some(&room()), false, &register(), Time(7_199_999)).is_ok());
}

#[test]
fn a_key_whose_person_belongs_to_the_room_needs_no_token() {
    let bob = bob();
    let bare = Register { token: None, ..register() };
    let bearer = Bearer::IdToken(Some(&bob));
    let admitted = come_in(bearer, Some(&room()), true, &bare, Time(0)).unwrap();
    assert_eq!((admitted.member, admitted.key), (member("bob"), Some(KEY)));
    // A stranger learns nothing of the room: not even whether there is one.
    for room in [Some(&room()), None] {
        assert_eq!(come_in(bearer, room, false, &bare, Time(0)), Err(Refusal::MissingFields));
    }
    // Who made it needs no stored membership.
    let ana = Person::alone(member("ana"), IdentityKind::Key, Some(KEY), "ana".to_owned());
    assert!(come_in(Bearer::IdToken(Some(&ana)), Some(&room()), false, &bare, Time(0)).is_ok());
}

#[test]
fn an_account_needs_a_room_and_its_membership_and_nothing_else() {
    let account = person_of_account();
    let bare = Register { token: None, peer_id: None, ..register() };
    let nowhere = Register { room_id: None, ..bare.clone() };
    for (bearer, missing, name) in [
        (Bearer::AccountKey(&account), "room_id required for account key auth", "worker-Ana-0a1b"),
        (Bearer::Jwt(&account), "room_id required for JWT auth", "client-Ana-0a1b"),
    ] {
        assert_eq!(room_of(bearer, &nowhere).unwrap_err().to_string(), missing);
        let admitted = come_in(bearer, Some(&room()), true, &bare, Time(0)).unwrap();
        let fallback_peer_id = PeerId::new(name).ok();
        assert_eq!(admitted, Admitted { member: member("u_1"), key: None, fallback_peer_id });
        // The room's password is not looked at.
        let wrong = Register { token: Some("x".to_owned()), ..bare.clone() };
        assert!(come_in(bearer, Some(&room()), true, &wrong, Time(0)).is_ok());
        for room in [Some(&room()), None] {
            let refusal = come_in(bearer, room, false, &bare, LATE).unwrap_err();
            assert_eq!(refusal.to_string(), "No access to this room");
        }
        assert_eq!(come_in(bearer, None, true, &bare, Time(0)), Err(Refusal::RoomNotFound));
        assert_eq!(come_in(bearer, Some(&room()), true, &bare, LATE), Err(Refusal::RoomExpired));
    }
}

#[test]
fn a_workers_key_opens_the_room_that_it_was_made_for() {
    let key = worker_key();
    let bearer = Bearer::Worker(&key);
    let elsewhere = Register { room_id: RoomId::new("other").ok(), token: None, peer_id: None, ..register() };
    assert_eq!(room_of(bearer, &elsewhere), Ok(RoomId::new("a7f3d2e1").unwrap()));
    let admitted = come_in(bearer, Some(&room()), false, &elsewhere, Time(0)).unwrap();
    assert_eq!(admitted.member.as_str(), key.id().as_str(), "the key's public name");
    assert_eq!(admitted.fallback_peer_id, PeerId::new("worker-gpu 1-0a1b").ok());
    assert_eq!(come_in(bearer, None, false, &elsewhere, Time(0)), Err(Refusal::RoomNotFound));
    assert_eq!(come_in(bearer, Some(&room()), false, &elsewhere, LATE), Err(Refusal::RoomExpired));
}

#[test]
fn a_long_name_makes_a_peer_id_all_the_same() {
    let key = ApiKeyRecord { name: "\u{7}ü".repeat(200), ..worker_key() };
    let admitted = come_in(Bearer::Worker(&key), Some(&room()), false, &register(), Time(0)).unwrap();
    let id = admitted.fallback_peer_id.unwrap();
    assert!(id.as_str().starts_with("worker-üü") && id.as_str().ends_with("-0a1b"), "{id}");
}

#[test]
fn a_key_is_unknown_revoked_or_expired_in_this_order() {
    let good = worker_key();
    assert_eq!(check_key(None, false, Time(0)), Err(KeyFault::Unknown));
    assert_eq!(check_key(Some(&good), true, Time(0)), Err(KeyFault::Unknown), "of another kind");
    assert_eq!(check_key(Some(&good), false, Time(9)), Ok(&good));
    let ended = ApiKeyRecord { expires_at: Some(Time(9)), ..good };
    assert_eq!(check_key(Some(&ended), false, Time(8)), Ok(&ended));
    assert_eq!(check_key(Some(&ended), false, Time(9)), Err(KeyFault::Expired));
    let revoked = ApiKeyRecord { revoked_at: Some(Time(1)), ..ended };
    assert_eq!(check_key(Some(&revoked), false, Time(9)), Err(KeyFault::Revoked));
}

#[test]
fn refusals_have_the_words_of_the_deployed_server_and_a_code() {
    use KeyFault::{Expired, Revoked, Unknown};
    for (refusal, text, code) in [
        (Refusal::AccountKey(Unknown), "Invalid account key", Code::AuthFailed),
        (Refusal::AccountKey(Revoked), "Account key revoked", Code::AuthFailed),
        (Refusal::AccountKey(Expired), "Account key expired", Code::AuthFailed),
        (Refusal::WorkerKey(Unknown), "Invalid API key", Code::AuthFailed),
        (Refusal::WorkerKey(Revoked), "Token revoked", Code::AuthFailed),
        (Refusal::WorkerKey(Expired), "Token expired", Code::AuthFailed),
        (Refusal::Jwt("token has expired".to_owned()), "Invalid token: token has expired", Code::AuthFailed),
        (Refusal::NoAccess, "No access to this room", Code::Forbidden),
        (Refusal::MissingFields, "Missing required fields during registration.", Code::InvalidMessage),
        (Refusal::RoomNotFound, "Room not found", Code::RoomNotFound),
        (Refusal::WrongRoomToken, "Invalid token", Code::AuthFailed),
        (Refusal::RoomExpired, "Room expired", Code::RoomExpired),
        (Refusal::NoCredential, "No authentication provided. Use api_key, jwt, or id_token.", Code::AuthFailed),
    ] {
        let frame = refusal.frame();
        assert_eq!((frame.reason.as_str(), frame.message.as_str(), frame.code), (text, text, code));
        assert_eq!(frame.error, None, "only for a bad id token");
    }
}

#[test]
fn a_person_has_the_names_that_were_proven() {
    let (proven, said) = (PublicKey([1; 32]), PublicKey([2; 32]));
    let devices = [device(proven, true), device(said, false)];
    let by_account = Person::of_account(account(), &devices);
    assert!(by_account.is(&member("u_1")) && by_account.is(&proven.member()) && !by_account.is(&said.member()));
    let by_key = Person::alone(proven.member(), IdentityKind::Key, Some(proven), "x".to_owned());
    assert_eq!(by_key.username(), "x");
    let by_key = by_key.with_account(account(), &devices);
    assert_eq!((by_key.member(), by_key.username(), by_key.key()), (&proven.member(), "Ana", Some(proven)));
    assert_eq!(by_key.members().collect::<Vec<_>>(), [&proven.member(), &member("u_1")]);
}

fn anonymous() -> Person {
    Person::alone(member("eve"), IdentityKind::Anonymous, None, "eve".to_owned())
}

fn bob() -> Person {
    Person::alone(member("bob"), IdentityKind::Key, Some(KEY), "bob".to_owned())
}

fn account() -> AccountRecord {
    AccountRecord { member: member("u_1"), username: "Ana".to_owned(), avatar_url: None, created_at: Time(0) }
}

fn person_of_account() -> Person {
    Person::of_account(account(), &[])
}

fn device(public_key: PublicKey, proven: bool) -> DeviceKeyRecord {
    DeviceKeyRecord {
        key_id: KeyId::new("dev_1").unwrap(),
        account: member("u_1"),
        public_key,
        device_name: "laptop".to_owned(),
        registered_at: Time(0),
        proven,
    }
}

fn worker_key() -> ApiKeyRecord {
    ApiKeyRecord {
        hash: ApiKey::of_worker([3; 24]).hash(),
        kind: ApiKeyKind::Worker(RoomId::new("a7f3d2e1").unwrap()),
        owner: member("u_1"),
        name: "gpu 1".to_owned(),
        created_at: Time(0),
        expires_at: None,
        revoked_at: None,
    }
}

fn register() -> Register {
    Register {
        peer_id: Some(PeerId::new("worker-1").unwrap()),
        room_id: Some(RoomId::new("a7f3d2e1").unwrap()),
        token: Some("f9g2h5".to_owned()),
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
