//! `sleap-rtc doctor`.

use crate::args::DoctorArgs;
use crate::doctor::{self, Check, Verdict};
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::printer::Printer;

/// Looks at one thing after the other and says at once what it found.
pub(super) async fn run(args: DoctorArgs, printer: Printer) -> CliResult<Exit> {
    let mut worst = Verdict::Ok;
    let mut say = |check: Check| {
        worst = worst.max(check.verdict);
        if printer.json() {
            printer.event(&check);
        } else {
            printer.result(&check.lines(printer));
        }
    };
    say(doctor::other_program());
    for check in doctor::room(&args.connect).await {
        say(check);
    }
    say(doctor::trainer().await);
    say(doctor::gpu().await);
    if let Some(check) = doctor::udp_buffer() {
        say(check);
    }
    say(doctor::disk());
    Ok(if worst == Verdict::Fail { Exit::Unhealthy } else { Exit::Ok })
}
