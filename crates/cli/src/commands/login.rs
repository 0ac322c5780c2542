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
use crate::confirm::confirmed;
use crate::context::Context;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::lifecycle::{self, unless_ended};
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

/// What came of asking to be let in.
enum Asked {
    /// This computer was in already.
    Already(User),
    /// Somebody has allowed it.
    Allowed(Allowed),
}

/// All that it takes to attach this computer. Secrets.
struct Allowed {
    id_token: String,
    token: String,
    user: User,
}

async fn log_in(dial: Dial, printer: Printer) -> CliResult<Exit> {
    // From the very start to the very end, so that it is heard whenever it comes.
    let mut ending = lifecycle::listen_for_ending(false).await;
    let context = Context::of_server(dial)?;
    let allowed = match unless_ended(&mut ending, ask(&context, printer)).await? {
        Some(Asked::Allowed(allowed)) => allowed,
        Some(Asked::Already(user)) => {
            say_whose(&context, &user, "already", printer);
            return Ok(Exit::Ok);
        }
        None => {
            printer.note("Not logged in: ended before anybody allowed it");
            return Ok(Exit::Interrupted);
        }
    };
    let user = allowed.user.clone();
    if unless_ended(&mut ending, attach(&context, allowed)).await?.is_none() {
        printer.note("Ended while the login was being written down. Whether it was: sleap-rtc account show");
        return Ok(Exit::Interrupted);
    }
    say_whose(&context, &user, "now", printer);
    Ok(Exit::Ok)
}

/// Signs in, says how this computer can be let in, and waits until it is.
async fn ask(context: &Context, printer: Printer) -> CliResult<Asked> {
    let api = context.api();
    let id_token = context.sign_in(&api).await?.id_token;
    let failed = |error: &ApiError| context.api_error(NOT_LOGGED_IN, error);
    if let Some(account) = api.key_login(&id_token).await.map_err(|error| failed(&error))? {
        return Ok(Asked::Already(account.user));
    }
    let state = LoginState::draw().map_err(|error| failed(&error))?;
    let code = match api.poll_login(&state).await.map_err(|error| failed(&error))? {
        Polled::Pending { code } => code,
        Polled::Allowed { .. } => return Err(CliError::internal("a login was allowed before it was asked for")),
    };
    let waiting = Waiting { context, api: &api, state: &state, end: Instant::now() + LIMIT, printer };
    waiting.show(code.as_deref(), false);
    let (token, user) = waiting.wait(Login::new(code)).await?;
    Ok(Asked::Allowed(Allowed { id_token, token, user }))
}

async fn attach(context: &Context, allowed: Allowed) -> CliResult {
    let Allowed { id_token, token, user } = allowed;
    let device = AttachDevice { id_token, device_name: host_name() };
    let attached = context.api().attach_device(&token, &device).await;
    attached.map(drop).map_err(|error| not_attached(context, &user, &error))
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

/// Said before them when the server has begun another login.
pub const OVER: &str = "The login that was shown is over: the server was started anew, or did not hear of this computer for too \
                        long. There is another one now.";
/// Said when the server tells the login's code no more.
pub const ELSEWHERE: &str = "the server sees this computer at another address than before, and tells the login only to the address \
                             that asked first; if that does not come back, end this and start again: sleap-rtc login";

/// A login as it was shown.
#[derive(Debug)]
pub struct Login {
    code: Option<String>,
    is_elsewhere: bool,
}

/// What an answer says that was not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The login that was shown is over, and the server has begun another one.
    Anew,
    /// The server sees us at another address, to which it tells nothing.
    Elsewhere,
}

impl Login {
    /// One that is shown with this code.
    pub const fn new(code: Option<String>) -> Self {
        Self { code, is_elsewhere: false }
    }

    /// Nobody has allowed it yet, and its code is this.
    pub fn hear(&mut self, code: Option<String>) -> Option<News> {
        let was_elsewhere = std::mem::replace(&mut self.is_elsewhere, code.is_none() && self.code.is_some());
        match code {
            Some(code) if self.code.as_ref() != Some(&code) => {
                self.code = Some(code);
                Some(News::Anew)
            }
            _ => (self.is_elsewhere && !was_elsewhere).then_some(News::Elsewhere),
        }
    }
}

/// This computer, while it waits to be let in.
struct Waiting<'a> {
    context: &'a Context,
    api: &'a Api,
    state: &'a LoginState,
    end: Instant,
    printer: Printer,
}

impl Waiting<'_> {
    /// Says where and how somebody can allow it.
    fn show(&self, code: Option<&str>, is_anew: bool) {
        let page =
            format!("{}/login?cli=true&cli_state={}", self.context.settings.server.value.http(), self.state.reveal());
        if self.printer.json() {
            let limit = self.left().as_secs_f64().round() as u64;
            self.printer.event(&json!({"event": "login_waiting", "page": page, "code": code, "limit_s": limit}));
            return;
        }
        if is_anew {
            self.printer.note(OVER);
        }
        for line in lines(&page, code) {
            self.printer.note(&line);
        }
    }

    /// Asks until somebody has allowed it. A server that is away for a moment is asked again.
    async fn wait(&self, mut login: Login) -> CliResult<(String, User)> {
        let mut ticker = self.ticker();
        let mut asked = Instant::now();
        loop {
            sleep(Duration::from_secs(1)).await;
            ticker.tick();
            if asked.elapsed() < POLL {
                continue;
            }
            asked = Instant::now();
            let code = match self.api.poll_login(self.state).await {
                Ok(Polled::Allowed { token, user }) => return Ok((token, user)),
                Ok(Polled::Pending { .. }) if self.left().is_zero() => return Err(nobody(&login)),
                Ok(Polled::Pending { code }) => code,
                Err(error) if !error.is_transient() || self.left().is_zero() => {
                    return Err(self.context.api_error(NOT_LOGGED_IN, &error));
                }
                Err(_) => continue,
            };
            if let Some(news) = login.hear(code) {
                // Its line goes away before others are printed.
                drop(ticker);
                match news {
                    News::Anew => self.show(login.code.as_deref(), true),
                    News::Elsewhere => self.printer.warn(ELSEWHERE),
                }
                ticker = self.ticker();
            }
        }
    }

    fn ticker(&self) -> Ticker {
        Ticker::until(self.printer, "waiting for the login to be allowed", self.left())
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

fn nobody(login: &Login) -> CliError {
    let cause = if login.is_elsewhere {
        "the server sees this computer at another address than the one that asked first".to_owned()
    } else {
        format!("nobody allowed it within {}", duration(LIMIT))
    };
    CliError::new(Exit::RoomRefused, NOT_LOGGED_IN).cause(cause).hint("sleap-rtc login")
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

/// Lets another computer in, after a yes.
async fn allow(dial: Dial, code: &str, yes: bool, printer: Printer) -> CliResult<Exit> {
    let person = Person::new(dial).await?;
    let failed = |error: &ApiError| not_allowed(&person, code, error);
    let asking = person.api.asking(&person.token, code).await.map_err(|error| failed(&error))?;
    let who = who(&asking);
    let name = clean(&person.user.username);
    if !yes {
        let kept = format!("the login {code} is not allowed");
        let command = format!("sleap-rtc login --allow {code} --yes");
        confirmed(&format!("{who}\nLet it in as {name}?"), &kept, &command, printer)
            .map_err(|error| error.cause(&who))?;
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
        if yes {
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
