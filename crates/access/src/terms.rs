//! How long a room may live, from what `/create-room` asks for.

use std::ops::RangeInclusive;

use sleap_rtc_wire::Time;
use sleap_rtc_wire::http::CreateRoom;
use sleap_rtc_wire::record::RoomKind;

/// The shortest time to live, ms: a minute.
pub const MIN_TTL_MS: u64 = 60_000;
/// The longest time to live that is not for ever, ms: ten years.
pub const MAX_TTL_MS: u64 = 3_650 * DAY_MS;
/// A room made without a body, ms: the two hours of the deployed server.
const EPHEMERAL_MS: u64 = 2 * 3_600_000;
/// A named room that does not say, ms.
const NAMED_MS: u64 = 30 * DAY_MS;
const DAY_MS: u64 = 86_400_000;
/// A room's name, characters: the bound of the deployed server.
const NAME: usize = 50;

/// A room's password that its operator chose, bytes: the deployed server's have six.
const TOKEN: RangeInclusive<usize> = 6..=128;

/// On what terms a room is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Ephemeral or named.
    pub kind: RoomKind,
    /// Its name, for people.
    pub name: Option<String>,
    /// Its time to live, ms; `None`: for ever.
    pub ttl_ms: Option<u64>,
}

impl Terms {
    /// When a room made now ends.
    pub fn expires_at(&self, now: Time) -> Option<Time> {
        self.ttl_ms.map(|ttl_ms| now.plus_ms(ttl_ms))
    }
}

/// Terms that no room is made on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Not a time to live.
    #[error("invalid ttl {0}: give seconds, or a number with s, m, h or d (2h, 90d), or never")]
    NotATtl(String),
    /// Outside the bounds.
    #[error("ttl of {0} s: must be at least 60 s and at most 3650 days, or never")]
    TtlOutOfBounds(u64),
    /// Not a name.
    #[error("invalid room name: must be 1 to 50 characters without control characters")]
    Name,
    /// Not a password.
    #[error("invalid token: must be 6 to 128 visible ASCII characters")]
    Token,
}

/// The terms of a `/create-room`. Without name and time to live, the room is ephemeral.
pub fn terms(asked: &CreateRoom) -> Result<Terms, TermsError> {
    let ttl_ms = asked.ttl.as_ref().filter(|ttl| !ttl.is_null()).map(ttl_ms).transpose()?;
    if asked.name.is_none() && ttl_ms.is_none() {
        return Ok(Terms { kind: RoomKind::Ephemeral, name: None, ttl_ms: Some(EPHEMERAL_MS) });
    }
    if asked.name.as_deref().is_some_and(|name| !is_name(name)) {
        return Err(TermsError::Name);
    }
    Ok(Terms { kind: RoomKind::Named, name: asked.name.clone(), ttl_ms: ttl_ms.unwrap_or(Some(NAMED_MS)) })
}

/// Checks a password that an operator chose.
pub fn chosen_token(token: &str) -> Result<(), TermsError> {
    let is_good = TOKEN.contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { Ok(()) } else { Err(TermsError::Token) }
}

fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=NAME).contains(&length) && !name.chars().any(char::is_control) && !name.trim().is_empty()
}

fn ttl_ms(ttl: &serde_json::Value) -> Result<Option<u64>, TermsError> {
    if ttl.as_str().is_some_and(|text| text.trim().eq_ignore_ascii_case("never")) {
        return Ok(None);
    }
    let seconds = match ttl {
        serde_json::Value::String(text) => seconds(text.trim()),
        ttl => ttl.as_u64(),
    };
    let seconds = seconds.ok_or_else(|| TermsError::NotATtl(shortened(ttl)))?;
    let ms = seconds.saturating_mul(1000);
    if (MIN_TTL_MS..=MAX_TTL_MS).contains(&ms) { Ok(Some(ms)) } else { Err(TermsError::TtlOutOfBounds(seconds)) }
}

/// `90`, `90s`, `5m`, `2h`, `30d`.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    // Larger than 64 bits is far out of bounds, and digits are the only other thing in it.
    (!number.is_empty()).then(|| number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(factor))
}

/// What was asked for, short enough for an error.
fn shortened(ttl: &serde_json::Value) -> String {
    ttl.to_string().chars().take(40).collect()
}
