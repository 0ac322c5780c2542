//! Who shows too many wrong credentials has to wait.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sleap_rtc_wire::RoomId;

use super::address::Address;
use super::fault::Fault;
use crate::app::App;
use crate::listen::Remote;

/// Counts refused credentials of every call, whatever it is; a call that shows none is not touched.
pub(super) async fn counted(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).cloned();
    let Some(address) = address(&app, &request) else { return Fault::internal().into_response() };
    if shown.is_some() && !app.guesses.may_try(address, app.context.now()) {
        return refused(&app);
    }
    let response = next.run(request).await;
    // Whoever shows nothing has guessed nothing: so deployed programs take their leave.
    if let Some(shown) = shown.filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
        app.guesses.failed(address, Some(shown.as_bytes()), app.context.now());
    }
    response
}

/// For calls that show a short code: each refusal counts.
pub(super) async fn of_code(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(address) = address(&app, &request) else { return Fault::internal().into_response() };
    let shows = request.headers().contains_key(header::AUTHORIZATION);
    if !app.guesses.may_try(address, app.context.now()) {
        return refused(&app);
    }
    let response = next.run(request).await;
    // A refused credential was counted already.
    let is_counted = shows && response.status() == StatusCode::UNAUTHORIZED;
    if response.status().is_client_error() && !is_counted {
        app.guesses.failed(address, None, app.context.now());
    }
    response
}

/// Whether a caller who shows a room's password, if it does, may do so.
pub(super) fn may_show(app: &App, address: Address, password: Option<&str>) -> Result<(), Fault> {
    if password.is_none() || app.guesses.may_try(address.ip, app.context.now()) {
        return Ok(());
    }
    app.context.metrics.rate_limited.add();
    Err(Fault::too_many_guesses())
}

/// Whoever was refused although it showed a password has guessed at that of this room.
pub(super) fn was_wrong(app: &App, address: Address, room: &RoomId, password: Option<&str>) {
    if let Some(password) = password {
        let shown = format!("{room} {password}");
        app.guesses.failed(address.ip, Some(shown.as_bytes()), app.context.now());
    }
}

fn address(app: &App, request: &Request) -> Option<IpAddr> {
    let remote = request.extensions().get::<Remote>()?;
    Some(Address::of(remote.address, remote.local, request.headers(), &app.context.config).ip)
}

fn refused(app: &App) -> Response {
    app.context.metrics.rate_limited.add();
    Fault::too_many_guesses().into_response()
}
