use sleap_rtc_access::{
    Caller, Denied, Power, Reach, may_clean_up, may_create_room, may_delete_peer, may_delete_room, may_extend,
    may_see_room, may_see_token,
};

use crate::{member, person, room};

#[test]
fn a_caller_shows_no_password() {
    let caller = Caller { token: Some("f9g2h5"), ..Caller::default() };
    assert!(!format!("{caller:?}").contains("f9g2h5"));
}

#[test]
fn whoever_signed_in_may_make_a_room_and_nobody_else() {
    let ana = person("ana");
    assert_eq!(may_create_room(&Caller { person: Some(&ana), ..Caller::default() }), Ok(()));
    assert_eq!(may_create_room(&Caller { power: Power::Operator, ..Caller::default() }), Ok(()));
    let stranger = Caller { token: Some("f9g2h5"), same_address: true, power: Power::OpenDeletes, ..Caller::default() };
    assert_eq!(may_create_room(&stranger), Err(Denied::Unauthenticated));
}

#[test]
fn a_room_is_extended_and_deleted_by_creator_member_token_address_and_operator() {
    let (room, ana, bob) = (room(), person("ana"), person("bob"));
    let allowed = [
        Caller { person: Some(&ana), ..Caller::default() },
        Caller { person: Some(&bob), belongs: true, ..Caller::default() },
        Caller { token: Some("f9g2h5"), ..Caller::default() },
        Caller { same_address: true, ..Caller::default() },
        Caller { power: Power::Operator, ..Caller::default() },
        Caller { power: Power::OpenDeletes, ..Caller::default() },
    ];
    for caller in allowed {
        assert_eq!(may_extend(&room, &caller), Ok(()), "{caller:?}");
        assert_eq!(may_delete_room(&room, &caller), Ok(()), "{caller:?}");
        assert_eq!(may_delete_peer(&room, None, &caller), Ok(()), "{caller:?}");
    }
}

#[test]
fn anybody_else_is_refused() {
    let (room, bob) = (room(), person("bob"));
    let refused = [
        (Caller::default(), Denied::Unauthenticated),
        // To belong means nothing without saying who one is.
        (Caller { belongs: true, ..Caller::default() }, Denied::Unauthenticated),
        (Caller { person: Some(&bob), ..Caller::default() }, Denied::Forbidden),
        (Caller { token: Some("f9g2h"), ..Caller::default() }, Denied::Forbidden),
        (Caller { token: Some(""), ..Caller::default() }, Denied::Forbidden),
    ];
    for (caller, denied) in refused {
        assert_eq!(may_extend(&room, &caller), Err(denied), "{caller:?}");
        assert_eq!(may_delete_room(&room, &caller), Err(denied), "{caller:?}");
        assert_eq!(may_delete_peer(&room, None, &caller), Err(denied), "{caller:?}");
    }
}

#[test]
fn a_peer_may_be_deleted_by_its_own_member() {
    let (room, bob) = (room(), person("bob"));
    let caller = Caller { person: Some(&bob), ..Caller::default() };
    assert_eq!(may_delete_peer(&room, Some(bob.member()), &caller), Ok(()));
    assert_eq!(may_delete_peer(&room, Some(&member("cy")), &caller), Err(Denied::Forbidden));
    assert_eq!(may_delete_peer(&room, None, &Caller::default()), Err(Denied::Unauthenticated));
}

#[test]
fn a_room_is_seen_by_those_who_belong_to_it_and_its_password_by_its_owner() {
    let (room, ana, bob) = (room(), person("ana"), person("bob"));
    let operator = Caller { power: Power::Operator, ..Caller::default() };
    let owner = Caller { person: Some(&ana), ..Caller::default() };
    let inside = Caller { person: Some(&bob), belongs: true, ..Caller::default() };
    for (caller, sees_token) in [(operator, true), (owner, true), (inside, false)] {
        assert_eq!(may_see_room(&room, &caller), Ok(()), "{caller:?}");
        assert_eq!(may_see_token(&room, &caller), sees_token, "{caller:?}");
    }
    let stranger = Caller { person: Some(&bob), same_address: true, power: Power::OpenDeletes, ..Caller::default() };
    assert_eq!(may_see_room(&room, &stranger), Err(Denied::Forbidden));
    let nobody = Caller { person: None, belongs: true, token: Some("f9g2h5"), ..stranger };
    assert_eq!(may_see_room(&room, &nobody), Err(Denied::Unauthenticated));
    assert!(!may_see_token(&room, &stranger) && !may_see_token(&room, &nobody));
}

#[test]
fn the_operator_cleans_up_everybody_and_anybody_else_its_own_address() {
    assert_eq!(may_clean_up(Power::Operator, false), Ok(Reach::All));
    for power in [Power::None, Power::OpenDeletes] {
        assert_eq!(may_clean_up(power, true), Ok(Reach::SameAddress));
        assert_eq!(may_clean_up(power, false), Err(Denied::NoAddress));
    }
}
