//! Making rooms, and moving their end on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use sleap_rtc_access::{Caller, may_create_room, may_extend, terms};
use sleap_rtc_room::{Answer, Call};
use sleap_rtc_wire::http::{CreateRoom, ExtendRoom, RoomCreated, RoomExtended};
use sleap_rtc_wire::record::{Change, MemberRole, MembershipRecord, RoomRecord};
use sleap_rtc_wire::{Code, MemberId, RoomId, Time};

use super::auth::{Address, Shown, bearer_or_bare, subject};
use super::body::Body;
use super::fault::Fault;
use crate::app::App;
use crate::room_cell::Gone;
use crate::secret_file::random_hex;

/// Bytes of a room's id: four, as with the deployed server, written as 8 hex digits.
const ID: usize = 4;
/// Bytes of a room's token. (The deployed server's three can be guessed in a day.)
const TOKEN: usize = 16;
/// Ids that are tried before giving up: a taken one is as good as never drawn twice.
const DRAWS: usize = 8;

/// `POST /create-room`.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RoomCreated>, Fault> {
    let subject = subject(&app, bearer_or_bare(&headers)?).await?;
    may_create_room(&Caller { member: Some(&subject.member), ..Caller::default() })?;
    if !app.rooms.allows(address.ip, app.context.now()) {
        app.context.metrics.rate_limited.add();
        return Err(Fault::rate_limited());
    }
    let made = make(&app, subject.member, &body.json_or_default()?).await?;
    app.makers.remember(&made.room_id, address.ip);
    Ok(Json(made))
}

/// Makes a room for somebody who may have one.
pub(crate) async fn make(app: &App, owner: MemberId, asked: &CreateRoom) -> Result<RoomCreated, Fault> {
    let now = app.context.now();
    let terms = terms(asked).map_err(|error| Fault::validation("value_error", &["body"], error.to_string()))?;
    let room_id = free_id(app).await?;
    let record = RoomRecord {
        room_id: room_id.clone(),
        token: random_hex::<TOKEN>().map_err(|_| Fault::internal())?,
        created_by: owner.clone(),
        created_at: now,
        expires_at: terms.expires_at(now),
        name: terms.name,
        kind: terms.kind,
        ttl_ms: terms.ttl_ms,
        epoch: 0,
    };
    let membership = MembershipRecord { room_id, member: owner, role: MemberRole::Owner, joined_at: now };
    let changes = vec![Change::PutRoom(record.clone()), Change::PutMembership(membership)];
    app.context.store.apply(changes).await?;
    app.context.metrics.rooms_created.add();
    tracing::info!(room = %record.room_id, kind = ?record.kind, "room made");
    let RoomRecord { room_id, token, name, expires_at, .. } = record;
    let server = app.context.config.public_url.clone();
    Ok(RoomCreated { room_id, token, name, expires_at: expires_at.map(Time::unix_seconds), server })
}

async fn free_id(app: &App) -> Result<RoomId, Fault> {
    for _ in 0..DRAWS {
        let text = random_hex::<ID>().map_err(|_| Fault::internal())?;
        let id = RoomId::new(&text).map_err(|_| Fault::internal())?;
        if app.registry.record(&id).await?.is_none() {
            return Ok(id);
        }
    }
    Err(Fault::internal())
}

/// `POST /extend-room`.
pub(crate) async fn extend(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RoomExtended>, Fault> {
    let ExtendRoom { room_id } = body.json()?;
    let record = app.registry.record(&room_id).await?.ok_or_else(Fault::room_not_found)?;
    let shown = Shown::by(&app, &headers).await?;
    let caller = shown.caller(&app, &record, None, app.makers.is(&room_id, address)).await?;
    may_extend(&record, &caller)?;
    if record.expires_at.is_some_and(|at| at <= app.context.now()) {
        return Err(Fault::new(StatusCode::NOT_FOUND, Code::RoomExpired, "Room expired"));
    }
    match call(&app, &room_id, Call::Extend).await? {
        Answer::Extended { expires_at } => {
            Ok(Json(RoomExtended { room_id, expires_at: expires_at.map(Time::unix_seconds) }))
        }
        Answer::StoreUnavailable => Err(Fault::store_unavailable()),
        _ => Err(Fault::room_not_found()),
    }
}

/// Asks something of a room, loading it if need be.
pub(crate) async fn call(app: &App, room: &RoomId, call: Call) -> Result<Answer, Fault> {
    let cell = app.registry.open(room).await?.ok_or_else(Fault::room_not_found)?;
    cell.call(call).await.map_err(|Gone| Fault::room_not_found())
}
