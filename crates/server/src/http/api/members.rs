//! Who belongs to a room, and who does no longer.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sleap_rtc_access::{Person, Removal, RoomDeed, may_remove};
use sleap_rtc_wire::MemberId;
use sleap_rtc_wire::record::{ApiKeyRecord, Change, RoomRecord};

use super::people;
use super::standing::{Standing, expel, role};
use super::tokens::member_of;
use crate::app::App;
use crate::http::fault::Fault;
use crate::persons;

/// `GET /api/auth/rooms/{room_id}/members`.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
) -> Result<Json<Value>, Fault> {
    let Standing { room, .. } = Standing::of(&app, &headers, &room, RoomDeed::See).await?;
    let people = people::of_room(&app, &room.room_id).await?;
    Ok(Json(json!({"members": people.iter().map(people::Belonging::shown).collect::<Vec<_>>()})))
}

/// `DELETE /api/auth/rooms/{room_id}/members/{user_id}`: the owner removes others, everybody removes themselves. Under all names, with
/// the workers' tokens that they made; what is connected as them leaves the room at once.
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((room, user_id)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let Standing { person, room, role: own } = Standing::of(&app, &headers, &room, RoomDeed::See).await?;
    let other = match MemberId::new(&user_id) {
        Ok(member) => Some(persons::of_member(&*app.context.store, &member).await?),
        Err(_) => None,
    };
    let is_self = other.as_ref().is_some_and(|other| other.members().any(|member| person.is(member)));
    let is = match &other {
        Some(other) => role(&app, &room, other).await?,
        None => None,
    };
    let removal = may_remove(Some(own), is, is_self)?;
    if let Some(other) = &other {
        put_out(&app, &room, other, removal).await?;
        tracing::info!(room = %room.room_id, member = %other.member(), by = %person.member(), "member removed");
    }
    Ok(Json(match removal {
        Removal::Leaves => json!({"status": "left", "room_id": room.room_id}),
        Removal::IsRemoved => json!({"status": "removed", "room_id": room.room_id, "user_id": user_id}),
    }))
}

async fn put_out(app: &App, room: &RoomRecord, person: &Person, removal: Removal) -> Result<(), Fault> {
    // Nobody makes a token or comes back by a code meanwhile.
    let _alone = app.accounts.lock().await;
    let revoked = revoked_tokens(app, room, person).await?;
    let mut members: Vec<MemberId> = person.members().cloned().collect();
    members.extend(revoked.iter().filter_map(member_of));
    let mut changes: Vec<Change> = revoked.iter().cloned().map(Change::PutApiKey).collect();
    if removal == Removal::IsRemoved {
        // It may know the room's codes: who is still expected needs a new one.
        let codes = app.context.store.invites_of(&room.room_id).await?;
        changes.extend(codes.into_iter().map(|invite| Change::DeleteInvite(invite.code)));
    }
    app.context.store.apply(changes).await?;
    expel(app, &room.room_id, members).await?;
    // Those that are about to register by what they were.
    app.in_use.left_room(&room.room_id, person);
    for token in &revoked {
        app.in_use.key_is_over(token.hash);
    }
    Ok(())
}

/// The good tokens of the room that a person made, revoked as of now.
async fn revoked_tokens(app: &App, room: &RoomRecord, person: &Person) -> Result<Vec<ApiKeyRecord>, Fault> {
    let now = app.context.now();
    let mut tokens = app.context.store.api_keys_for(&room.room_id).await?;
    tokens.retain(|token| person.is(&token.owner) && token.is_active(now));
    for token in &mut tokens {
        token.revoked_at = Some(now);
    }
    Ok(tokens)
}
