//! Making rooms, seeing them, deleting them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sleap_rtc_access::{ROOM_DAYS, RoomDeed};
use sleap_rtc_wire::Time;
use sleap_rtc_wire::http::CreateRoom;
use sleap_rtc_wire::record::{MemberRole, MembershipRecord, RoomRecord};

use super::fields::Fields;
use super::people;
use super::query::{Asked, Direction};
use super::standing::{Standing, caller, in_force, lasting_name};
use crate::app::App;
use crate::http::address::Address;
use crate::http::body::Body;
use crate::http::delete;
use crate::http::fault::Fault;
use crate::http::rooms::{Chosen, make, may_own_another};
use crate::http::status::iso;
use crate::persons;

/// `POST /api/auth/rooms`: a named room, which stays when it is empty.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Fault> {
    let person = caller(&app, &headers).await?;
    let fields = Fields::of_optional(&body)?;
    let ttl = match fields.days(&["expires_in_days"], ROOM_DAYS)? {
        Some(ms) => json!(ms / 1000),
        None => json!("never"),
    };
    let terms = CreateRoom { name: fields.text("name")?, ttl: Some(ttl) };
    if !app.rooms.allows(address.ip, app.context.now()) {
        app.context.metrics.rate_limited.add();
        return Err(Fault::rate_limited());
    }
    may_own_another(&app, &person).await?;
    let made = make(&app, lasting_name(&person), &terms, Chosen::default()).await?;
    Ok(Json(json!({
        "room_id": made.room_id,
        "room_token": made.token,
        "name": made.name,
        "expires_at": made.expires_at,
    })))
}

#[derive(Clone, Copy)]
enum By {
    Name,
    JoinedAt,
    ExpiresAt,
    Role,
}

const ROLES: [(&str, MemberRole); 2] = [("owner", MemberRole::Owner), ("member", MemberRole::Member)];
const ORDERS: [(&str, By); 4] =
    [("name", By::Name), ("joined_at", By::JoinedAt), ("expires_at", By::ExpiresAt), ("role", By::Role)];

/// `GET /api/auth/rooms`.
pub(crate) async fn list(State(app): State<Arc<App>>, headers: HeaderMap, asked: Asked) -> Result<Json<Value>, Fault> {
    let person = caller(&app, &headers).await?;
    let only = asked.choice("role", &ROLES)?;
    let by = asked.choice("sort_by", &ORDERS)?.unwrap_or(By::JoinedAt);
    let direction = asked.direction()?;
    let search = asked.text("search").map(str::to_lowercase).unwrap_or_default();
    let mut rooms = Vec::new();
    for one in persons::memberships(&*app.context.store, &person).await? {
        let Some(room) = in_force(&app, &one.room_id).await? else { continue };
        let is_found = room.name.as_deref().unwrap_or_default().to_lowercase().contains(&search);
        if is_found && only.is_none_or(|role| role == one.role) {
            rooms.push((room, one));
        }
    }
    rooms.sort_by(|a, b| compare(by, direction, a, b));
    let rooms: Vec<Value> = rooms.iter().map(|(room, one)| entry(room, one)).collect();
    Ok(Json(json!({"rooms": rooms})))
}

type Mine = (RoomRecord, MembershipRecord);

fn compare(by: By, direction: Direction, (room_a, a): &Mine, (room_b, b): &Mine) -> std::cmp::Ordering {
    match by {
        By::Name => {
            let key = |room: &RoomRecord| room.name.as_deref().map(str::to_lowercase);
            direction.compare(key(room_a), key(room_b))
        }
        By::JoinedAt => direction.compare(Some(a.joined_at), Some(b.joined_at)),
        By::ExpiresAt => direction.compare(room_a.expires_at, room_b.expires_at),
        // By their words: member, owner.
        By::Role => direction.compare(Some(a.role == MemberRole::Owner), Some(b.role == MemberRole::Owner)),
    }
}

fn entry(room: &RoomRecord, one: &MembershipRecord) -> Value {
    json!({
        "room_id": room.room_id,
        "name": room.name,
        "expires_at": room.expires_at.map(Time::unix_seconds),
        "role": one.role,
        "joined_at": iso(one.joined_at),
    })
}

/// `GET /api/auth/rooms/{room_id}`: its password and its members for its owner only.
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
) -> Result<Json<Value>, Fault> {
    let Standing { person, room, role } = Standing::of(&app, &headers, &room, RoomDeed::See).await?;
    let people = people::of_room(&app, &room.room_id).await?;
    let own = people.iter().find(|one| person.is(&one.user_id())).map(people::Belonging::shown);
    let mut shown = json!({
        "room_id": room.room_id,
        "name": room.name,
        "role": role,
        "joined_at": own.map_or(Value::Null, |own| own["joined_at"].clone()),
        "expires_at": room.expires_at.map(Time::unix_seconds),
        "mesh": room.switches.mesh,
        "strict_offers": room.switches.strict_offers,
    });
    if role == MemberRole::Owner {
        shown["token"] = json!(room.token);
        shown["members"] = people.iter().map(people::Belonging::shown).collect();
    }
    Ok(Json(shown))
}

/// `DELETE /api/auth/rooms/{room_id}`: with everybody in it.
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
) -> Result<Json<Value>, Fault> {
    let Standing { room, .. } = Standing::of(&app, &headers, &room, RoomDeed::Delete).await?;
    // One that went meanwhile is deleted too.
    let _ = delete::delete_room(&app, &room.room_id).await?;
    Ok(Json(json!({"status": "deleted", "room_id": room.room_id})))
}
