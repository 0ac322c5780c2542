//! `sleap-rtc room create`.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use sleap_rtc_peer::api::ApiError;
use sleap_rtc_peer::settings::DEFAULT_SERVER;
use sleap_rtc_wire::Code;
use sleap_rtc_wire::http::{CreateOwnRoom, CreateRoom, RoomCreated};

use crate::args::{RoomCreateArgs, TokenSource};
use crate::caller::Caller;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::rooms::{configuration, expires};

/// Makes the room and prints what workers and clients need to join it.
pub(super) async fn run(mut args: RoomCreateArgs, printer: Printer) -> CliResult<Exit> {
    let token = args.token.take().map(token).transpose()?;
    if args.id.is_some() || token.is_some() {
        args.caller.operator.get_or_insert(None);
    }
    let caller = Caller::new(args.caller).await?;
    let terms = CreateRoom { name: Some(args.name), ttl: Some(args.ttl.into()) };
    let made = if caller.is_operator {
        let own = CreateOwnRoom { terms, room_id: args.id, token };
        caller.api.create_own_room(&caller.bearer, &own).await
    } else {
        caller.api.create_room(&caller.bearer, &terms).await
    };
    let room = made.map_err(|error| not_made(&caller, &error))?;
    print(&room, caller.context.settings.server.value.to_string(), printer);
    Ok(Exit::Ok)
}

fn print(room: &RoomCreated, dialled: String, printer: Printer) {
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
        return;
    }
    for line in lines(room.room_id.as_str(), &room.token, room.expires_at, now(), server.as_deref()) {
        printer.result(&line);
    }
    if let Some(line) = elsewhere {
        printer.note(&line);
    }
}

fn not_made(caller: &Caller, error: &ApiError) -> CliError {
    const WHAT: &str = "the room was not made";
    match error {
        ApiError::Refused { code: Code::Conflict, text, .. } => CliError::new(Exit::Taken, WHAT)
            .cause(caller.says(text))
            .hint("take another id, or look at the room: sleap-rtc room show ID --operator"),
        ApiError::Refused { code: Code::AuthFailed, text, .. } if caller.is_operator => {
            CliError::new(Exit::RoomRefused, WHAT)
                .cause(caller.says(text))
                .hint("name the data folder of this very server: --operator=DIR")
        }
        ApiError::Refused { status: 400 | 422, text, .. } => {
            CliError::new(Exit::Usage, WHAT).cause(caller.says(text)).hint("sleap-rtc room create --help")
        }
        _ => caller.context.api_error(WHAT, error),
    }
}

/// The token, from where it is no argument.
fn token(source: TokenSource) -> CliResult<String> {
    let failed = |cause: String| CliError::new(Exit::Usage, "cannot read the room's token").cause(cause);
    let text = match source {
        TokenSource::Literal => {
            return Err(CliError::new(Exit::Usage, "a token is not taken from the command line")
                .cause("others on this machine can read a program's arguments")
                .hint("take another token, and hand it in: --token @FILE, or --token - for standard input"));
        }
        TokenSource::File(path) => {
            std::fs::read_to_string(&path).map_err(|error| failed(format!("{}: {error}", path.display())))?
        }
        TokenSource::Input => {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map_err(|error| failed(format!("standard input: {error}")))?;
            line
        }
    };
    match text.trim() {
        "" => Err(failed("there is nothing".to_owned()).hint("--token @FILE, with the token alone in it")),
        token => Ok(token.to_owned()),
    }
}

/// What workers and clients need, in the very words that people know from the Python program's documents.
///
/// `expires_at` and `now` are Unix seconds, `None` is never; `server` is given where it is another than the default.
pub fn lines(room_id: &str, token: &str, expires_at: Option<u64>, now: u64, server: Option<&str>) -> Vec<String> {
    let mut lines = vec![
        "Room created successfully!".to_owned(),
        format!("Room ID: {room_id}"),
        format!("Token: {token}"),
        format!("Expires: {}", expires(expires_at, now)),
        String::new(),
    ];
    lines.extend(configuration(room_id, token, server));
    lines
}

/// What other machines need beside that, where `server` is an address that means another machine there.
pub fn elsewhere(server: &str) -> Option<String> {
    let rest = server.strip_prefix("http://")?;
    let port = ["127.0.0.1:", "localhost:", "[::1]:"].into_iter().find_map(|host| rest.strip_prefix(host))?;
    Some(format!("On other machines, with this one's name: SLEAP_RTC_SERVER=\"http://THIS-MACHINE:{port}\""))
}

/// Unix time in seconds; a clock before 1970 is as good as none.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
