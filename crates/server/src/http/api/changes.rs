//! What the owner of a room changes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sleap_rtc_access::{RoomDeed, terms};
use sleap_rtc_room::{Answer, Call};
use sleap_rtc_wire::Code;
use sleap_rtc_wire::http::CreateRoom;
use sleap_rtc_wire::record::{Mesh, Switches};

use super::fields::{Fields, required};
use super::standing::{Standing, in_force};
use crate::app::App;
use crate::http::body::Body;
use crate::http::fault::Fault;
use crate::http::rooms::call;

/// `PATCH /api/auth/rooms/{room_id}`: `name`, `mesh` (`off` or `reference`), `strict_offers`; at least one of them.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(room): Path<String>,
    body: Body,
) -> Result<Json<Value>, Fault> {
    let Standing { room, .. } = Standing::of(&app, &headers, &room, RoomDeed::Change).await?;
    let fields = Fields::of(&body)?;
    let name = fields.text("name")?;
    let mesh = fields.value::<Mesh>("mesh", "'off' or 'reference'")?;
    let strict_offers = fields.value::<bool>("strict_offers", "a valid boolean")?;
    if let Some(name) = &name {
        let asked = CreateRoom { name: Some(name.clone()), ttl: None };
        terms(&asked).map_err(|error| Fault::validation("value_error", &["body", "name"], error.to_string()))?;
    }
    let switches = (mesh.is_some() || strict_offers.is_some()).then(|| Switches {
        mesh: mesh.unwrap_or(room.switches.mesh),
        strict_offers: strict_offers.unwrap_or(room.switches.strict_offers),
    });
    if name.is_none() && switches.is_none() {
        return Err(required("name"));
    }
    match call(&app, &room.room_id, Call::Change { name, switches }).await? {
        Answer::Changed => {}
        Answer::StoreUnavailable => return Err(Fault::store_unavailable()),
        Answer::Unsupported => {
            return Err(Fault::new(StatusCode::CONFLICT, Code::Unsupported, "this cannot be changed"));
        }
        _ => return Err(Fault::room_not_found()),
    }
    let room = in_force(&app, &room.room_id).await?.ok_or_else(Fault::room_not_found)?;
    Ok(Json(json!({
        "room_id": room.room_id,
        "name": room.name,
        "mesh": room.switches.mesh,
        "strict_offers": room.switches.strict_offers,
    })))
}
