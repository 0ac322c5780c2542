//! The page on which a person lets a computer in: by a key of their account, or by GitHub.
//!
//! Another page must not be able to press its buttons: it may not frame it, a form is taken only from our own page, and what GitHub
//! sends back only from the browser that was sent there. It needs no scripts, and nothing of it is kept.

mod html;

use std::sync::Arc;

use axum::extract::{Form, FromRequest, FromRequestParts, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sleap_rtc_wire::Code;

use super::auth::{Credential, credential};
use super::body::in_time;
use super::cli_login::{check, let_in, not_waiting};
use super::fault::Fault;
use super::github::{account_of, configured};
use crate::app::App;
use crate::logins::{Meant, NotWaiting};
use crate::secret_file::random_hex;
use html::Page;

/// Where GitHub sends a browser back to.
pub(super) const CALL_BACK: &str = "/login/github/callback";
/// Binds a browser to the sign-in by GitHub that it began.
const COOKIE: &str = "sleap_login";
/// How long GitHub's page may stay open, seconds.
const COOKIE_AGE: u32 = 600;
/// Bytes of what GitHub hands back.
const NONCE: usize = 16;

/// `GET /login/style.css`.
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("login/style.css")).into_response()
}

/// What the address of the page says.
#[derive(Default, Deserialize)]
pub(crate) struct Opened {
    #[serde(default)]
    cli_state: String,
}

/// `GET /login?cli=true&cli_state=S`: which computer asks.
pub(crate) async fn show(State(app): State<Arc<App>>, Read(opened): Read<Query<Opened>>) -> Response {
    let state = opened.0.cli_state;
    if state.is_empty() {
        return shown(&app, StatusCode::OK, &html::what_it_is_for());
    }
    if let Err(fault) = check(&state) {
        return refused(&app, &fault);
    }
    match app.logins.waiting(Meant::State(&state), app.context.now()) {
        Ok(waiting) => {
            let by_github = app.context.config.github.is_some();
            shown(&app, StatusCode::OK, &html::asks(&waiting, &state, by_github, app.context.now()))
        }
        // The program opens the page and asks a moment later.
        Err(NotWaiting::Unknown) => shown(&app, StatusCode::NOT_FOUND, &html::not_yet()),
        Err(NotWaiting::AllowedAlready) => shown(&app, StatusCode::CONFLICT, &html::allowed_already()),
    }
}

/// What the page's first form says.
#[derive(Deserialize)]
pub(crate) struct ByKey {
    cli_state: String,
    account_key: String,
}

/// `POST /login`: the account's key was typed.
pub(crate) async fn by_key(State(app): State<Arc<App>>, headers: HeaderMap, Read(form): Read<Form<ByKey>>) -> Response {
    let ByKey { cli_state, account_key } = form.0;
    match take_key(&app, &headers, &cli_state, account_key.trim()).await {
        Ok(page) => shown(&app, StatusCode::OK, &page),
        Err(fault) => refused(&app, &fault),
    }
}

async fn take_key(app: &App, headers: &HeaderMap, state: &str, key: &str) -> Result<Page, Fault> {
    is_our_form(app, headers)?;
    check(state)?;
    let meant = Meant::State(state);
    app.logins.waiting(meant, app.context.now()).map_err(not_waiting)?;
    if !key.starts_with(sleap_rtc_wire::ACCOUNT_KEY) {
        return Err(forbidden("this is not the key of an account; it begins with slp_acct_"));
    }
    let person = match credential(app, key).await {
        Ok(Credential::Person(person)) => person,
        Ok(Credential::Worker(_)) => return Err(forbidden("this is the key of a worker")),
        // There is no credential that a browser could show better: this one is wrong.
        Err(fault) if fault.is_unauthorized() => return Err(fault.with_status(StatusCode::FORBIDDEN)),
        Err(fault) => return Err(fault),
    };
    let account = person.account().ok_or_else(|| forbidden("this is not the key of an account"))?;
    let waiting = let_in(app, meant, account, None).await?;
    Ok(html::allowed(&waiting, &account.username))
}

/// What the page's second form says.
#[derive(Deserialize)]
pub(crate) struct ByGitHub {
    cli_state: String,
}

/// `POST /login/github`: sends the browser to GitHub.
pub(crate) async fn to_github(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Read(form): Read<Form<ByGitHub>>,
) -> Response {
    begin(&app, &headers, &form.0.cli_state).unwrap_or_else(|fault| refused(&app, &fault))
}

fn begin(app: &App, headers: &HeaderMap, state: &str) -> Result<Response, Fault> {
    is_our_form(app, headers)?;
    check(state)?;
    app.logins.waiting(Meant::State(state), app.context.now()).map_err(not_waiting)?;
    let github = configured(app)?;
    let nonce = random_hex::<NONCE>().map_err(|_| Fault::internal())?;
    let mut to = format!("{}/login/oauth/authorize?client_id={}&state={nonce}", github.site, github.client_id);
    if let Some(uri) = back_to(app) {
        to.push_str("&redirect_uri=");
        to.extend(form_urlencoded(&uri));
    }
    let cookie = cookie(app, &format!("{nonce}.{state}"), COOKIE_AGE);
    let head = [(header::LOCATION, header_value(&to)?), (header::SET_COOKIE, header_value(&cookie)?)];
    Ok(guarded(app, (StatusCode::SEE_OTHER, head).into_response()))
}

