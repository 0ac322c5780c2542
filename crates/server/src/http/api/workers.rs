//! Which workers are in a room.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sleap_rtc_access::RoomDeed;
use sleap_rtc_room::Room;
use sleap_rtc_wire::{ConnId, KeyId, MemberId, PeerId, RoomId, Time};

use super::standing::Standing;
use crate::app::App;
use crate::http::fault::Fault;
use crate::http::status::iso;

/// A connected worker.
pub(super) struct Here {
    pub(super) id: PeerId,
    pub(super) member: MemberId,
    pub(super) connected_at: Time,
    conn: ConnId,
    properties: Value,
}

/// The connected workers of a room, in the order of joining.
pub(super) fn here(app: &App, room: &RoomId) -> Vec<Here> {
    let look = |room: &Room| -> Vec<Here> {
        let workers = room.workers_here().map(|worker| Here {
            id: worker.id.clone(),
            member: worker.member.clone(),
            connected_at: worker.connected_at,
            conn: worker.conn,
            properties: worker.metadata.properties().map(|(name, value)| (name.to_owned(), value.clone())).collect(),
        });
        workers.collect()
    };
    app.registry.live(room).and_then(|cell| cell.look(look)).unwrap_or_default()
}

/// `GET /api/rooms/{room_id}/workers`.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
) -> Result<Json<Value>, Fault> {
    let Standing { room, .. } = Standing::of(&app, &headers, &room, RoomDeed::SeeWorkers).await?;
    let tokens = app.context.store.api_keys_for(&room.room_id).await?;
    let names: HashMap<KeyId, String> = tokens.into_iter().map(|token| (token.id(), token.name)).collect();
    let keys = app.in_use.keys_in(&room.room_id);
    let workers: Vec<Value> = here(&app, &room.room_id)
        .into_iter()
        .map(|worker| {
            let key = keys.get(&worker.conn).map(sleap_rtc_wire::KeyHash::id);
            let token = key.clone().filter(|key| key.as_str() == worker.member.as_str());
            let named = token.as_ref().and_then(|token| names.get(token)).map(|name| json!(name));
            json!({
                "peer_id": worker.id,
                "connected_at": iso(worker.connected_at),
                "account_key_id": key.filter(|_| token.is_none()),
                "token_id": token,
                "worker_name": named.or_else(|| worker.properties.get("worker_name").cloned()),
                "properties": worker.properties,
            })
        })
        .collect();
    Ok(Json(json!({"count": workers.len(), "workers": workers})))
}
