//! The routes. Every port serves all of them, and a WebSocket on any path.

mod address;
mod admin;
mod audience;
mod auth;
mod body;
mod clean_up;
mod cors;
mod delete;
mod fault;
mod page;
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
pub(crate) use address::Address;
use fault::Fault;
pub use routes::{Route, Who, routes};

/// What a WebSocket reads at once, bytes: the default of 128 KiB is touched by the first message and stays.
const READ_BUFFER: usize = 4 << 10;
/// A burst of small frames leaves in pieces of this size, bytes.
const WRITE_BUFFER: usize = 4 << 10;

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    routes::router()
        .fallback(async || Fault::new(StatusCode::NOT_FOUND, Code::Unknown, "Not Found"))
        .method_not_allowed_fallback(async || {
            Fault::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unknown, "Method Not Allowed")
        })
        .layer(DefaultBodyLimit::max(limits::BODY))
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
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|refused| Fault::new(refused.status(), Code::InvalidMessage, refused.body_text()))?;
    let Ok(unregistered) = app.unregistered.clone().try_acquire_owned() else {
        app.context.metrics.turned_away.add();
        let text = format!("{} connections wait to register, try again", app.context.config.unregistered);
        return Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, Code::RateLimited, text));
    };
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER + 2 * limits::FRAME)
        .max_message_size(limits::FRAME)
        .max_frame_size(limits::FRAME);
    // Boxed: else the task would be as large as the largest of its steps.
    Ok(upgrade.on_upgrade(move |socket| {
        Box::pin(async move {
            crate::ws::serve(socket, app, address, unregistered).await;
            // Until here the connection counts.
            drop(remote);
        })
    }))
}
