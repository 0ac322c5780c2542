//! `sleap-rtc jobs`.

use std::time::Duration;

use sleap_rtc_client::jobs::{self, State};
use sleap_rtc_client::status;
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_session::pool_client::Found;

use crate::args::JobsArgs;
use crate::context::{Context, home_error};
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::jobs::{Row, table, to_json};
use crate::printer::Printer;

/// Ended jobs that are shown unasked.
const ENDED: usize = 10;
/// How long the room is asked what has become of jobs that ran when they were last seen.
const ASK: Duration = Duration::from_secs(2);

/// Prints what this installation knows of its jobs. The room is asked about those that run; without it, what was last heard
/// of them is shown.
pub(super) async fn run(args: JobsArgs, printer: Printer) -> CliResult<Exit> {
    let context = Context::load(&args.connect)?;
    let now = Clock::start().now();
    let known = jobs::list(&context.home).map_err(|error| home_error(&error))?;
    let rows = known.into_iter().map(|file| Row::new(jobs::state(&context.home, &file, now), file));
    let mut ended = 0;
    let (mut shown, older): (Vec<Row>, Vec<Row>) = rows.partition(|row| {
        ended += usize::from(row.is_over());
        args.all || !row.is_over() || ended <= ENDED
    });
    if let Some(found) = ask(&context, &shown).await {
        let room = context.settings.room().map(|room| &room.value);
        for row in shown.iter_mut().filter(|row| Some(&row.file.room) == room) {
            row.look(&found, now);
        }
    }
    if printer.json() {
        for row in &shown {
            printer.event(&to_json(row));
        }
        return Ok(Exit::Ok);
    }
    if shown.is_empty() {
        printer.note("No job was started here yet: sleap-rtc train data.slp");
        return Ok(Exit::Ok);
    }
    for line in table(&shown, now) {
        printer.result(&line);
    }
    if !older.is_empty() {
        printer.note(&format!("{} more have ended: sleap-rtc jobs --all", older.len()));
    }
    Ok(Exit::Ok)
}

/// Who is in the room, if a job of it runs and the room can be asked.
async fn ask(context: &Context, rows: &[Row]) -> Option<Found> {
    let room = context.settings.room_access().ok()?.room;
    rows.iter().find(|row| row.state == State::Running && row.file.room == room)?;
    match tokio::time::timeout(ASK, status(&context.client())).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) => {
            tracing::info!(%error, "the room was not asked");
            None
        }
        Err(_) => None,
    }
}
