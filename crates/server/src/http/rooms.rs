//! Making rooms, and moving their end on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use sleap_rtc_access::{Caller, Person, TermsError, chosen_token, may_create_room, may_extend, terms};
use sleap_rtc_identity::IdentityError;
use sleap_rtc_room::{Answer, Call};
use sleap_rtc_wire::http::{CreateRoom, ExtendRoom, RoomCreated, RoomExtended};
use sleap_rtc_wire::record::{MemberRole, RoomRecord, Switches};
use sleap_rtc_wire::{Code, MemberId, RoomId, Time};

use super::address::Address;
use super::auth::{Shown, bearer_or_bare, not_verified, person};
use super::body::Body;
use super::fault::Fault;
use super::guess;
use crate::app::App;
use crate::forgetting::Staying;
use crate::persons;
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
    let person = person(&app, bearer_or_bare(&headers)?).await?;
    may_create_room(&Caller { person: Some(&person), ..Caller::default() })?;
    if !app.rooms.allows(address.ip, app.context.now()) {
        app.context.metrics.rate_limited.add();
        return Err(Fault::rate_limited());
    }
    may_own_another(&app, &person).await?;
    // Whoever owns a room is not forgotten, so it must not be while it gets one.
    let stays = Staying::of(&app, &person).await?;
    if stays.is_none() {
        return Err(not_verified(&IdentityError::Forgotten));
    }
    let made = make(&app, person.member().clone(), &body.json_or_default()?, Chosen::default()).await?;
    app.makers.remember(made.room_id.clone(), address.own());
    Ok(Json(made))
}

/// Rooms are bounded a person. (Those of anonymous identities, which cost nothing to make, only a minute and address.)
pub(crate) async fn may_own_another(app: &App, person: &Person) -> Result<(), Fault> {
    let most = app.context.config.limits.rooms;
    let theirs = persons::memberships(&*app.context.store, person).await?;
    let owned = theirs.iter().filter(|one| one.role == MemberRole::Owner).count();
    if owned < most {
        return Ok(());
    }
    let text = format!("you own {owned} rooms, at most {most} are allowed; delete one first");
    Err(Fault::new(StatusCode::CONFLICT, Code::TooLarge, text))
}

/// What the operator may choose; what it does not choose is drawn.
#[derive(Default)]
pub(crate) struct Chosen {
    pub(crate) room_id: Option<RoomId>,
    pub(crate) token: Option<String>,
}

fn not_these_terms(error: &TermsError) -> Fault {
    Fault::validation("value_error", &["body"], error.to_string())
}

/// Makes a room for somebody who may have one.
pub(crate) async fn make(app: &App, owner: MemberId, asked: &CreateRoom, chosen: Chosen) -> Result<RoomCreated, Fault> {
    let now = app.context.now();
    let terms = terms(asked).map_err(|error| not_these_terms(&error))?;
    let token = match chosen.token {
        Some(token) => chosen_token(&token).map(|()| token).map_err(|error| not_these_terms(&error))?,
        None => random_hex::<TOKEN>().map_err(|_| Fault::internal())?,
    };
    let draws = if chosen.room_id.is_some() { 1 } else { DRAWS };
    for _ in 0..draws {
        let record = RoomRecord {
            room_id: chosen.room_id.clone().map_or_else(draw_id, Ok)?,
            token: token.clone(),
            created_by: owner.clone(),
            created_at: now,
            expires_at: terms.expires_at(now),
            name: terms.name.clone(),
            kind: terms.kind,
            ttl_ms: terms.ttl_ms,
            epoch: 0,
            switches: Switches::default(),
        };
        if app.registry.create(&record).await? {
            let RoomRecord { room_id, token, name, expires_at, .. } = record;
            let server = app.context.config.public_url.clone();
            return Ok(RoomCreated { room_id, token, name, expires_at: expires_at.map(Time::unix_seconds), server });
        }
    }
    match chosen.room_id {
        Some(id) => {
            Err(Fault::conflict(format!("there is a room {id} already; choose another id, or delete it first")))
        }
        None => Err(Fault::internal()),
    }
}

fn draw_id() -> Result<RoomId, Fault> {
    let text = random_hex::<ID>().map_err(|_| Fault::internal())?;
    RoomId::new(&text).map_err(|_| Fault::internal())
}

/// `POST /extend-room`.
pub(crate) async fn extend(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RoomExtended>, Fault> {
    let ExtendRoom { room_id, token } = body.json()?;
    guess::may_show(&app, address, token.as_deref())?;
    let record = app.registry.record(&room_id).await?.ok_or_else(Fault::room_not_found)?;
    let shown = Shown::by(&app, &headers).await?;
    let caller = shown.caller(&app, &record, token.as_deref(), app.makers.is(&room_id, address.own())).await?;
    may_extend(&record, &caller).inspect_err(|_| guess::was_wrong(&app, address, &room_id, token.as_deref()))?;
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