/// What GitHub hands back.
#[derive(Default, Deserialize)]
pub(crate) struct FromGitHub {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// `GET /login/github/callback`: the browser is back.
pub(crate) async fn from_github(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Read(back): Read<Query<FromGitHub>>,
) -> Response {
    let mut response = match end(&app, &headers, back.0).await {
        Ok(page) => shown(&app, StatusCode::OK, &page),
        Err(fault) => refused(&app, &fault),
    };
    if let Ok(gone) = header_value(&cookie(&app, "", 0)) {
        response.headers_mut().insert(header::SET_COOKIE, gone);
    }
    response
}

async fn end(app: &App, headers: &HeaderMap, back: FromGitHub) -> Result<Page, Fault> {
    let github = configured(app)?;
    let state = begun_here(headers, &back.state)
        .ok_or_else(|| forbidden("this browser began no sign-in by GitHub; open the login's page again"))?;
    check(&state)?;
    let meant = Meant::State(&state);
    app.logins.waiting(meant, app.context.now()).map_err(not_waiting)?;
    if back.code.is_empty() {
        return Err(forbidden("GitHub let nobody in"));
    }
    let (account, key) = account_of(app, github, back.code, back_to(app)).await?;
    let waiting = let_in(app, meant, &account, key.as_ref()).await?;
    Ok(html::allowed(&waiting, &account.username))
}

/// The login for which this very browser was sent to GitHub.
fn begun_here(headers: &HeaderMap, nonce: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|one| one.trim().split_once('='));
    let (begun, state) = cookies.find(|(name, _)| *name == COOKIE)?.1.split_once('.')?;
    let is_same = blake3::hash(begun.as_bytes()) == blake3::hash(nonce.as_bytes());
    (is_same && begun.len() == 2 * NONCE).then(|| state.to_owned())
}

/// Lax: GitHub's page leads here, and the cookie must come along.
fn cookie(app: &App, value: &str, seconds: u32) -> String {
    let is_public = app.context.config.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let secure = if is_public { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/login; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

/// Where GitHub is to send the browser; `None`: where it is registered there.
fn back_to(app: &App) -> Option<String> {
    let set = app.context.config.github.as_ref().and_then(|github| github.redirect_uri.clone());
    let public =
        app.context.config.public_url.as_deref().map(|url| format!("{}{CALL_BACK}", url.trim_end_matches('/')));
    set.filter(|uri| uri.ends_with(CALL_BACK)).or(public)
}

/// A browser says from which page a form comes. Over plain HTTP it says so in `Origin` alone.
fn is_our_form(app: &App, headers: &HeaderMap) -> Result<(), Fault> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => is_ours(app, origin, text("host")),
        (None, None) => false,
    };
    if is_ours { Ok(()) } else { Err(forbidden("this form was not sent from this server's own page")) }
}

fn is_ours(app: &App, origin: &str, host: Option<&str>) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let Some(from) = origin.authority() else { return false };
    let public = app.context.config.public_url.as_deref().and_then(|url| url.parse::<Uri>().ok());
    let is_public = public.as_ref().and_then(Uri::authority) == Some(from);
    is_public || host.is_some_and(|host| host.eq_ignore_ascii_case(from.as_str()))
}

fn form_urlencoded(text: &str) -> impl Iterator<Item = String> + '_ {
    text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    })
}

fn header_value(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(text).map_err(|_| Fault::internal())
}

fn forbidden(text: &str) -> Fault {
    Fault::new(StatusCode::FORBIDDEN, Code::Forbidden, text)
}

fn refused(app: &App, fault: &Fault) -> Response {
    shown(app, fault.status(), &html::refused(fault.text()))
}

fn shown(app: &App, status: StatusCode, page: &Page) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    guarded(app, (status, kind, page.text()).into_response())
}

/// Nothing from elsewhere in it, nobody's frame around it, nothing kept of it. `same-origin` and not `no-referrer`: with the latter
/// a browser does not say from which page a form comes.
fn guarded(app: &App, mut response: Response) -> Response {
    // A form that leads on to GitHub must be allowed to.
    let on = app.context.config.github.as_ref().map(|github| format!(" {}", github.site)).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self'{on}; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What a browser sent; if it cannot be read, the answer is a page too.
pub(crate) struct Read<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Read<Form<T>> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let read = in_time(app, Form::from_request(request, app)).await.map_err(|fault| refused(app, &fault))?;
        read.map(Self).map_err(|_| refused(app, &unreadable()))
    }
}

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Read<Query<T>> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, app: &Arc<App>) -> Result<Self, Response> {
        Query::from_request_parts(parts, app).await.map(Self).map_err(|_| refused(app, &unreadable()))
    }
}

fn unreadable() -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, Code::InvalidMessage, "this was not sent by this server's own page")
}
