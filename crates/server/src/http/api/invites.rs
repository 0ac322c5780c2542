//! Codes by which others become members.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sleap_rtc_access::{
    INVITE_MS, InviteDenied, Person, RoomDeed, invite_code, may_come_by, may_invite, may_take_in, typed_code,
};
use sleap_rtc_wire::Code;
use sleap_rtc_wire::record::{Change, InviteRecord, MemberRole, MembershipRecord, RoomRecord};

use super::fields::Fields;
use super::people;
use super::standing::{Standing, caller, in_force, lasting_name, role};
use crate::app::App;
use crate::http::body::Body;
use crate::http::fault::Fault;
use crate::http::status::iso;

/// Codes that are tried before giving up: a taken one is as good as never drawn twice.
const DRAWS: usize = 8;

/// `POST /api/auth/rooms/{room_id}/invite`: a code that is good for an hour and for many.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
) -> Result<Json<Value>, Fault> {
    let Standing { person, room, .. } = Standing::of(&app, &headers, &room, RoomDeed::Invite).await?;
    let now = app.context.now();
    let store = &app.context.store;
    let _alone = app.accounts.lock().await;
    let mut changes = may_invite(&store.invites_of(&room.room_id).await?, now)?;
    let invite = InviteRecord {
        code: unused_code(&app).await?,
        room_id: room.room_id,
        made_by: lasting_name(&person),
        expires_at: now.plus_ms(INVITE_MS),
    };
    changes.push(Change::PutInvite(invite.clone()));
    store.apply(changes).await?;
    tracing::info!(room = %invite.room_id, by = %invite.made_by, "invite made");
    Ok(Json(json!({
        "invite_code": invite.code,
        "room_id": invite.room_id,
        "expires_in_seconds": INVITE_MS / 1000,
        "expires_at": iso(invite.expires_at),
    })))
}

/// A code that leads nowhere yet.
async fn unused_code(app: &App) -> Result<String, Fault> {
    for _ in 0..DRAWS {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| Fault::internal())?;
        let code = invite_code(random);
        if app.context.store.invite(&code).await?.is_none() {
            return Ok(code);
        }
    }
    Err(Fault::internal())
}

/// `POST /api/auth/rooms/join`.
pub(crate) async fn join(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Fault> {
    let person = caller(&app, &headers).await?;
    let typed = Fields::of(&body)?.needed_text("invite_code")?;
    // So that a code is not taken away meanwhile.
    let _alone = app.accounts.lock().await;
    let room = room_of(&app, &typed).await?;
    let is = role(&app, &room, &person).await?;
    let message = if is.is_some() { "Already a member" } else { "Joined successfully" };
    if is.is_none() {
        take_in(&app, &room, &person).await?;
    }
    let role = is.unwrap_or(MemberRole::Member);
    Ok(Json(json!({"message": message, "room_id": room.room_id, "role": role, "name": room.name})))
}

/// The room to which a code leads.
async fn room_of(app: &App, typed: &str) -> Result<RoomRecord, Fault> {
    let found = match typed_code(typed) {
        Some(code) => app.context.store.invite(&code).await?,
        None => None,
    };
    let invite = may_come_by(found.as_ref(), app.context.now())?;
    in_force(app, &invite.room_id).await?.ok_or_else(|| InviteDenied::Unknown.into())
}

async fn take_in(app: &App, room: &RoomRecord, person: &Person) -> Result<(), Fault> {
    may_take_in(people::count(app, &room.room_id).await?)?;
    let membership = MembershipRecord {
        room_id: room.room_id.clone(),
        member: lasting_name(person),
        role: MemberRole::Member,
        joined_at: app.context.now(),
    };
    tracing::info!(room = %room.room_id, member = %membership.member, "joined by an invite");
    Ok(app.context.store.apply(vec![Change::PutMembership(membership)]).await?)
}

/// `POST /api/auth/rooms/{room_id}/verify-otp`: no room has such a secret any more, as with the deployed server.
pub(crate) async fn verify_otp(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
    body: Body,
) -> Result<Json<Value>, Fault> {
    Standing::of(&app, &headers, &room, RoomDeed::See).await?;
    Fields::of(&body)?.needed_text("otp_code")?;
    Err(Fault::new(StatusCode::BAD_REQUEST, Code::Unsupported, "Room does not have OTP configured"))
}
