//! For the operator, who can read the secret in the data folder. Never a way around the rooms to the database.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sleap_rtc_room::Room;
use sleap_rtc_wire::http::{CreateOwnRoom, Deleted, RoomCreated};
use sleap_rtc_wire::{MemberId, RoomId, Time};

use super::address::Address;
use super::auth::{bearer, is_operator};
use super::body::Body;
use super::fault::Fault;
use super::page::{self, After};
use super::rooms::{self as room_calls, Chosen};
use super::{delete, status};
use crate::app::App;

/// Rooms on one page.
const PAGE: usize = 200;
/// The member who owns what the operator makes.
const OPERATOR: &str = "operator";

pub(super) fn operator_only(app: &App, headers: &HeaderMap) -> Result<(), Fault> {
    bearer(headers)?;
    if is_operator(app, headers) { Ok(()) } else { Err(Fault::unauthorized("not the operator's secret")) }
}

/// `GET /admin/stats`.
pub(crate) async fn stats(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Fault> {
    operator_only(&app, &headers)?;
    let mut stats = status::summary(&app);
    stats["started"] = json!(status::iso(app.started));
    stats["loaded_rooms"] = json!(app.registry.all().len());
    for (name, _, value) in app.context.metrics.list() {
        stats[name] = json!(value);
    }
    Ok(Json(stats))
}

/// `GET /admin/rooms?after=ID`: 200 rooms a page, without their tokens.
pub(crate) async fn rooms(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    After(after): After<RoomId>,
) -> Result<Json<Value>, Fault> {
    operator_only(&app, &headers)?;
    let records = app.context.store.rooms(after.as_ref(), PAGE).await?;
    let next = page::next(records.last().map(|room| &room.room_id), records.len(), PAGE);
    let rooms = records.into_iter().map(|record| {
        let live = app.registry.live(&record.room_id);
        let (stats, expires_at) = live
            .and_then(|cell| cell.look(|room| (Room::stats(room), room.record().expires_at)))
            .unwrap_or((sleap_rtc_room::Stats::default(), record.expires_at));
        json!({
            "room_id": record.room_id,
            "name": record.name,
            "kind": record.kind,
            "created_by": record.created_by,
            "created_at": record.created_at.unix_seconds(),
            "expires_at": expires_at.map(Time::unix_seconds),
            "peers": stats.peers,
            "claims": {"leased": stats.leased, "used": stats.used, "silent": stats.away, "waiting": stats.waiting},
        })
    });
    Ok(Json(json!({"rooms": rooms.collect::<Vec<_>>(), "next": next})))
}

/// `POST /admin/rooms`: a room that belongs to the operator, who may choose its id and its token.
pub(crate) async fn create_room(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RoomCreated>, Fault> {
    operator_only(&app, &headers)?;
    let operator = MemberId::new(OPERATOR).map_err(|_| Fault::internal())?;
    let CreateOwnRoom { terms, room_id, token } = body.json_or_default()?;
    let made = room_calls::make(&app, operator, &terms, Chosen { room_id, token }).await?;
    app.makers.remember(made.room_id.clone(), address.own());
    Ok(Json(made))
}

/// `DELETE /admin/rooms/ID`: with everybody in it.
pub(crate) async fn delete_room(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
) -> Result<Json<Deleted>, Fault> {
    operator_only(&app, &headers)?;
    let room = RoomId::new(&room).map_err(|_| Fault::room_not_found())?;
    delete::delete_room(&app, &room).await
}
