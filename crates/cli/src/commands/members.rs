//! `sleap-rtc room invite`, `join`, `members`, `remove`, `set`.

use serde_json::json;
use sleap_rtc_peer::api::ApiError;
use sleap_rtc_peer::api::members::{Member, RoomChange};
use sleap_rtc_peer::settings::DEFAULT_SERVER;
use sleap_rtc_wire::record::Mesh;
use sleap_rtc_wire::{Code, RoomId};

use super::room::named_or_set;
use crate::accounts;
use crate::args::{MeshSwitch, OnOff, RoomJoinArgs, RoomMembersArgs, RoomRemoveArgs, RoomSetArgs};
use crate::caller::Caller;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::text::{clean, duration};

/// Makes a code; it alone goes to standard output.
pub(super) async fn invite(args: RoomMembersArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::of_computer(args.dial).await?;
    let room = named_or_set(args.room, &caller.context)?;
    let invite = caller.api.invite(&caller.bearer, &room).await;
    let invite = invite.map_err(|error| owner_error(&caller, "there is no invite", &room, &error))?;
    if printer.json() {
        printer.event(&json!({
            "event": "invite",
            "room_id": room,
            "code": invite.invite_code,
            "expires_in_seconds": invite.expires_in_seconds,
        }));
        return Ok(Exit::Ok);
    }
    let time = duration(std::time::Duration::from_secs(invite.expires_in_seconds));
    let code = clean(&invite.invite_code);
    printer.note(&format!("Whoever has this code can become a member of room {room}, for {time}:"));
    printer.result(&code);
    printer.note(&format!("On their computer: sleap-rtc room join {code}"));
    printer.note(&format!("With the Python package: sleap-rtc room join --code {code}"));
    Ok(Exit::Ok)
}

/// Becomes a member and says what it takes to use the room.
pub(super) async fn join(args: RoomJoinArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::of_computer(args.dial).await?;
    let joined = caller.api.join_room(&caller.bearer, &args.code).await;
    let room = joined.map_err(|error| not_joined(&caller, &error))?.room_id;
    let dialled = caller.context.settings.server.value.to_string();
    if printer.json() {
        printer.event(&json!({"event": "room_joined", "room_id": room, "server": dialled}));
        return Ok(Exit::Ok);
    }
    let server = (dialled != DEFAULT_SERVER).then_some(dialled);
    for line in joined_lines(&room, server.as_deref()) {
        printer.result(&line);
    }
    Ok(Exit::Ok)
}

/// What a member needs: no token. `server` is given where it is another than the default.
pub fn joined_lines(room: &RoomId, server: Option<&str>) -> Vec<String> {
    let mut lines = vec![
        format!("You are a member of room {room}"),
        String::new(),
        "Add this to your worker/client configs; a member needs no token:".to_owned(),
        format!("  SLEAP_RTC_ROOM_ID=\"{room}\""),
    ];
    lines.extend(server.map(|url| format!("  SLEAP_RTC_SERVER=\"{url}\"")));
    lines
}

/// Prints who belongs to a room.
pub(super) async fn list(args: RoomMembersArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::of_computer(args.dial).await?;
    let room = named_or_set(args.room, &caller.context)?;
    let members = members(&caller, &room).await?;
    if printer.json() {
        for member in &members {
            printer.event(&accounts::member_json(member));
        }
    } else {
        for line in accounts::member_table(&members) {
            printer.result(&line);
        }
    }
    Ok(Exit::Ok)
}

/// Takes somebody out of a room.
pub(super) async fn remove(args: RoomRemoveArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::of_computer(args.dial).await?;
    let room = named_or_set(args.room, &caller.context)?;
    let members = members(&caller, &room).await?;
    let named = |member: &&Member| member.user_id.as_str() == args.member || member.username == args.member;
    let member = members.iter().find(named).ok_or_else(|| {
        CliError::new(Exit::Usage, format!("{} is not a member of room {room}", args.member))
            .cause(format!("its members: {}", accounts::member_names(&members)))
            .hint(format!("sleap-rtc room members {room}"))
    })?;
    let removed = caller.api.remove_member(&caller.bearer, &room, &member.user_id).await;
    removed.map_err(|error| owner_error(&caller, &format!("{} was not removed", args.member), &room, &error))?;
    if printer.json() {
        printer.event(&json!({"event": "member_removed", "room_id": room, "user_id": member.user_id}));
    } else {
        printer.result(&format!("{} is no longer a member of room {room}", clean(&args.member)));
    }
    Ok(Exit::Ok)
}

/// Changes a room and says how it is now.
pub(super) async fn set(args: RoomSetArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::of_computer(args.dial).await?;
    let room = named_or_set(args.room, &caller.context)?;
    let change = RoomChange {
        name: args.name,
        mesh: args.mesh.map(|mesh| match mesh {
            MeshSwitch::Off => Mesh::Off,
            MeshSwitch::Reference => Mesh::Reference,
        }),
        strict_offers: args.strict_offers.map(|strict| strict == OnOff::On),
    };
    let changed = caller.api.change_room(&caller.bearer, &room, &change).await;
    let changed = changed.map_err(|error| owner_error(&caller, "the room was not changed", &room, &error))?;
    if printer.json() {
        printer.event(&json!({
            "event": "room_changed",
            "room_id": changed.room_id,
            "name": changed.name,
            "mesh": changed.mesh,
            "strict_offers": changed.strict_offers,
        }));
    } else {
        let name = changed.name.as_deref().map_or_else(String::new, |name| format!(" ({})", clean(name)));
        printer.result(&format!("Room {room}{name}: {}", accounts::switches(&changed)));
    }
    Ok(Exit::Ok)
}

/// A call of the owner's that failed.
fn owner_error(caller: &Caller, what: &str, room: &RoomId, error: &ApiError) -> CliError {
    match error {
        ApiError::Refused { code: Code::Forbidden, text, .. } => CliError::new(Exit::RoomRefused, what)
            .cause(caller.says(text))
            .hint(format!("whose it is: sleap-rtc room members {room}")),
        _ => caller.room_error(what, room, error),
    }
}

async fn members(caller: &Caller, room: &RoomId) -> CliResult<Vec<Member>> {
    let members = caller.api.members(&caller.bearer, room).await;
    members.map_err(|error| caller.room_error("cannot list the members", room, &error))
}

fn not_joined(caller: &Caller, error: &ApiError) -> CliError {
    match error {
        ApiError::Refused { status: 400, text, .. } => CliError::new(Exit::RoomRefused, "you did not become a member")
            .cause(caller.says(text))
            .hint("ask the room's owner for a fresh code: sleap-rtc room invite"),
        _ => caller.context.api_error("you did not become a member", error),
    }
}
