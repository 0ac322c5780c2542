//! `sleap-rtc status`.

use sleap_rtc_peer::client_pool::ClientPool;
use sleap_rtc_peer::home::client_peer_id;
use sleap_rtc_session::pool_client::Setup;
use sleap_rtc_session::pool_line::FirstTry;
use sleap_rtc_wire::signal::PeerEntry;
use sleap_rtc_wire::{Filters, Metadata};

use crate::args::StatusArgs;
use crate::commands::room_create::now;
use crate::context::Context;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::failures::failure;
use crate::printer::Printer;
use crate::roster;

/// Joins the room for a moment and prints who else is there.
pub(super) async fn run(args: StatusArgs, printer: Printer) -> CliResult<Exit> {
    let context = Context::load(&args.connect)?;
    let peers = look(&context).await?;
    if printer.json() {
        for peer in &peers {
            printer.event(&roster::to_json(peer));
        }
        return Ok(Exit::Ok);
    }
    let room = context.settings.room().map_or("the room", |room| room.value.as_str());
    printer.note(&format!("{room} on {}: {}", context.settings.server.value, roster::summary(&peers)));
    if peers.is_empty() {
        printer.note("Nobody is there. On a GPU machine: sleap-rtc worker --gpu 0");
    } else {
        for line in roster::table(&peers, now()) {
            printer.result(&line);
        }
    }
    Ok(Exit::Ok)
}

/// Everybody in the room but ourselves.
pub(crate) async fn look(context: &Context) -> CliResult<Vec<PeerEntry>> {
    let access = context.room()?;
    let key = context.key()?;
    let random = getrandom::u32().map_err(|error| CliError::internal(format!("no random numbers: {error}")))?;
    let peer_id = client_peer_id(&key, random);
    let setup = Setup {
        peer_id: peer_id.clone(),
        room_id: access.room,
        token: access.token,
        metadata: Metadata::from(serde_json::json!({"tags": ["sleap-rtc", "status"], "properties": {}})),
        first: FirstTry::Once,
    };
    let (pool, _) = ClientPool::start(context.api(), key, setup);
    let found = pool.discover(Filters::default()).await;
    pool.leave().await;
    let mut peers = found.map_err(|error| failure("cannot see who is in the room", &context.settings, &error))?;
    peers.retain(|peer| peer.peer_id != peer_id);
    Ok(peers)
}
