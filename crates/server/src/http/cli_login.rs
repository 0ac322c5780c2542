//! A program's login, which somebody allows elsewhere: in a browser, or on a computer that is logged in.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use sleap_rtc_wire::http::{AllowLogin, Asking};
use sleap_rtc_wire::record::AccountRecord;
use sleap_rtc_wire::{ApiKey, Code};

use super::accounts::{not_found, signed_in};
use super::address::Address;
use super::auth::{Credential, Shown, credential};
use super::body::Body;
use super::fault::Fault;
use super::sign_in;
use crate::app::App;
use crate::logins::{Allowed, Meant, NotWaiting, Standing, Waiting};

/// Characters of a state: the deployed server's least, and our most.
const STATE: std::ops::RangeInclusive<usize> = 16..=128;

#[derive(Deserialize)]
pub(crate) struct Poll {
    state: String,
}

type Asked<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

/// `GET /api/auth/cli/poll?state=`.
pub(crate) async fn poll(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    query: Asked<Poll>,
) -> Result<Response, Fault> {
    let Query(Poll { state }) =
        query.map_err(|_| Fault::validation("missing", &["query", "state"], "Field required"))?;
    if state.is_empty() {
        return Err(bad_request("Missing state parameter"));
    }
    check(&state)?;
    let now = app.context.now();
    if !app.logins.knows(&state, now) {
        sign_in::counted(&app, address)?;
    }
    let program = headers.get(header::USER_AGENT).and_then(|text| text.to_str().ok()).unwrap_or_default();
    let draw = getrandom::u64().map_err(|_| Fault::internal())?;
    let answer = match app.logins.ask(&state, address.ip, program, draw, now) {
        Standing::Pending(code) => (StatusCode::ACCEPTED, Json(json!({"status": "pending", "code": code}))),
        Standing::Allowed(Allowed { jwt, user, account_key: None }) => {
            (StatusCode::OK, Json(json!({"jwt": jwt, "user": user})))
        }
        Standing::Allowed(Allowed { jwt, user, account_key }) => {
            (StatusCode::OK, Json(json!({"jwt": jwt, "user": user, "account_key": account_key})))
        }
        Standing::Full => return Err(Fault::rate_limited()),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], answer).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Deposit {
    state: String,
    jwt: String,
    #[serde(default)]
    account_key: Option<String>,
}

/// `POST /api/auth/cli/deposit`: a dashboard that has signed somebody in. Whom the token names is read from the token alone.
pub(crate) async fn deposit(State(app): State<Arc<App>>, body: Body) -> Result<Json<Value>, Fault> {
    let Deposit { state, jwt, account_key } = body.json()?;
    check(&state)?;
    let meant = Meant::State(&state);
    app.logins.waiting(meant, app.context.now()).map_err(not_waiting)?;
    if jwt.parse::<ApiKey>().is_ok() {
        return Err(no_account());
    }
    let account = account_of(&app, &jwt).await?;
    if let Some(key) = &account_key {
        let owner = if key.parse::<ApiKey>().is_ok() { account_of(&app, key).await? } else { return Err(other_key()) };
        if owner.member != account.member {
            return Err(other_key());
        }
    }
    let user = super::accounts::user(&account);
    app.logins.allow(meant, Allowed { jwt, user, account_key }, app.context.now()).map_err(not_waiting)?;
    tracing::info!(account = %account.member, "login allowed by a dashboard");
    Ok(Json(json!({"status": "ok"})))
}

fn other_key() -> Fault {
    bad_request("the account key is not one of this account's")
}

/// The account whose own token or key this is.
async fn account_of(app: &App, shown: &str) -> Result<AccountRecord, Fault> {
    match credential(app, shown).await? {
        Credential::Person(person) if person.key().is_none() => person.account().cloned().ok_or_else(no_account),
        Credential::Person(_) | Credential::Worker(_) => Err(no_account()),
    }
}

fn no_account() -> Fault {
    Fault::new(StatusCode::FORBIDDEN, Code::Forbidden, "this is not the token of an account")
}

#[derive(Deserialize)]
pub(crate) struct ByCode {
    code: String,
}

/// `GET /api/auth/cli/asking?code=`.
pub(crate) async fn asking(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Asked<ByCode>,
) -> Result<Json<Asking>, Fault> {
    Shown::by_name(&app, &headers).await?.account()?;
    let Query(ByCode { code }) =
        query.map_err(|_| Fault::validation("missing", &["query", "code"], "Field required"))?;
    let now = app.context.now();
    let Waiting { address, program, since, .. } = app.logins.waiting(Meant::Code(&code), now).map_err(not_waiting)?;
    Ok(Json(Asking { address: address.to_string(), program, since_seconds: now.since(since) / 1000 }))
}

/// `POST /api/auth/cli/allow`.
pub(crate) async fn allow(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let AllowLogin { code } = body.json()?;
    let_in(&app, Meant::Code(&code), shown.account()?, None).await?;
    Ok(Json(json!({"status": "ok"})))
}

/// Lets a computer in as this account.
pub(super) async fn let_in(
    app: &App,
    meant: Meant<'_>,
    account: &AccountRecord,
    key: Option<&ApiKey>,
) -> Result<Waiting, Fault> {
    let signed_in = signed_in(app, account, key).await?;
    let allowed = Allowed { jwt: signed_in.token, user: signed_in.user, account_key: signed_in.account_key };
    let waiting = app.logins.allow(meant, allowed, app.context.now()).map_err(not_waiting)?;
    tracing::info!(account = %account.member, address = %waiting.address, "login allowed");
    Ok(waiting)
}

/// Checks the form of a state.
pub(super) fn check(state: &str) -> Result<(), Fault> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_good = STATE.contains(&state.len()) && state.bytes().all(is_word);
    if is_good { Ok(()) } else { Err(bad_request("Invalid state format")) }
}

pub(super) fn not_waiting(why: NotWaiting) -> Fault {
    match why {
        NotWaiting::Unknown => not_found("no computer asks for this login, or no longer"),
        NotWaiting::AllowedAlready => Fault::conflict("this login was allowed already"),
    }
}

fn bad_request(text: &str) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, Code::InvalidMessage, text)
}
