use proptest::prelude::*;
use serde_json::{Value, json};
use sleap_rtc_access::{MAX_TTL_MS, MIN_TTL_MS, Terms, TermsError, chosen_token, terms};
use sleap_rtc_wire::Time;
use sleap_rtc_wire::http::CreateRoom;
use sleap_rtc_wire::record::RoomKind;

const HOUR: u64 = 3_600_000;

#[test]
fn a_room_without_a_body_is_ephemeral_and_lives_two_hours() {
    let made = terms(&CreateRoom::default()).unwrap();
    assert_eq!(made, Terms { kind: RoomKind::Ephemeral, name: None, ttl_ms: Some(2 * HOUR) });
    assert_eq!(made.expires_at(Time(5)), Some(Time(5 + 2 * HOUR)));
}

#[test]
fn a_named_room_lives_thirty_days_or_as_asked() {
    assert_eq!(ttl(&json!(null)), Ok(Some(30 * 24 * HOUR)));
    assert_eq!(ttl(&json!("2h")), Ok(Some(2 * HOUR)));
    assert_eq!(ttl(&json!("90d")), Ok(Some(90 * 24 * HOUR)));
    assert_eq!(ttl(&json!("15m")), Ok(Some(HOUR / 4)));
    assert_eq!(ttl(&json!("7200")), Ok(Some(2 * HOUR)));
    assert_eq!(ttl(&json!("7200s")), Ok(Some(2 * HOUR)));
    assert_eq!(ttl(&json!(7200)), Ok(Some(2 * HOUR)));
    assert_eq!(ttl(&json!("never")), Ok(None));
    assert_eq!(ttl(&json!("Never")), Ok(None));
}

#[test]
fn never_has_no_end() {
    let asked = CreateRoom { name: None, ttl: Some(json!("never")) };
    let made = terms(&asked).unwrap();
    assert_eq!(made, Terms { kind: RoomKind::Named, name: None, ttl_ms: None });
    assert_eq!(made.expires_at(Time(5)), None);
}

#[test]
fn what_is_no_time_to_live_is_refused() {
    for bad in [json!("2 weeks"), json!("h"), json!(""), json!("-1"), json!(-1), json!(1.5), json!([2]), json!("2hh")] {
        assert!(matches!(ttl(&bad), Err(TermsError::NotATtl(_))), "{bad}");
    }
    assert_eq!(ttl(&json!(59)), Err(TermsError::TtlOutOfBounds(59)));
    assert_eq!(ttl(&json!(0)), Err(TermsError::TtlOutOfBounds(0)));
    assert!(matches!(ttl(&json!("3651d")), Err(TermsError::TtlOutOfBounds(_))));
    assert!(matches!(ttl(&json!("99999999999999999999999d")), Err(TermsError::TtlOutOfBounds(_))));
}

#[test]
fn names_are_short_and_visible() {
    let named = |name: &str| terms(&CreateRoom { name: Some(name.to_owned()), ttl: None }).map(|terms| terms.name);
    assert_eq!(named("Labor für Mäuse"), Ok(Some("Labor für Mäuse".to_owned())));
    assert_eq!(named(&"x".repeat(50)), Ok(Some("x".repeat(50))));
    for bad in ["", "   ", "a\nb", &"x".repeat(51)] {
        assert_eq!(named(bad), Err(TermsError::Name), "{bad:?}");
    }
}

#[test]
fn a_chosen_password_is_long_enough_and_visible() {
    for good in ["f9g2h5", &"~".repeat(128)] {
        assert_eq!(chosen_token(good), Ok(()), "{good:?}");
    }
    for bad in ["", "f9g2h", "f9g2 h5", "f9g2h\n", "f9g2hü", &"x".repeat(129)] {
        assert_eq!(chosen_token(bad), Err(TermsError::Token), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_bounded_time_to_live_or_an_error(text in ".{0,30}") {
        if let Ok(Some(ms)) = ttl(&json!(text)) {
            prop_assert!((MIN_TTL_MS..=MAX_TTL_MS).contains(&ms));
        }
    }
}

fn ttl(ttl: &Value) -> Result<Option<u64>, TermsError> {
    terms(&CreateRoom { name: Some("pool".to_owned()), ttl: Some(ttl.clone()) }).map(|terms| terms.ttl_ms)
}
