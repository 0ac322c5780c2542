//! The tokens of workers that somebody made.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sleap_rtc_wire::record::{ApiKeyKind, ApiKeyRecord};
use sleap_rtc_wire::{RoomId, Time};

use super::query::{Asked, Direction};
use super::standing::{caller, in_force};
use super::tokens::{is_of, of_person};
use crate::app::App;
use crate::http::fault::Fault;
use crate::http::status::iso;

#[derive(Clone, Copy)]
enum By {
    WorkerName,
    CreatedAt,
    ExpiresAt,
    RoomName,
}

const ORDERS: [(&str, By); 4] = [
    ("worker_name", By::WorkerName),
    ("created_at", By::CreatedAt),
    ("expires_at", By::ExpiresAt),
    ("room_name", By::RoomName),
];

/// A token, and its room's name.
struct Row {
    token: ApiKeyRecord,
    room: RoomId,
    room_name: Option<String>,
}

/// `GET /api/auth/tokens`.
pub(crate) async fn list(State(app): State<Arc<App>>, headers: HeaderMap, asked: Asked) -> Result<Json<Value>, Fault> {
    let person = caller(&app, &headers).await?;
    let by = asked.choice("sort_by", &ORDERS)?.unwrap_or(By::CreatedAt);
    let direction = asked.direction()?;
    let active_only = asked.flag("active_only")?;
    let now = app.context.now();
    let mut tokens = of_person(&app, &person).await?;
    tokens.retain(|token| {
        let is_there = asked.text("room_id").is_none_or(|room| is_of(token, room));
        is_there && (!active_only || token.is_active(now))
    });
    let mut rows = with_rooms(&app, tokens).await?;
    rows.sort_by(|a, b| compare(by, direction, a, b));
    let tokens: Vec<Value> = rows.iter().map(|row| entry(row, now)).collect();
    Ok(Json(json!({"tokens": tokens})))
}

async fn with_rooms(app: &App, tokens: Vec<ApiKeyRecord>) -> Result<Vec<Row>, Fault> {
    let mut names: BTreeMap<RoomId, Option<String>> = BTreeMap::new();
    let mut rows = Vec::new();
    for token in tokens {
        let ApiKeyKind::Worker(room) = token.kind.clone() else { continue };
        if !names.contains_key(&room) {
            let record = in_force(app, &room).await?;
            names.insert(room.clone(), record.and_then(|record| record.name));
        }
        let room_name = names.get(&room).cloned().flatten();
        rows.push(Row { token, room, room_name });
    }
    Ok(rows)
}

fn compare(by: By, direction: Direction, a: &Row, b: &Row) -> Ordering {
    match by {
        By::WorkerName => direction.compare(Some(a.token.name.to_lowercase()), Some(b.token.name.to_lowercase())),
        By::CreatedAt => direction.compare(Some(a.token.created_at), Some(b.token.created_at)),
        By::ExpiresAt => direction.compare(a.token.expires_at, b.token.expires_at),
        By::RoomName => {
            let name = |row: &Row| row.room_name.as_deref().map(str::to_lowercase);
            direction.compare(name(a), name(b))
        }
    }
}

fn entry(Row { token, room, room_name }: &Row, now: Time) -> Value {
    let mut entry = json!({
        "token_id": token.id(),
        "room_id": room,
        "room_name": room_name,
        "worker_name": token.name,
        "created_at": iso(token.created_at),
        "revoked_at": token.revoked_at.map(iso),
        "is_active": token.is_active(now),
    });
    // Deployed programs end in the middle of their list at one that is `null`.
    if let Some(at) = token.expires_at {
        entry["expires_at"] = json!(iso(at));
    }
    entry
}
