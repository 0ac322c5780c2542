//! `sleap-rtc room list`, `show`, `extend`, `delete`.

use serde_json::json;
use sleap_rtc_peer::api::ApiError;
use sleap_rtc_peer::api::members::Member;
use sleap_rtc_peer::settings::DEFAULT_SERVER;
use sleap_rtc_wire::RoomId;
use sleap_rtc_wire::http::RoomInfo;

use super::room_create::now;
use crate::accounts;
use crate::args::{RoomArgs, RoomDeleteArgs, RoomListArgs};
use crate::caller::{Caller, no_room};
use crate::confirm::confirmed;
use crate::context::Context;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::rooms;
use crate::text::clean;

/// What the server answers where there is nothing to delete; the deployed server's words.
const NOT_FOUND: &str = "room not found";

/// Prints the caller's rooms.
pub(super) async fn list(args: RoomListArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::new(args.caller).await?;
    let listed = caller.api.rooms(&caller.bearer).await;
    let rooms = listed.map_err(|error| caller.context.api_error("cannot list the rooms", &error))?;
    if printer.json() {
        for room in &rooms {
            printer.event(&rooms::to_json(room, None));
        }
    } else if rooms.is_empty() {
        let whose = if caller.is_operator { "There are no rooms" } else { "You have no room" };
        printer.note(&format!("{whose} on {}", caller.context.settings.server.value));
        printer.note("Make one: sleap-rtc room create --name NAME");
    } else {
        for line in rooms::table(&rooms, now()) {
            printer.result(&line);
        }
    }
    Ok(Exit::Ok)
}

/// Prints one room and, where the server shows its token, how to join it.
pub(super) async fn show(args: RoomArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::new(args.caller).await?;
    let room = named_or_set(args.room, &caller.context)?;
    let shown = caller.api.room(&caller.bearer, &room).await;
    let shown = shown.map_err(|error| caller.room_error("cannot show the room", &room, &error))?;
    let members = known_members(&caller, &room).await?;
    if printer.json() {
        let mut event = rooms::to_json(&shown.info, shown.token.as_deref());
        // Not told is not the same as none.
        event["members"] =
            json!(members.as_ref().map(|members| { members.iter().map(accounts::member_json).collect::<Vec<_>>() }));
        printer.event(&event);
        return Ok(Exit::Ok);
    }
    let dialled = caller.context.settings.server.value.to_string();
    let server = (dialled != DEFAULT_SERVER).then_some(dialled);
    for line in rooms::lines(&shown, members.as_deref(), now(), server.as_deref()) {
        printer.result(&line);
    }
    Ok(Exit::Ok)
}

/// Who belongs to the room, where the server tells the caller: it does not tell its operator, nor who is only connected.
async fn known_members(caller: &Caller, room: &RoomId) -> CliResult<Option<Vec<Member>>> {
    if caller.is_operator {
        return Ok(None);
    }
    match caller.api.members(&caller.bearer, room).await {
        Ok(members) => Ok(Some(members)),
        Err(ApiError::Refused { status: 403 | 404, .. } | ApiError::NotAServer { status: 404, .. }) => Ok(None),
        Err(error) => Err(caller.room_error("cannot show the room", room, &error)),
    }
}

/// Moves a room's end on and says when it is.
pub(super) async fn extend(args: RoomArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::new(args.caller).await?;
    let room = named_or_set(args.room, &caller.context)?;
    let extended = caller.api.extend_room(&caller.bearer, &room).await;
    let extended = extended.map_err(|error| caller.room_error("the room was not extended", &room, &error))?;
    if printer.json() {
        printer.event(&json!({"event": "room_extended", "room_id": room, "expires_at": extended.expires_at}));
    } else {
        printer.result(&format!("Room {room} expires: {}", rooms::expires(extended.expires_at, now())));
    }
    Ok(Exit::Ok)
}

/// Deletes a room after a yes.
pub(super) async fn delete(args: RoomDeleteArgs, printer: Printer) -> CliResult<Exit> {
    let RoomDeleteArgs { room, yes, caller } = args;
    let caller = Caller::new(caller).await?;
    if !yes {
        let shown = caller.api.room(&caller.bearer, &room).await;
        let shown = shown.map_err(|error| caller.room_error("cannot show the room", &room, &error))?;
        ask(&shown.info, printer)?;
    }
    let deleted = caller.api.delete_room(&caller.bearer, &room, None).await;
    let deleted = deleted.map_err(|error| caller.room_error("the room was not deleted", &room, &error))?;
    if deleted.status == NOT_FOUND {
        return Err(no_room(&room, caller.says(&deleted.status), caller.is_operator));
    }
    if printer.json() {
        printer.event(&json!({"event": "room_deleted", "room_id": room}));
    } else {
        printer.result(&format!("Room {room} is deleted"));
    }
    Ok(Exit::Ok)
}

fn ask(room: &RoomInfo, printer: Printer) -> CliResult {
    let id = &room.room_id;
    let name = room.name.as_deref().map_or_else(String::new, |name| format!(" ({})", clean(name)));
    let question = format!("Delete room {id}{name}, with {} in it?", rooms::peers(&room.peers));
    let kept = format!("room {id}{name} is not deleted");
    confirmed(&question, &kept, &format!("sleap-rtc room delete {id} --yes"), printer)
}

/// The room of the command line, else the one that is set.
pub(super) fn named_or_set(named: Option<RoomId>, context: &Context) -> CliResult<RoomId> {
    named.or_else(|| context.settings.room().map(|room| room.value.clone())).ok_or_else(|| {
        CliError::new(Exit::Usage, "no room is named")
            .cause("none on the command line, and neither SLEAP_RTC_ROOM_ID nor a configuration file names one")
            .hint("name one of those that this lists: sleap-rtc room list")
    })
}
