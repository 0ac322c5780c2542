//! `sleap-rtc account create`, `show`, `remove`, and `logout`.

use serde_json::json;
use sleap_rtc_peer::api::ApiError;
use sleap_rtc_wire::Code;
use sleap_rtc_wire::http::{CreateAccount, Device};
use sleap_rtc_worker::host_name;

use crate::accounts;
use crate::args::{AccountCreateArgs, AccountRemoveArgs, AccountShowArgs, LogoutArgs};
use crate::caller::Caller;
use crate::confirm::confirmed;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::person::Person;
use crate::printer::Printer;
use crate::text::clean;

const SHOW: &str = "sleap-rtc account show";

/// Makes an account: one's own, or as the operator one for somebody else.
pub(super) async fn create(args: AccountCreateArgs, printer: Printer) -> CliResult<Exit> {
    let caller = Caller::new(args.caller).await?;
    if caller.is_operator {
        return create_for(&caller, args.name, printer).await;
    }
    let account = CreateAccount { username: args.name.clone(), device_name: Some(host_name()) };
    let made = caller.api.create_account(&caller.bearer, &account).await;
    let made = made.map_err(|error| not_made(&caller, &args.name, &error))?;
    if printer.json() {
        printer.event(&json!({"event": "account_created", "user": accounts::user_json(&made.user)}));
        return Ok(Exit::Ok);
    }
    let server = &caller.context.settings.server.value;
    printer.result(&format!("Account {} is made on {server}", clean(&made.user.username)));
    printer.note(&format!("This computer, {}, is its first. On your others: sleap-rtc login", clean(&host_name())));
    printer.note("For the Python package: sleap-rtc key create --name NAME");
    Ok(Exit::Ok)
}

/// The key alone goes to standard output, so that it can go on to where it belongs.
async fn create_for(caller: &Caller, name: String, printer: Printer) -> CliResult<Exit> {
    let account = CreateAccount { username: name.clone(), device_name: None };
    let made = caller.api.create_account_for(&caller.bearer, &account).await;
    let made = made.map_err(|error| not_made(caller, &name, &error))?;
    let key = made.account_key.ok_or_else(|| CliError::internal("the server made no key for the account"))?;
    let server = &caller.context.settings.server.value;
    if printer.json() {
        let user = accounts::user_json(&made.user);
        printer.event(&json!({"event": "account_created", "user": user, "account_key": key}));
        return Ok(Exit::Ok);
    }
    let user = clean(&made.user.username);
    printer.note(&format!("Account {user} is made on {server}. Its key, shown this once:"));
    printer.result(&key);
    printer.note(&format!(
        "It is {user}'s password: for the login page, and as SLEAP_RTC_ACCOUNT_KEY for the Python package"
    ));
    Ok(Exit::Ok)
}

/// Prints the account and its computers.
pub(super) async fn show(args: AccountShowArgs, printer: Printer) -> CliResult<Exit> {
    let person = Person::new(args.dial).await?;
    let own = person.context.key()?.public();
    let account = person.api.account(&person.token).await;
    let account = account.map_err(|error| person.context.api_error("cannot show the account", &error))?;
    if printer.json() {
        printer.event(&accounts::to_json(&account, &own));
        return Ok(Exit::Ok);
    }
    for line in accounts::lines(&account, &own) {
        printer.result(&line);
    }
    Ok(Exit::Ok)
}

/// Takes a computer from the account after a yes.
pub(super) async fn remove(args: AccountRemoveArgs, printer: Printer) -> CliResult<Exit> {
    let AccountRemoveArgs { computer, yes, dial } = args;
    let person = Person::new(dial).await?;
    let what = format!("{} was not taken from the account", clean(&computer));
    let account = person.api.account(&person.token).await;
    let account = account.map_err(|error| person.context.api_error(&what, &error))?;
    let device = named(&account.devices, computer.trim()).map_err(|cause| not_removed(&what, cause))?;
    let (name, id, user) = (clean(&device.device_name), &device.key_id, clean(&person.user.username));
    if !yes {
        let command = format!("sleap-rtc account remove {id} --yes");
        confirmed(&format!("Take {name} ({id}) from {user}'s account?"), &what, &command, printer)?;
    }
    let removed = person.api.detach_device(&person.token, id).await;
    removed.map_err(|error| person.error(&what, &error, SHOW))?;
    if printer.json() {
        printer.event(&json!({"event": "computer_removed", "key_id": id, "device_name": name}));
        return Ok(Exit::Ok);
    }
    printer.result(&format!("{name} ({id}) is no longer {user}'s on {}", person.context.settings.server.value));
    printer
        .note("Is it lost? Keys of the account that are saved there open it still: sleap-rtc key list, key revoke KEY");
    Ok(Exit::Ok)
}

/// The only computer of this id or name.
fn named<'a>(devices: &'a [Device], wanted: &str) -> Result<&'a Device, String> {
    if let Some(device) = devices.iter().find(|device| device.key_id.as_str() == wanted) {
        return Ok(device);
    }
    let found: Vec<&Device> = devices.iter().filter(|device| device.device_name == wanted).collect();
    match found[..] {
        [device] => Ok(device),
        [] => Err("the account has no computer of this id or name".to_owned()),
        _ => {
            let ids: Vec<&str> = found.iter().map(|device| device.key_id.as_str()).collect();
            Err(format!("{} computers have this name: {}", ids.len(), ids.join(", ")))
        }
    }
}

fn not_removed(what: &str, cause: String) -> CliError {
    CliError::new(Exit::Usage, what).cause(cause).hint(format!("name it by its id, as this prints it: {SHOW}"))
}

/// Takes this computer from the account: its key stays, and what the key made by itself.
pub(super) async fn logout(args: LogoutArgs, printer: Printer) -> CliResult<Exit> {
    const WHAT: &str = "this computer was not taken from the account";
    let person = Person::new(args.dial).await?;
    let own = person.context.key()?.public();
    let failed = |error: &ApiError| person.context.api_error(WHAT, error);
    let account = person.api.account(&person.token).await.map_err(|error| failed(&error))?;
    let device = account.devices.iter().find(|device| device.proven && device.public_key == own);
    let device = device.ok_or_else(|| CliError::internal("the account does not list this computer"))?;
    person.api.detach_device(&person.token, &device.key_id).await.map_err(|error| failed(&error))?;
    if printer.json() {
        printer.event(&json!({"event": "logged_out", "user": accounts::user_json(&person.user)}));
    } else {
        let name = clean(&person.user.username);
        printer.result(&format!("This computer is no longer {name}'s on {}", person.context.settings.server.value));
    }
    Ok(Exit::Ok)
}

fn not_made(caller: &Caller, name: &str, error: &ApiError) -> CliError {
    const WHAT: &str = "the account was not made";
    match error {
        ApiError::Refused { code: Code::Conflict, text, .. } => CliError::new(Exit::Taken, WHAT)
            .cause(caller.says(text))
            .hint("whose this computer is: sleap-rtc account show")
            .hint(format!("is {name} your own account? sleap-rtc login; else take another name")),
        ApiError::Refused { code: Code::AuthFailed, text, .. } if caller.is_operator => {
            CliError::new(Exit::RoomRefused, WHAT)
                .cause(caller.says(text))
                .hint("name the data folder of this very server: --operator=DIR")
        }
        ApiError::Refused { status: 400 | 422, text, .. } => {
            CliError::new(Exit::Usage, WHAT).cause(caller.says(text)).hint("sleap-rtc account create --help")
        }
        _ => caller.context.api_error(WHAT, error),
    }
}
