use serde_json::json;
use sleap_rtc_access::{DaysError, ROOM_DAYS, TOKEN_DAYS};

const DAY: u64 = 86_400_000;

#[test]
fn nothing_said_is_the_default_and_null_is_for_ever() {
    assert_eq!(TOKEN_DAYS.ms(None), Ok(Some(7 * DAY)));
    assert_eq!(ROOM_DAYS.ms(None), Ok(Some(30 * DAY)));
    assert_eq!(TOKEN_DAYS.ms(Some(&json!(null))), Ok(None));
}

#[test]
fn a_room_lives_one_to_365_days() {
    for (asked, ms) in [
        (json!(1), Ok(Some(DAY))),
        (json!(365), Ok(Some(365 * DAY))),
        (json!(366), Err(DaysError::TooMany(365))),
        (json!(u64::MAX), Err(DaysError::TooMany(365))),
        (json!(0), Err(DaysError::TooFew)),
        (json!(-1), Err(DaysError::TooFew)),
        (json!(1.5), Err(DaysError::NotANumber)),
        (json!("30"), Err(DaysError::NotANumber)),
        (json!(true), Err(DaysError::NotANumber)),
    ] {
        assert_eq!(ROOM_DAYS.ms(Some(&asked)), ms, "{asked}");
    }
}
