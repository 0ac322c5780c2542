//! `sleap-rtc test-room`: a room and a user for one test.
//!
//! Both are anonymous and ephemeral, so that even a kill leaves nothing for longer than two hours.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::{ExitCode, ExitStatus};

use serde_json::json;
use sleap_rtc_peer::api::{Api, ApiError};
use sleap_rtc_peer::env;
use sleap_rtc_wire::http::{AnonymousSignin, CreateRoom, RoomCreated};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::args::{Dial, TestRoomArgs};
use crate::context::Context;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::lifecycle::{self, Ending};
use crate::printer::Printer;
use crate::sys;

/// The room, and who made it.
struct TestRoom {
    context: Context,
    api: Api,
    user: AnonymousSignin,
    room: RoomCreated,
}

/// Makes it, waits or runs the command, and deletes it.
pub(super) async fn run(args: TestRoomArgs, printer: Printer) -> CliResult<ExitCode> {
    // From the very start, so that Ctrl-C while the room is being made does not leave it behind.
    let ending = tokio::spawn(lifecycle::ending(args.command.is_empty()));
    let test = TestRoom::make(args.dial).await?;
    match args.command.split_first() {
        None => {
            test.print(printer);
            let ended = ending.await.map_err(|error| CliError::internal("waiting failed").because(&error))?;
            test.delete().await.and(ended)?;
            Ok(Exit::Ok.into())
        }
        Some((program, arguments)) => {
            let ended = test.run(program, arguments, ending).await;
            if let Err(error) = test.delete().await {
                printer.warn(&format!("the test's room goes by itself, later: {}", error.causes.join(": ")));
            }
            ended.map(|status| sys::exit_code(status).into())
        }
    }
}

impl TestRoom {
    async fn make(dial: Dial) -> CliResult<Self> {
        let context = Context::of_server(dial)?;
        let api = context.api();
        let failed = |error: ApiError| context.api_error("there is no room for the test", &error);
        let user = api.sign_in_anonymously().await.map_err(failed)?;
        let room = api.create_room(&user.id_token, &CreateRoom::default()).await.map_err(failed)?;
        Ok(Self { context, api, user, room })
    }

    /// One line of JSON, with or without `--json`: a program reads it.
    fn print(&self, printer: Printer) {
        let server = &self.context.settings.server.value;
        let line = json!({
            "event": "test_room",
            "room_id": self.room.room_id,
            "token": self.room.token,
            "id_token": self.user.id_token,
            "peer_id": self.user.username,
            "username": self.user.username,
            "expires_at": self.room.expires_at,
            "server": server.http(),
            "websocket": server.websocket(),
        });
        printer.result(&line.to_string());
        if std::io::stdin().is_terminal() {
            printer.note("The room goes when you press Ctrl-C");
        }
    }

    /// Runs the command to its end. Who ends us ends it first, and a second time kills it.
    async fn run(
        &self,
        program: &OsString,
        arguments: &[OsString],
        mut ending: JoinHandle<CliResult<Ending>>,
    ) -> CliResult<ExitStatus> {
        let failed = |error: &std::io::Error| {
            CliError::new(Exit::Usage, format!("cannot run {}", program.display()))
                .because(error)
                .hint("sleap-rtc test-room -- COMMAND, e.g. sleap-rtc test-room -- pytest tests")
        };
        let mut command = Command::new(program);
        command.args(arguments).envs(self.environment()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let mut asked = false;
        loop {
            tokio::select! {
                status = child.wait() => {
                    ending.abort();
                    return status.map_err(|error| failed(&error));
                }
                told = &mut ending => {
                    let told = told.map_err(|error| CliError::internal("waiting failed").because(&error))??;
                    end(&mut child, told, asked).map_err(|error| failed(&error))?;
                    asked = true;
                    ending = tokio::spawn(lifecycle::ending(false));
                }
            }
        }
    }

    fn environment(&self) -> [(&'static str, &str); 7] {
        let server = &self.context.settings.server.value;
        [
            (env::SERVER, server.http()),
            (env::SIGNALING_HTTP, server.http()),
            (env::SIGNALING_WS, server.websocket()),
            (env::ROOM_ID, self.room.room_id.as_str()),
            (env::ROOM_TOKEN, &self.room.token),
            (env::ID_TOKEN, &self.user.id_token),
            (env::PEER_ID, &self.user.username),
        ]
    }

    /// The user goes with the room that it made. A room that is gone already is what is wanted.
    async fn delete(&self) -> CliResult {
        // With the room's token: the user's ends after an hour.
        let deleted = self.api.delete_room(&self.user.id_token, &self.room.room_id, Some(&self.room.token)).await;
        match deleted {
            Ok(_) | Err(ApiError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(self
                .context
                .api_error("the test's room was not deleted", &error)
                .hint("it goes by itself within two hours")),
        }
    }
}

/// Ends the command. Ctrl-C on a terminal has reached it already.
fn end(child: &mut Child, told: Ending, asked: bool) -> std::io::Result<()> {
    if asked {
        return child.start_kill();
    }
    let as_ctrl_c = told == Ending::Interrupt;
    if as_ctrl_c && std::io::stdin().is_terminal() { Ok(()) } else { sys::end(child, as_ctrl_c) }
}
