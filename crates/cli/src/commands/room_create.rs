//! `sleap-rtc room create`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use sleap_rtc_peer::settings::DEFAULT_SERVER;
use sleap_rtc_wire::http::CreateRoom;

use crate::args::RoomCreateArgs;
use crate::context::Context;
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::text::duration;

/// Makes the room and prints what workers and clients need to join it.
pub(super) async fn run(args: RoomCreateArgs, printer: Printer) -> CliResult<Exit> {
    let context = Context::of_server(args.server)?;
    let api = context.api();
    let who = context.sign_in(&api).await?;
    let wanted = CreateRoom { name: Some(args.name), ttl: Some(args.ttl.into()) };
    let room = api
        .create_room(&who.id_token, &wanted)
        .await
        .map_err(|error| context.api_error("the room was not made", &error))?;
    let dialled = context.settings.server.value.to_string();
    let elsewhere = room.server.is_none().then(|| elsewhere(&dialled)).flatten();
    let server = room.server.clone().or_else(|| (dialled != DEFAULT_SERVER).then_some(dialled));
    if printer.json() {
        printer.event(&json!({
            "event": "room_created",
            "room_id": room.room_id,
            "token": room.token,
            "expires_at": room.expires_at,
            "name": room.name,
            "server": server,
        }));
    } else {
        for line in lines(room.room_id.as_str(), &room.token, room.expires_at, now(), server.as_deref()) {
            printer.result(&line);
        }
        if let Some(line) = elsewhere {
            printer.note(&line);
        }
    }
    Ok(Exit::Ok)
}

/// What workers and clients need, in the very words that people know from the Python program's documents.
///
/// `expires_at` and `now` are Unix seconds, `None` is never; `server` is given where it is another than the default.
pub fn lines(room_id: &str, token: &str, expires_at: Option<u64>, now: u64, server: Option<&str>) -> Vec<String> {
    let expires = match expires_at {
        Some(at) => format!("Expires: {} ({})", utc(at), life(at.saturating_sub(now))),
        None => "Expires: never".to_owned(),
    };
    let mut lines = vec![
        "Room created successfully!".to_owned(),
        format!("Room ID: {room_id}"),
        format!("Token: {token}"),
        expires,
        String::new(),
        "Add these to your worker/client configs:".to_owned(),
        format!("  SLEAP_RTC_ROOM_ID=\"{room_id}\""),
        format!("  SLEAP_RTC_ROOM_TOKEN=\"{token}\""),
    ];
    lines.extend(server.map(|url| format!("  SLEAP_RTC_SERVER=\"{url}\"")));
    lines
}

/// What other machines need beside that, where `server` is an address that means another machine there.
pub fn elsewhere(server: &str) -> Option<String> {
    let rest = server.strip_prefix("http://")?;
    let port = ["127.0.0.1:", "localhost:", "[::1]:"].into_iter().find_map(|host| rest.strip_prefix(host))?;
    Some(format!("On other machines, with this one's name: SLEAP_RTC_SERVER=\"http://THIS-MACHINE:{port}\""))
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

/// Unix time in seconds; a clock before 1970 is as good as none.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
