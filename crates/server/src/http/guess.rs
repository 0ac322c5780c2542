//! Who shows too many wrong credentials has to wait.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

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
    if response.status() == StatusCode::UNAUTHORIZED {
        app.guesses.failed(address, shown.as_ref().map(header::HeaderValue::as_bytes), app.context.now());
    }
    response
}

/// For calls that show a short code: each refusal counts.
pub(super) async fn of_code(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(address) = address(&app, &request) else { return Fault::internal().into_response() };
    if !app.guesses.may_try(address, app.context.now()) {
        return refused(&app);
    }
    let response = next.run(request).await;
    // A refused credential was counted already.
    if response.status().is_client_error() && response.status() != StatusCode::UNAUTHORIZED {
        app.guesses.failed(address, None, app.context.now());
    }
    response
}

fn address(app: &App, request: &Request) -> Option<IpAddr> {
    let remote = request.extensions().get::<Remote>()?;
    Some(Address::of(remote.address, remote.local, request.headers(), &app.context.config).ip)
}

fn refused(app: &App) -> Response {
    app.context.metrics.rate_limited.add();
    Fault::too_many_guesses().into_response()
}
