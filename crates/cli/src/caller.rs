//! As whom a room or the clean-up is asked for: this installation, or the operator of the server.

use std::path::PathBuf;

use sleap_rtc_peer::api::{Api, ApiError};
use sleap_rtc_wire::{Code, RoomId};

use crate::args;
use crate::context::Context;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::folders;

/// The file in a server's data folder that its operator can read.
const SECRET: &str = "admin.secret";

/// Somebody who can ask.
pub(crate) struct Caller {
    /// Server and settings.
    pub(crate) context: Context,
    /// Calls to the server.
    pub(crate) api: Api,
    /// What each call shows. A secret.
    pub(crate) bearer: String,
    /// Whether it is the operator's secret.
    pub(crate) is_operator: bool,
    /// Whether the command could ask as the operator too.
    has_operator: bool,
}

impl Caller {
    /// Signs in with the installation's key, or reads the operator's secret.
    pub(crate) async fn new(args: args::Caller) -> CliResult<Self> {
        let context = Context::of_server(args.dial)?;
        let api = context.api();
        let (bearer, is_operator) = match args.operator {
            Some(folder) => (secret(folder)?, true),
            None => (context.sign_in(&api).await?.id_token, false),
        };
        Ok(Self { context, api, bearer, is_operator, has_operator: true })
    }

    /// The same for what the server's operator has no part in.
    pub(crate) async fn of_computer(dial: args::Dial) -> CliResult<Self> {
        let caller = Self::new(args::Caller { dial, operator: None }).await?;
        Ok(Self { has_operator: false, ..caller })
    }

    /// A call about a room that failed.
    pub(crate) fn room_error(&self, what: &str, room: &RoomId, error: &ApiError) -> CliError {
        let ApiError::Refused { code, text, .. } = error else { return self.context.api_error(what, error) };
        let refused = |error: String| CliError::new(Exit::RoomRefused, error).cause(self.says(text));
        match code {
            Code::RoomNotFound => no_room(room, self.says(text), self.is_operator),
            Code::RoomExpired => {
                refused(format!("room {room} has expired")).hint("make another: sleap-rtc room create --name NAME")
            }
            Code::Forbidden if self.is_operator => {
                refused(what.to_owned()).hint("this is for the room's members: the same without --operator")
            }
            Code::Forbidden if self.has_operator => refused(format!("you are not a member of room {room}"))
                .hint("ask whoever made it, or its server's operator, who can add --operator"),
            Code::Forbidden => refused(format!("you are not a member of room {room}"))
                .hint("ask its owner for a code: sleap-rtc room join CODE"),
            Code::AuthFailed if self.is_operator => {
                refused(what.to_owned()).hint("name the data folder of this very server: --operator=DIR")
            }
            _ => self.context.api_error(what, error),
        }
    }

    /// The server's words.
    pub(crate) fn says(&self, text: &str) -> String {
        format!("the server at {} says: {text}", self.context.settings.server.value)
    }
}

/// There is no such room, or the caller may not know of it.
pub(crate) fn no_room(room: &RoomId, cause: String, is_operator: bool) -> CliError {
    let list = if is_operator { "sleap-rtc room list --operator" } else { "sleap-rtc room list" };
    CliError::new(Exit::RoomRefused, format!("there is no room {room}")).cause(cause).hint(list)
}

/// What the operator of a server shows: only who may read its data folder has it.
fn secret(folder: Option<PathBuf>) -> CliResult<String> {
    let folder = match folder {
        Some(folder) => folder,
        None => folders::data()?.join("server"),
    };
    let path = folder.join(SECRET);
    let failed = |cause: String| {
        CliError::new(Exit::RoomRefused, "cannot ask as the server's operator")
            .cause(format!("{}: {cause}", path.display()))
            .hint("on the server's machine, as the user who runs it; or name its data folder: --operator=DIR")
    };
    let text = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
    let secret = text.trim();
    if secret.is_empty() { Err(failed("it is empty".to_owned())) } else { Ok(secret.to_owned()) }
}
