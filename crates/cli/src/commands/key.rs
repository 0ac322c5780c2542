//! `sleap-rtc key create`, `list`, `revoke`.

use serde_json::json;

use crate::accounts;
use crate::args::{KeyCreateArgs, KeyListArgs, KeyRevokeArgs, PublicName};
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::person::{Person, secret_refused};
use crate::printer::Printer;
use crate::text::clean;

const LIST: &str = "sleap-rtc key list";

/// Makes a key; it alone goes to standard output.
pub(super) async fn create(args: KeyCreateArgs, printer: Printer) -> CliResult<Exit> {
    let person = Person::new(args.dial).await?;
    let made = person.api.create_account_key(&person.token, &args.name).await;
    let made = made.map_err(|error| person.context.api_error("the key was not made", &error))?;
    if printer.json() {
        printer.event(&json!({
            "event": "account_key_created",
            "account_key": made.key_id,
            "id": made.id,
            "name": clean(&made.name),
        }));
        return Ok(Exit::Ok);
    }
    let (name, user) = (clean(&made.name), clean(&person.user.username));
    printer.note(&format!("Key {} ({name}) of {user}, shown this once; it is as good as a password:", made.id));
    printer.result(&made.key_id);
    printer.note("For the Python package: export SLEAP_RTC_ACCOUNT_KEY=… To end it: sleap-rtc key revoke KEY, with its name of above");
    Ok(Exit::Ok)
}

/// Prints the keys, without the secrets.
pub(super) async fn list(args: KeyListArgs, printer: Printer) -> CliResult<Exit> {
    let person = Person::new(args.dial).await?;
    let keys = person.api.account_keys(&person.token).await;
    let keys = keys.map_err(|error| person.context.api_error("cannot list the keys", &error))?;
    if printer.json() {
        for key in &keys {
            printer.event(&accounts::key_json(key));
        }
    } else if keys.is_empty() {
        printer
            .note(&format!("{} has no key. Make one: sleap-rtc key create --name NAME", clean(&person.user.username)));
    } else {
        for line in accounts::key_table(&keys) {
            printer.result(&line);
        }
    }
    Ok(Exit::Ok)
}

/// Ends a key.
pub(super) async fn revoke(args: KeyRevokeArgs, printer: Printer) -> CliResult<Exit> {
    let PublicName::Id(key) = args.key else { return Err(secret_refused("key", LIST)) };
    let person = Person::new(args.dial).await?;
    let revoked = person.api.revoke_account_key(&person.token, &key).await;
    revoked.map_err(|error| person.error(&format!("key {key} was not revoked"), &error, LIST))?;
    if printer.json() {
        printer.event(&json!({"event": "account_key_revoked", "id": key}));
    } else {
        printer.result(&format!("Key {key} is revoked"));
    }
    Ok(Exit::Ok)
}
