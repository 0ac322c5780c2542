//! `sleap-rtc room create`.

use std::time::Duration;

use crate::text::duration;

/// What workers and clients need, in the very words that people know from the Python program's documents.
///
/// `expires_at` is in Unix seconds, `None` for never; `life` says how long that is, as `30 days`; `server` is given where it
/// is another than the default.
pub fn lines(room_id: &str, token: &str, expires_at: Option<u64>, life: &str, server: Option<&str>) -> Vec<String> {
    let life = if life.is_empty() { String::new() } else { format!(" ({life})") };
    let mut lines = vec![
        "Room created successfully!".to_owned(),
        format!("Room ID: {room_id}"),
        format!("Token: {token}"),
        expires_at.map_or_else(|| "Expires: never".to_owned(), |at| format!("Expires: {}{life}", utc(at))),
        String::new(),
        "Add these to your worker/client configs:".to_owned(),
        format!("  SLEAP_RTC_ROOM_ID=\"{room_id}\""),
        format!("  SLEAP_RTC_ROOM_TOKEN=\"{token}\""),
    ];
    lines.extend(server.map(|url| format!("  SLEAP_RTC_SERVER=\"{url}\"")));
    lines
}

/// `2026-12-24 12:30:00 UTC`.
fn utc(seconds: u64) -> String {
    let stamp = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| "never".to_owned(), |stamp| stamp.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// `30 days`, `1 day`, else `12 h 00 min`.
pub fn life(time: Duration) -> String {
    // A room that was made a moment ago has a second less than it was given.
    let hours = (time.as_secs() + 60) / 3600;
    match (hours / 24, hours % 24) {
        (0, 0) => duration(time),
        (0, hours) => format!("{hours} h"),
        (1, 0) => "1 day".to_owned(),
        (days, 0) => format!("{days} days"),
        (days, hours) => format!("{days} d {hours} h"),
    }
}
