//! What rooms there are, for those who belong to them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use sleap_rtc_access::{Caller, Person, Power, may_see_room, may_see_token};
use sleap_rtc_room::{Room, Stats};
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::http::{RoomInfo, RoomList, RoomShown};
use sleap_rtc_wire::record::{MemberRole, RoomRecord};
use sleap_rtc_wire::{RoomId, Time};

use super::auth::Shown;
use super::fault::Fault;
use super::page::{self, After};
use crate::app::App;
use crate::persons;

/// Rooms of one answer.
const PAGE: usize = 1000;

/// `GET /rooms`: those of the caller; the operator's are all.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    After(after): After<RoomId>,
) -> Result<Json<RoomList>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let found = match shown.known() {
        Some(person) => rooms_of(&app, person, after.as_ref()).await?,
        None => app.context.store.rooms(after.as_ref(), PAGE).await?.into_iter().map(|room| (room, None)).collect(),
    };
    let next = page::next(found.last().map(|(room, _)| &room.room_id), found.len(), PAGE);
    let now = app.context.now();
    let rooms = found.into_iter().filter_map(|(record, role)| info(&app, record, role, now)).collect();
    Ok(Json(RoomList { rooms, next }))
}

async fn rooms_of(
    app: &App,
    person: &Person,
    after: Option<&RoomId>,
) -> Result<Vec<(RoomRecord, Option<MemberRole>)>, StoreError> {
    let mut rooms = Vec::new();
    let memberships = persons::memberships(&*app.context.store, person).await?.into_iter();
    for one in memberships.filter(|one| after.is_none_or(|after| one.room_id > *after)).take(PAGE) {
        if let Some(record) = app.context.store.room(&one.room_id).await? {
            rooms.push((record, Some(one.role)));
        }
    }
    Ok(rooms)
}

/// `GET /rooms/{room_id}`.
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
) -> Result<Json<RoomShown>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let room = RoomId::new(&room).map_err(|_| Fault::room_not_found())?;
    let record = app.registry.record(&room).await?.ok_or_else(Fault::room_not_found)?;
    let caller = shown.caller(&app, &record, None, false).await?;
    may_see_room(&record, &caller)?;
    let token = may_see_token(&record, &caller).then(|| record.token.clone());
    let role = role(&record, &caller);
    let info = info(&app, record, role, app.context.now()).ok_or_else(Fault::room_not_found)?;
    Ok(Json(RoomShown { info, token }))
}

fn role(record: &RoomRecord, caller: &Caller<'_>) -> Option<MemberRole> {
    match caller.power {
        Power::Operator => None,
        _ if caller.is(&record.created_by) => Some(MemberRole::Owner),
        _ => Some(MemberRole::Member),
    }
}

/// What is known of a room: by the room itself where it is in use, else by its record. `None`: its time is over.
fn info(app: &App, stored: RoomRecord, role: Option<MemberRole>, now: Time) -> Option<RoomInfo> {
    let live = app.registry.live(&stored.room_id);
    let (record, stats) = live
        .and_then(|cell| cell.look(|room| (room.record().clone(), Room::stats(room))))
        .unwrap_or((stored, Stats::default()));
    if stats.peers.is_empty() && record.expires_at.is_some_and(|at| at <= now) {
        return None;
    }
    Some(RoomInfo {
        room_id: record.room_id,
        name: record.name,
        kind: record.kind,
        role,
        created_at: record.created_at.unix_seconds(),
        expires_at: record.expires_at.map(Time::unix_seconds),
        ttl: record.ttl_ms.map(|ms| ms / 1000),
        peers: stats.peers,
        taken: stats.leased + stats.used + stats.away + stats.occupied,
        waiting: stats.waiting,
    })
}
