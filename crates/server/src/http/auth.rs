//! Who calls.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use sleap_rtc_access::{Caller, Power};
use sleap_rtc_identity::{IdentityError, Subject};
use sleap_rtc_wire::record::RoomRecord;

use super::fault::Fault;
use crate::app::App;
use crate::listen::Remote;

/// The address that a call comes from.
#[derive(Clone, Copy)]
pub(crate) struct Address {
    pub(crate) ip: IpAddr,
    /// The server's own end of the connection.
    pub(crate) local: Option<IpAddr>,
    /// Whether it is the caller's own, and not that of a proxy which stands for everybody.
    is_own: bool,
}

/// What a proxy adds to a request.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

impl FromRequestParts<Arc<App>> for Address {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Fault> {
        let remote = parts.extensions.get::<Remote>().ok_or_else(Fault::internal)?;
        let forwarded = FORWARDED.iter().any(|name| parts.headers.contains_key(*name));
        let is_own = !forwarded && app.context.config.public_url.is_none();
        Ok(Self { ip: remote.address, local: remote.local, is_own })
    }
}

impl Address {
    /// Whether somebody who came from `other` called. Behind a proxy nobody is ever the same.
    pub(crate) fn is_same(self, other: IpAddr) -> bool {
        self.is_own && self.ip == other
    }
}

/// The credential of the `Authorization` header, as it stands there. A missing header is a fault of form, as with the
/// deployed server.
fn authorization(headers: &HeaderMap) -> Result<&str, Fault> {
    let header = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| Fault::validation("missing", &["header", "authorization"], "Field required"))?;
    header.to_str().map_err(|_| Fault::unauthorized("Invalid authorization header"))
}

/// The Bearer credential. The prefix must be there, in this very case.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Fault> {
    authorization(headers)?.strip_prefix("Bearer ").ok_or_else(|| Fault::unauthorized("Invalid authorization header"))
}

/// The credential of `/create-room`, where a bare token does as well.
pub(crate) fn bearer_or_bare(headers: &HeaderMap) -> Result<&str, Fault> {
    authorization(headers).map(|text| text.strip_prefix("Bearer ").unwrap_or(text))
}

/// Whose id token it is.
pub(crate) async fn subject(app: &App, id_token: &str) -> Result<Subject, Fault> {
    app.context.identity.verify(id_token, app.context.now()).await.map_err(|error| match error {
        IdentityError::Store(error) => error.into(),
        error => Fault::unauthorized(format!("Token verification failed: {error}")),
    })
}

/// Whether the caller shows the operator's secret.
pub(crate) fn is_operator(app: &App, headers: &HeaderMap) -> bool {
    // Hashed first, so that the time of comparing tells nothing about the secret.
    bearer(headers).is_ok_and(|shown| blake3::hash(shown.as_bytes()) == blake3::hash(app.admin_secret.as_bytes()))
}

/// What a caller without a duty to sign in shows of itself.
pub(crate) struct Shown {
    subject: Option<Subject>,
    power: Power,
}

impl Shown {
    pub(crate) async fn by(app: &Arc<App>, headers: &HeaderMap) -> Result<Self, Fault> {
        let operator = is_operator(app, headers);
        let subject = match bearer(headers) {
            Ok(id_token) if !operator => {
                match app.context.identity.verify(id_token, app.context.now()).await {
                    Ok(subject) => Some(subject),
                    Err(IdentityError::Store(error)) => return Err(error.into()),
                    // As good as none: the address or the room's token may still do.
                    Err(_) => None,
                }
            }
            _ => None,
        };
        let power = match (operator, app.context.config.open_deletes) {
            (true, _) => Power::Operator,
            (false, true) => Power::OpenDeletes,
            (false, false) => Power::None,
        };
        Ok(Self { subject, power })
    }

    /// The caller of something about this room.
    pub(crate) async fn caller<'a>(
        &'a self,
        app: &App,
        room: &RoomRecord,
        token: Option<&'a str>,
        same_address: bool,
    ) -> Result<Caller<'a>, Fault> {
        let member = self.subject.as_ref().map(|subject| &subject.member);
        let belongs = match member {
            Some(member) => app.context.store.membership(&room.room_id, member).await?.is_some(),
            None => false,
        };
        Ok(Caller { member, belongs, token, same_address, power: self.power })
    }
}
