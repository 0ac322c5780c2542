//! Who calls.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use sleap_rtc_access::{Caller, Power};
use sleap_rtc_identity::{IdentityError, Subject};
use sleap_rtc_room::Room;
use sleap_rtc_wire::MemberId;
use sleap_rtc_wire::record::RoomRecord;

use super::fault::Fault;
use crate::app::App;

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
        error => not_verified(&error),
    })
}

/// In the words of the deployed server.
pub(crate) fn not_verified(error: &IdentityError) -> Fault {
    Fault::unauthorized(format!("Token verification failed: {error}"))
}

/// Whether the caller shows the operator's secret.
pub(crate) fn is_operator(app: &App, headers: &HeaderMap) -> bool {
    // Hashed first, so that the time of comparing tells nothing about the secret.
    bearer(headers).is_ok_and(|shown| blake3::hash(shown.as_bytes()) == blake3::hash(app.admin_secret.as_bytes()))
}

/// What a caller shows of itself.
pub(crate) struct Shown {
    subject: Option<Subject>,
    power: Power,
}

impl Shown {
    /// Somebody without a duty to sign in.
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

    /// Somebody who must say who it is: the operator, or by an id token that is good.
    pub(crate) async fn by_name(app: &App, headers: &HeaderMap) -> Result<Self, Fault> {
        let id_token = bearer(headers)?;
        if is_operator(app, headers) {
            return Ok(Self { subject: None, power: Power::Operator });
        }
        Ok(Self { subject: Some(subject(app, id_token).await?), power: Power::None })
    }

    /// Whose id token it showed.
    pub(crate) fn member(&self) -> Option<&MemberId> {
        self.subject.as_ref().map(|subject| &subject.member)
    }

    /// What it may do whoever it is.
    pub(crate) fn power(&self) -> Power {
        self.power
    }

    /// The caller of something about this room.
    pub(crate) async fn caller<'a>(
        &'a self,
        app: &App,
        room: &RoomRecord,
        token: Option<&'a str>,
        same_address: bool,
    ) -> Result<Caller<'a>, Fault> {
        let member = self.member();
        let belongs = match member {
            Some(member) => belongs(app, room, member).await?,
            None => false,
        };
        Ok(Caller { member, belongs, token, same_address, power: self.power })
    }
}

/// By its stored membership, or connected now: an anonymous identity has no membership.
async fn belongs(app: &App, room: &RoomRecord, member: &MemberId) -> Result<bool, Fault> {
    let live = app.registry.live(&room.room_id);
    if live.and_then(|cell| cell.look(|room: &Room| room.has_member(member))) == Some(true) {
        return Ok(true);
    }
    Ok(app.context.store.membership(&room.room_id, member).await?.is_some())
}
