//! `sleap-rtc login`: this computer becomes one of an account's, or lets another one in.
//!
//! No browser is opened: whoever sees the page's address can take the login's token from the same machine, and others see a
//! program's arguments.

use std::time::Duration;

use serde_json::json;
use sleap_rtc_peer::api::accounts::{LoginState, Polled};
use sleap_rtc_peer::api::{Api, ApiError};
use sleap_rtc_wire::Code;
use sleap_rtc_wire::http::{Asking, AttachDevice, User};
use sleap_rtc_worker::host_name;
use tokio::time::{Instant, sleep};

use crate::accounts::user_json;
use crate::args::{Dial, LoginArgs};
use crate::context::Context;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::lifecycle;
use crate::person::Person;
use crate::printer::Printer;
use crate::text::{clean, duration};
use crate::ticker::Ticker;

/// How long somebody has to allow a login.
const LIMIT: Duration = Duration::from_mins(10);
/// How often the server is asked, as the Python program does.
const POLL: Duration = Duration::from_secs(2);
const NOT_LOGGED_IN: &str = "this computer is not logged in";

/// Logs in, or allows a login.
pub(super) async fn run(args: LoginArgs, printer: Printer) -> CliResult<Exit> {
    match args.allow {
        Some(code) => allow(args.dial, &code, args.yes, printer).await,
        None => log_in(args.dial, printer).await,
    }
}

async fn log_in(dial: Dial, printer: Printer) -> CliResult<Exit> {
    // From the very start, so that it is heard whenever it comes.
    let ending = tokio::spawn(lifecycle::ending(false));
    let context = Context::of_server(dial)?;
    let api = context.api();
    let id_token = context.sign_in(&api).await?.id_token;
    let failed = |error: &ApiError| context.api_error(NOT_LOGGED_IN, error);
    if let Some(account) = api.key_login(&id_token).await.map_err(|error| failed(&error))? {
        say_whose(&context, &account.user, "already", printer);
        return Ok(Exit::Ok);
    }
    let state = LoginState::draw().map_err(|error| failed(&error))?;
    let code = match api.poll_login(&state).await.map_err(|error| failed(&error))? {
        Polled::Pending { code } => code,
        Polled::Allowed { .. } => return Err(CliError::internal("a login was allowed before it was asked for")),
    };
    show(&context, &state, code.as_deref(), printer);
    let waiting = wait(&context, &api, &state, printer);
    let ended = tokio::select! {
        allowed = waiting => Some(allowed?),
        told = ending => {
            told.map_err(|error| CliError::internal("waiting failed").because(&error))??;
            None
        }
    };
    let Some((token, user)) = ended else {
        printer.note("Not logged in: ended before anybody allowed it");
        return Ok(Exit::Interrupted);
    };
    let device = AttachDevice { id_token, device_name: host_name() };
    api.attach_device(&token, &device).await.map_err(|error| not_attached(&context, &user, &error))?;
    say_whose(&context, &user, "now", printer);
    Ok(Exit::Ok)
}

/// Where and how somebody can allow it.
fn show(context: &Context, state: &LoginState, code: Option<&str>, printer: Printer) {
    let page = format!("{}/login?cli=true&cli_state={}", context.settings.server.value.http(), state.reveal());
    if printer.json() {
        printer.event(&json!({"event": "login_waiting", "page": page, "code": code, "limit_s": LIMIT.as_secs()}));
        return;
    }
    for line in lines(&page, code) {
        printer.note(&line);
    }
}

/// What is printed while a login waits.
pub fn lines(page: &str, code: Option<&str>) -> Vec<String> {
    let mut lines = vec!["Open this page on any computer, and log in there:".to_owned(), format!("  {page}")];
    if let Some(code) = code {
        let code = clean(code);
        lines.push(format!("It shows the code {code}. Or, on a computer of yours that is logged in:"));
        lines.push(format!("  sleap-rtc login --allow {code}"));
    }
    lines
}

