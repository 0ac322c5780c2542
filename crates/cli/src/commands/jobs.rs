//! `sleap-rtc jobs`.

use sleap_rtc_client::jobs;
use sleap_rtc_peer::clock::Clock;

use crate::args::{Connect, JobsArgs};
use crate::context::{Context, home_error};
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::jobs::{Row, table, to_json};
use crate::printer::Printer;

/// Ended jobs that are shown unasked.
const ENDED: usize = 10;

/// Prints what this installation knows of its jobs. Asks nobody: it works without the server too.
pub(super) fn run(args: &JobsArgs, printer: Printer) -> CliResult<Exit> {
    let home = Context::load(&Connect::default())?.home;
    let now = Clock::start().now();
    let known = jobs::list(&home).map_err(|error| home_error(&error))?;
    let rows = known.into_iter().map(|file| Row { state: jobs::state(&home, &file, now), file });
    let mut ended = 0;
    let (shown, older): (Vec<Row>, Vec<Row>) = rows.partition(|row| {
        ended += usize::from(row.is_over());
        args.all || !row.is_over() || ended <= ENDED
    });
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
