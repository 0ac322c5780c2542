//! `sleap-rtc token create`, `list`, `revoke`: for workers of the Python package.

use serde_json::json;
use sleap_rtc_peer::api::ApiError;
use sleap_rtc_wire::{Code, KeyId};

use super::room::named_or_set;
use crate::accounts;
use crate::args::{PublicName, TokenCreateArgs, TokenListArgs, TokenRevokeArgs};
use crate::caller::Caller;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::person::secret_refused;
use crate::printer::Printer;
use crate::text::clean;

const LIST: &str = "sleap-rtc token list";

/// Makes a token; it alone goes to standard output.
pub(super) async fn create(args: TokenCreateArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::of_computer(args.dial).await?;
    let room = named_or_set(args.room, &caller.context)?;
    let made = caller.api.create_worker_token(&caller.bearer, &room, &args.name, args.expires.0).await;
    let made = made.map_err(|error| caller.room_error("the token was not made", &room, &error))?;
    if printer.json() {
        printer.event(&json!({
            "event": "worker_token_created",
            "token": made.token_id,
            "id": made.id,
            "room_id": room,
            "worker_name": args.name,
            "expires_at": made.expires_at,
        }));
        return Ok(Exit::Ok);
    }
    let until = made.expires_at.as_deref().map_or_else(|| "for ever".to_owned(), |at| format!("until {}", clean(at)));
    let name = clean(&args.name);
    printer.note(&format!("Token {} for worker {name} in room {room}, good {until}, shown this once:", made.id));
    printer.result(&made.token_id);
    printer.note("On its machine, for the Python package: export SLEAP_RTC_API_KEY=… && sleap-rtc worker");
    Ok(Exit::Ok)
}

/// Prints the tokens, without the secrets.
pub(super) async fn list(args: TokenListArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::of_computer(args.dial).await?;
    let tokens = caller.api.worker_tokens(&caller.bearer, args.room.as_ref()).await;
    let tokens = tokens.map_err(|error| caller.context.api_error("cannot list the tokens", &error))?;
    if printer.json() {
        for token in &tokens {
            printer.event(&accounts::token_json(token));
        }
    } else if tokens.is_empty() {
        printer.note("There is no token. Make one: sleap-rtc token create --room ROOM --name WORKER");
    } else {
        for line in accounts::token_table(&tokens) {
            printer.result(&line);
        }
    }
    Ok(Exit::Ok)
}

/// Ends a token.
pub(super) async fn revoke(args: TokenRevokeArgs, printer: Printer) -> CliResult<Exit> {
    let PublicName::Id(token) = args.token else { return Err(secret_refused("token", LIST)) };
    let caller = Caller::of_computer(args.dial).await?;
    let revoked = caller.api.revoke_worker_token(&caller.bearer, &token).await;
    revoked.map_err(|error| not_revoked(&caller, &token, &error))?;
    if printer.json() {
        printer.event(&json!({"event": "worker_token_revoked", "id": token}));
    } else {
        printer.result(&format!("Token {token} is revoked"));
    }
    Ok(Exit::Ok)
}

fn not_revoked(caller: &Caller, token: &KeyId, error: &ApiError) -> CliError {
    let what = format!("token {token} was not revoked");
    match error {
        ApiError::Refused { code: Code::NotFound | Code::Forbidden, text, .. } => {
            CliError::new(Exit::Usage, what).cause(caller.says(text)).hint(LIST)
        }
        _ => caller.context.api_error(&what, error),
    }
}
