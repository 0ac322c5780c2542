//! The routes. Every port serves all of them, and a WebSocket on any path.

mod accounts;
mod address;
mod admin;
mod api;
mod audience;
mod auth;
mod body;
mod clean_up;
mod cli_login;
mod cors;
mod delete;
mod fault;
mod github;
mod guess;
mod keys;
mod login;
mod page;
mod relay;
mod rooms;
mod routes;
mod show;
mod sign_in;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use sleap_rtc_wire::{Code, limits};

use crate::app::App;
use crate::listen::Remote;
use crate::ws::Guest;
pub(crate) use address::{Address, is_forwarded};
pub(crate) use audience::{authority, host};
use fault::Fault;
pub use routes::{Route, Who, routes};

/// What a WebSocket reads at once, bytes: the default of 128 KiB is touched by the first message and stays.
pub(crate) const READ_BUFFER: usize = 4 << 10;
/// A burst of small frames leaves in pieces of this size, bytes.
const WRITE_BUFFER: usize = 4 << 10;

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    let limits = app.context.config.limits;
    routes::router(&app)
        .fallback(async || Fault::new(StatusCode::NOT_FOUND, Code::Unknown, "Not Found"))
        .method_not_allowed_fallback(async || {
            Fault::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unknown, "Method Not Allowed")
        })
        .layer(DefaultBodyLimit::max(limits.body))
        .layer(from_fn_with_state(app.clone(), guess::counted))
        .layer(from_fn(cors::any_origin))
        .layer(from_fn_with_state(app.clone(), web_socket))
        .with_state(app)
}

/// Takes upgrades out before any route sees them.
async fn web_socket(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let wants =
        request.headers().get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if wants { upgrade(app, request).await.into_response() } else { next.run(request).await }
}

async fn upgrade(app: Arc<App>, request: Request) -> Result<Response, Fault> {
    let (mut parts, _) = request.into_parts();
    let remote = parts.extensions.get::<Remote>().cloned().ok_or_else(Fault::internal)?;
    let address = Address::of(remote.address, remote.local, &parts.headers, &app.context.config);
    let dialled = crate::ice::dialled(&parts.headers, remote.local);
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|refused| Fault::new(refused.status(), Code::InvalidMessage, refused.body_text()))?;
    let Ok(unregistered) = app.unregistered.clone().try_acquire_owned() else {
        app.context.metrics.turned_away.add();
        let text = format!("{} connections wait to register, try again", app.context.config.unregistered);
        return Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, Code::RateLimited, text));
    };
    let limits = app.context.config.limits;
    // Each message that is read whole allows another one; what has been read of the next is in the buffer by then.
    remote.meter.allow(limits.first_frame + 2 * READ_BUFFER);
    let largest = limits.frame.min(limits::FRAME);
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER + 2 * limits::FRAME)
        .max_message_size(largest)
        .max_frame_size(largest);
    // Boxed: else the task would be as large as the largest of its steps.
    Ok(upgrade.on_upgrade(move |socket| {
        Box::pin(async move {
            let guest = Guest { address, dialled, unregistered, meter: remote.meter.clone() };
            crate::ws::serve(socket, app, guest).await;
            // Until here the connection counts.
            drop(remote);
        })
    }))
}