/// Asks until somebody has allowed it. A server that is away for a moment is asked again.
async fn wait(context: &Context, api: &Api, state: &LoginState, printer: Printer) -> CliResult<(String, User)> {
    let end = Instant::now() + LIMIT;
    let mut ticker = Ticker::until(printer, "waiting for the login to be allowed", LIMIT);
    let mut asked = Instant::now();
    loop {
        sleep(Duration::from_secs(1)).await;
        ticker.tick();
        if asked.elapsed() < POLL {
            continue;
        }
        asked = Instant::now();
        match api.poll_login(state).await {
            Ok(Polled::Allowed { token, user }) => return Ok((token, user)),
            Ok(Polled::Pending { .. }) if Instant::now() >= end => return Err(nobody()),
            Err(error) if !error.is_transient() || Instant::now() >= end => {
                return Err(context.api_error(NOT_LOGGED_IN, &error));
            }
            Ok(Polled::Pending { .. }) | Err(_) => {}
        }
    }
}

fn nobody() -> CliError {
    CliError::new(Exit::RoomRefused, NOT_LOGGED_IN)
        .cause(format!("nobody allowed it within {}", duration(LIMIT)))
        .hint("sleap-rtc login")
}

fn not_attached(context: &Context, user: &User, error: &ApiError) -> CliError {
    match error {
        ApiError::Refused { code: Code::Conflict, text, .. } => CliError::new(Exit::Taken, NOT_LOGGED_IN)
            .cause(format!("{} allowed it, but: {text}", clean(&user.username)))
            .hint("whose it is: sleap-rtc account show"),
        _ => context.api_error(NOT_LOGGED_IN, error),
    }
}

fn say_whose(context: &Context, user: &User, since: &str, printer: Printer) {
    let server = &context.settings.server.value;
    if printer.json() {
        printer.event(&json!({"event": "logged_in", "user": user_json(user), "server": server.http()}));
        return;
    }
    let name = clean(&user.username);
    printer.result(&format!("This computer, {}, is {since} {name}'s on {server}", clean(&host_name())));
    printer.note("In the account's rooms it needs no token. Which they are: sleap-rtc room list");
}

/// Lets another computer in, after a yes where somebody can be asked.
async fn allow(dial: Dial, code: &str, yes: bool, printer: Printer) -> CliResult<Exit> {
    let person = Person::new(dial).await?;
    let failed = |error: &ApiError| not_allowed(&person, code, error);
    let asking = person.api.asking(&person.token, code).await.map_err(|error| failed(&error))?;
    let who = who(&asking);
    let name = clean(&person.user.username);
    let answer = if yes { None } else { printer.ask(&format!("{who}\nLet it in as {name}?")) };
    if answer == Some(false) {
        return Err(CliError::new(Exit::Usage, format!("the login {code} is not allowed")).cause("you said no"));
    }
    person.api.allow_login(&person.token, code).await.map_err(|error| failed(&error))?;
    if printer.json() {
        printer.event(&json!({
            "event": "login_allowed",
            "code": code,
            "address": clean(&asking.address),
            "program": clean(&asking.program),
            "user": user_json(&person.user),
        }));
    } else {
        if answer.is_none() {
            printer.note(&who);
        }
        printer.result(&format!("It is let in as {name}"));
    }
    Ok(Exit::Ok)
}

/// Which computer asks, in words.
pub fn who(asking: &Asking) -> String {
    let since = duration(Duration::from_secs(asking.since_seconds));
    format!("The computer at {} asks with {}, for {since} now", clean(&asking.address), clean(&asking.program))
}

fn not_allowed(person: &Person, code: &str, error: &ApiError) -> CliError {
    let what = format!("no computer was let in by {code}");
    match error {
        ApiError::Refused { code: Code::NotFound, text, .. } => CliError::new(Exit::RoomRefused, what)
            .cause(person.says(text))
            .hint("codes live as long as the other computer waits; it shows another when asked again: sleap-rtc login"),
        _ => person.context.api_error(&what, error),
    }
}
