//! What is said of rooms: a table, one of them in full, when it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sleap_rtc_peer::api::members::Member;
use sleap_rtc_wire::http::{RoomInfo, RoomShown};
use sleap_rtc_wire::record::{MemberRole, RoomKind};

use crate::accounts::member_names;
use crate::text::{clean, count, duration};

/// The table, in the order given. `now` is Unix time in seconds.
pub fn table(rooms: &[RoomInfo], now: u64) -> Vec<String> {
    let mut rows = vec![["ID", "NAME", "ROLE", "EXPIRES", "PEERS"].map(str::to_owned)];
    rows.extend(rooms.iter().map(|room| row(room, now)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [a, b, c, d] = [0, 1, 2, 3].map(width);
    rows.iter()
        .map(|[id, name, role, expires, peers]| {
            format!("{id:a$}  {name:b$}  {role:c$}  {expires:d$}  {peers}").trim_end().to_owned()
        })
        .collect()
}

/// One room, and how to join it where its token is shown. `server` is given where it is another than the default.
pub fn lines(room: &RoomShown, members: Option<&[Member]>, now: u64, server: Option<&str>) -> Vec<String> {
    let info = &room.info;
    let mut lines = vec![
        format!("Room ID: {}", info.room_id),
        format!("Name: {}", name(info)),
        format!("Your role: {}", role(info.role)),
        format!("Expires: {}", expires(info.expires_at, now)),
        format!("Lives: {}", lifetime(info)),
        format!("Peers: {}", peers(&info.peers)),
    ];
    lines.extend(members.map(|members| format!("Members: {}", member_names(members))));
    if info.taken + info.waiting > 0 {
        lines.push(format!("Claims: {} taken, {} waiting", count(info.taken, "worker"), info.waiting));
    }
    lines.push(String::new());
    match &room.token {
        Some(token) => lines.extend(configuration(info.room_id.as_str(), token, server)),
        None => lines.push("Its token is shown to its owner and to the server's operator.".to_owned()),
    }
    lines
}

/// What workers and clients need, in the very words that people know from the Python program's documents.
pub fn configuration(room_id: &str, token: &str, server: Option<&str>) -> Vec<String> {
    let mut lines = vec![
        "Add these to your worker/client configs:".to_owned(),
        format!("  SLEAP_RTC_ROOM_ID=\"{room_id}\""),
        format!("  SLEAP_RTC_ROOM_TOKEN=\"{token}\""),
    ];
    lines.extend(server.map(|url| format!("  SLEAP_RTC_SERVER=\"{url}\"")));
    lines
}

/// A room for a program: one event.
pub fn to_json(info: &RoomInfo, token: Option<&str>) -> Value {
    let mut value = json!({
        "event": "room",
        "room_id": info.room_id,
        "name": info.name,
        "kind": info.kind,
        "role": role(info.role),
        "created_at": info.created_at,
        "expires_at": info.expires_at,
        "ttl": info.ttl,
        "peers": info.peers,
        "taken": info.taken,
        "waiting": info.waiting,
    });
    if let Some(token) = token {
        value["token"] = json!(token);
    }
    value
}

/// `2 workers, 1 client`, or `nobody`.
pub fn peers(by_role: &BTreeMap<String, usize>) -> String {
    let mut roles: Vec<_> = by_role.iter().filter(|(_, n)| **n > 0).collect();
    // Those that there are for first; the others by name.
    roles.sort_by_key(|(role, _)| role.as_str() != "worker");
    let parts: Vec<String> = roles.into_iter().map(|(role, n)| count(*n, &clean(role))).collect();
    if parts.is_empty() { "nobody".to_owned() } else { parts.join(", ") }
}

/// `2026-12-24 12:30:00 UTC (30 days)`, or `never`. Unix seconds.
pub fn expires(at: Option<u64>, now: u64) -> String {
    at.map_or_else(|| "never".to_owned(), |at| format!("{} ({})", utc(at), life(at.saturating_sub(now))))
}

fn row(room: &RoomInfo, now: u64) -> [String; 5] {
    let expires = room.expires_at.map_or_else(|| "never".to_owned(), |at| life(at.saturating_sub(now)));
    [room.room_id.to_string(), name(room), role(room.role).to_owned(), expires, peers(&room.peers)]
}

fn name(room: &RoomInfo) -> String {
    room.name.as_deref().map_or_else(|| "–".to_owned(), |name| clean(name).into_owned())
}

const fn role(role: Option<MemberRole>) -> &'static str {
    match role {
        Some(MemberRole::Owner) => "owner",
        Some(MemberRole::Member) => "member",
        None => "operator",
    }
}

fn lifetime(room: &RoomInfo) -> String {
    match (room.ttl, room.kind) {
        (None, _) => "until it is deleted".to_owned(),
        (Some(seconds), RoomKind::Named) => format!("{} after anybody was in it", life(seconds)),
        (Some(seconds), RoomKind::Ephemeral) => format!("{}; gone soon after its last peer has left", life(seconds)),
    }
}

/// `2026-12-24 12:30:00 UTC`.
fn utc(seconds: u64) -> String {
    let stamp = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| "in a far future".to_owned(), |stamp| stamp.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// `30 days`, `1 day`, `12 h`. A room that was made a moment ago has a little less than it was given.
fn life(seconds: u64) -> String {
    let hours = (seconds + 60) / 3600;
    match (hours / 24, hours % 24) {
        (0, 0) => duration(Duration::from_secs(seconds)),
        (0, hours) => format!("{hours} h"),
        (1, 0) => "1 day".to_owned(),
        (days, 0) => format!("{days} days"),
        (days, hours) => format!("{days} d {hours} h"),
    }
}
