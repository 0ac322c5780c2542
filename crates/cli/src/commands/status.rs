//! `sleap-rtc status`.

use sleap_rtc_client::{is_of_python, status, workers};
use sleap_rtc_session::pool_client::Found;

use crate::args::StatusArgs;
use crate::commands::room_create::now;
use crate::context::{Context, client_error};
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::roster;

/// Joins the room for a moment and prints who else is there, and who is missed.
pub(super) async fn run(args: StatusArgs, printer: Printer) -> CliResult<Exit> {
    let context = Context::load(&args.connect)?;
    let found = if args.free { free(&context).await? } else { look(&context).await? };
    if printer.json() {
        for peer in &found.peers {
            printer.event(&roster::to_json(peer));
        }
        for worker in &found.absent {
            printer.event(&roster::absent_to_json(worker, now()));
        }
        return Ok(Exit::Ok);
    }
    let room = context.settings.room().map_or("the room", |room| room.value.as_str());
    printer.note(&format!("{room} on {}: {}", context.settings.server.value, roster::summary(&found)));
    if found.peers.is_empty() && found.absent.is_empty() {
        let who = if args.free { "No worker is free" } else { "Nobody is there" };
        printer.note(&format!("{who}. On a GPU machine: sleap-rtc worker --gpu 0"));
    } else {
        for line in roster::table(&found, now()) {
            printer.result(&line);
        }
    }
    Ok(Exit::Ok)
}

/// Everybody in the room but ourselves, and the workers that are missed there.
pub(crate) async fn look(context: &Context) -> CliResult<Found> {
    context.room()?;
    status(&context.client()).await.map_err(|error| client_error(&error))
}

/// The workers that could take a job now.
async fn free(context: &Context) -> CliResult<Found> {
    context.room()?;
    let mut peers = workers(&context.client(), None).await.map_err(|error| client_error(&error))?;
    peers.retain(|peer| !is_of_python(&peer.metadata));
    Ok(Found { total: peers.len(), peers, absent: Vec::new() })
}
