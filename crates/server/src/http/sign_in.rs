//! Signing in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sleap_rtc_identity::{IdentityError, KeyProof};
use sleap_rtc_wire::Code;
use sleap_rtc_wire::http::{AnonymousSignin, KeyNonce, KeySignedIn, KeySignin};

use super::address::Address;
use super::audience;
use super::body::Body;
use super::fault::Fault;
use crate::app::App;

/// Counts a call of this address among its sign-ins.
pub(crate) fn counted(app: &App, address: Address) -> Result<(), Fault> {
    if app.sign_ins.allows(address.ip, app.context.now()) {
        return Ok(());
    }
    app.context.metrics.rate_limited.add();
    Err(Fault::rate_limited())
}

/// `POST /anonymous-signin`.
pub(crate) async fn anonymous(State(app): State<Arc<App>>, address: Address) -> Result<Json<AnonymousSignin>, Fault> {
    counted(&app, address)?;
    let signed_in = app.context.identity.sign_in_anonymous(app.context.now()).await.map_err(|error| match error {
        IdentityError::Store(error) => Fault::from(error),
        error => {
            let text = format!("Anonymous sign-in failed: {error}");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, text)
        }
    })?;
    app.signers.remember(signed_in.subject.member, address.own());
    Ok(Json(AnonymousSignin { id_token: signed_in.id_token, username: signed_in.subject.username }))
}

/// `POST /key-signin`: the first call gets a nonce, the second shows it signed.
pub(crate) async fn key(State(app): State<Arc<App>>, address: Address, body: Body) -> Result<Response, Fault> {
    counted(&app, address)?;
    let KeySignin { public_key, nonce, audience, signature } = body.json()?;
    let public_key = public_key.ok_or_else(|| field_required("public_key"))?;
    let now = app.context.now();
    let Some(nonce) = nonce else {
        let nonce = app.context.identity.key_nonce(public_key, now).await?;
        return Ok(Json(KeyNonce { nonce }).into_response());
    };
    let audience = audience.ok_or_else(|| field_required("audience"))?;
    let signature = signature.ok_or_else(|| field_required("signature"))?;
    if !audience::is_ours(&audience, address.local, &app.context.config) {
        let shown: String = audience.chars().filter(|c| !c.is_control()).take(80).collect();
        let text = format!("this server is not known as {shown}; start it with --public-url http://{shown}");
        return Err(Fault::unauthorized(text));
    }
    let signed_in = app.context.identity.sign_in_key(KeyProof { public_key, nonce, audience, signature }, now).await?;
    let expires_in = signed_in.subject.expires.since(now) / 1000;
    Ok(Json(KeySignedIn { id_token: signed_in.id_token, member: signed_in.subject.member, expires_in }).into_response())
}

fn field_required(name: &str) -> Fault {
    Fault::validation("missing", &["body", name], "Field required")
}
