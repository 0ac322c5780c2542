//! `sleap-rtc identity cleanup`.

use serde_json::json;
use sleap_rtc_peer::api::ApiError;
use sleap_rtc_wire::Code;
use sleap_rtc_wire::http::{CleanUp, CleanedUp};

use crate::args::CleanupArgs;
use crate::caller::Caller;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::text::{clean, count};

/// Forgets old anonymous users, and says how many.
pub(super) async fn cleanup(args: CleanupArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::new(args.caller).await?;
    let wanted = CleanUp { older_than: args.older_than.as_secs(), dry_run: args.dry_run };
    let cleaned = caller.api.clean_up(&caller.bearer, &wanted).await;
    let cleaned = cleaned.map_err(|error| not_cleaned(&caller, &error))?;
    if printer.json() {
        printer.event(&json!({
            "event": "cleaned_up",
            "dry_run": args.dry_run,
            "deleted": cleaned.deleted,
            "users": cleaned.users,
            "kept_connected": cleaned.kept_connected,
            "kept_owners": cleaned.kept_owners,
        }));
        return Ok(Exit::Ok);
    }
    for line in lines(&cleaned, args.dry_run) {
        printer.result(&line);
    }
    Ok(Exit::Ok)
}

/// What went or would go, what was kept, and how many went: the last line is the one that people know from the Python
/// program's script.
pub fn lines(cleaned: &CleanedUp, dry_run: bool) -> Vec<String> {
    let mut lines: Vec<String> = cleaned.users.iter().map(|user| format!("  {}", clean(user))).collect();
    let more = cleaned.deleted.saturating_sub(cleaned.users.len());
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines.extend(kept(cleaned.kept_connected, "that is connected", "that are connected"));
    lines.extend(kept(cleaned.kept_owners, "whose room still lives", "whose rooms still live"));
    let what = if dry_run { "Would delete" } else { "Deleted" };
    lines.push(format!("{what} {} old users", cleaned.deleted));
    lines
}

fn kept(n: usize, one: &str, many: &str) -> Option<String> {
    let why = if n == 1 { one } else { many };
    (n > 0).then(|| format!("Kept {} {why}", count(n, "old user")))
}

fn not_cleaned(caller: &Caller, error: &ApiError) -> CliError {
    const WHAT: &str = "the old users were not deleted";
    match error {
        ApiError::Refused { code: Code::AuthFailed, text, .. } if caller.is_operator => {
            CliError::new(Exit::RoomRefused, WHAT)
                .cause(caller.says(text))
                .hint("name the data folder of this very server: --operator=DIR")
        }
        ApiError::Refused { code: Code::AuthFailed, text, .. } => CliError::new(Exit::RoomRefused, WHAT)
            .cause(caller.says(text))
            .hint("on the server's machine, as the user who runs it: sleap-rtc identity cleanup --operator"),
        _ => caller.context.api_error(WHAT, error),
    }
}
