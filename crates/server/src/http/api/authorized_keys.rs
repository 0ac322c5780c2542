//! Which keys the workers of a room let in. Every deployed worker asks before it answers a client's challenge.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sleap_rtc_access::RoomDeed;
use sleap_rtc_access::RoomDenied;
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::RoomId;
use sleap_rtc_wire::record::ApiKeyKind;

use super::people::{self, Belonging};
use super::standing::{Standing, in_force};
use crate::app::App;
use crate::http::auth::{Credential, bearer, credential};
use crate::http::fault::Fault;

/// What a computer is called whose key belongs to no account.
const UNNAMED: &str = "unnamed";

/// `GET /api/rooms/{room_id}/authorized-keys`: for the room's members, and for a worker by the token that was made for it.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
) -> Result<Json<Value>, Fault> {
    let room = match worker_of(&app, &headers).await? {
        Some(of) if of.as_str() == room => in_force(&app, &of).await?.ok_or(RoomDenied::NoRoom)?,
        Some(_) => return Err(RoomDenied::NoRoom.into()),
        None => Standing::of(&app, &headers, &room, RoomDeed::See).await?.room,
    };
    let mut keys = Vec::new();
    for one in people::of_room(&app, &room.room_id).await? {
        keys.extend(keys_of(&app, &one).await?);
    }
    Ok(Json(json!({"authorized_keys": keys})))
}

/// The room of which the caller is a worker; `None`: it is a person.
async fn worker_of(app: &App, headers: &HeaderMap) -> Result<Option<RoomId>, Fault> {
    if crate::http::auth::is_operator(app, headers) {
        return Ok(None);
    }
    Ok(match credential(app, bearer(headers)?).await? {
        Credential::Worker(token) => match token.kind {
            ApiKeyKind::Worker(room) => Some(room),
            ApiKeyKind::Account => None,
        },
        Credential::Person(_) => None,
    })
}

/// All keys that somebody has, or says to have.
async fn keys_of(app: &App, one: &Belonging) -> Result<Vec<Value>, StoreError> {
    let user_id = one.user_id();
    let entry = |key_id: &str, public_key: &sleap_rtc_wire::PublicKey, device_name: &str| {
        json!({
            "user_id": user_id,
            "username": one.person.username(),
            "key_id": key_id,
            "public_key": public_key,
            "device_name": device_name,
        })
    };
    if let Some(account) = one.person.account() {
        let devices = app.context.store.device_keys_of(&account.member).await?;
        let keys = devices.iter().map(|one| entry(one.key_id.as_str(), &one.public_key, &one.device_name));
        return Ok(keys.collect());
    }
    Ok(one.person.key().iter().map(|key| entry(user_id.as_str(), key, UNNAMED)).collect())
}
