//! Tokens of workers: each is good for being a worker of one room.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sleap_rtc_access::{
    Person, RoomDeed, TOKEN_DAYS, TokenDenied, may_delete_token, may_make_token, may_manage_token, worker_token,
};
use sleap_rtc_wire::record::{ApiKeyKind, ApiKeyRecord, Change, MemberRole};
use sleap_rtc_wire::{ApiKey, KeyHash, MemberId, RoomId};

use super::fields::Fields;
use super::query::Asked;
use super::standing::{Standing, caller, expel, in_force, lasting_name, role};
use super::workers;
use crate::app::App;
use crate::http::body::Body;
use crate::http::fault::Fault;
use crate::http::keys;
use crate::http::status::iso;
use crate::persons;

/// `POST /api/auth/token`: the secret is told this once.
pub(crate) async fn create(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Fault> {
    let person = caller(&app, &headers).await?;
    let fields = Fields::of(&body)?;
    let room = fields.needed_room("room_id")?;
    let name = fields.needed_label("worker_name")?;
    let ms = fields.days(&["expires_in_days", "expires_days"], TOKEN_DAYS)?;
    let room = room.ok_or(sleap_rtc_access::RoomDenied::NoTokens)?;
    Standing::of(&app, &headers, room.as_str(), RoomDeed::MakeToken).await?;
    let now = app.context.now();
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|_| Fault::internal())?;
    let secret = ApiKey::of_worker(random);
    let token = ApiKeyRecord {
        hash: secret.hash(),
        kind: ApiKeyKind::Worker(room.clone()),
        owner: lasting_name(&person),
        name,
        created_at: now,
        expires_at: ms.map(|ms| now.plus_ms(ms)),
        revoked_at: None,
    };
    let _alone = app.accounts.lock().await;
    // Looked at again: it may have been removed meanwhile, with the tokens that it had.
    Standing::of(&app, &headers, room.as_str(), RoomDeed::MakeToken).await?;
    may_make_token(app.context.store.api_keys_for(&room).await?.len())?;
    app.context.store.apply(vec![Change::PutApiKey(token.clone())]).await?;
    tracing::info!(%room, token = %token.id(), by = %token.owner, "worker token made");
    Ok(Json(json!({
        "token_id": secret.reveal(),
        "id": token.id(),
        "room_id": room,
        "worker_name": token.name,
        "expires_at": token.expires_at.map(iso),
    })))
}

/// A token that somebody may manage.
struct Managed {
    token: ApiKeyRecord,
    room: RoomId,
    person: Person,
    role: Option<MemberRole>,
}

/// The token of this name, or that is this, if the caller may manage it.
async fn managed(app: &App, headers: &HeaderMap, named: &str) -> Result<Managed, Fault> {
    let person = caller(app, headers).await?;
    let (token, room) = worker_token(keys::find(app, named).await?)?;
    let role = match in_force(app, &room).await? {
        Some(record) => role(app, &record, &person).await?,
        None => None,
    };
    may_manage_token(&token, &person, role)?;
    Ok(Managed { token, room, person, role })
}

/// As whom a worker with this token is in its room.
pub(super) fn member_of(token: &ApiKeyRecord) -> Option<MemberId> {
    MemberId::new(token.id().as_str()).ok()
}

/// `DELETE /api/auth/token/{token_id}`: it is good no more, and who came in by it goes.
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(named): Path<String>,
) -> Result<Json<Value>, Fault> {
    let Managed { mut token, room, person, .. } = managed(&app, &headers, &named).await?;
    if token.revoked_at.is_none() {
        token.revoked_at = Some(app.context.now());
        app.context.store.apply(vec![Change::PutApiKey(token.clone())]).await?;
    }
    app.in_use.key_is_over(token.hash);
    let gone = expel(&app, &room, member_of(&token).into_iter().collect()).await;
    if gone.is_err() {
        // Its connections are closed in any case; what they held ends by its time.
        tracing::warn!(%room, token = %token.id(), "a revoked token's worker is still expected in its room");
    }
    tracing::info!(%room, token = %token.id(), by = %person.member(), "worker token revoked");
    Ok(Json(json!({"revoked": true, "token_id": token.id()})))
}

/// `DELETE /api/auth/tokens/{token_id}`: one that was revoked, or whose time is over.
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(named): Path<String>,
) -> Result<Json<Value>, Fault> {
    let Managed { token, person, role, .. } = managed(&app, &headers, &named).await?;
    may_delete_token(&token, &person, role, app.context.now())?;
    app.context.store.apply(vec![Change::DeleteApiKey(token.hash)]).await?;
    app.in_use.key_is_over(token.hash);
    Ok(Json(json!({"deleted": token.id()})))
}

/// `DELETE /api/auth/tokens?room_id=`: all of these that the caller made, or that are of its rooms.
pub(crate) async fn remove_all(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Json<Value>, Fault> {
    let person = caller(&app, &headers).await?;
    let now = app.context.now();
    let store = &*app.context.store;
    let mut tokens: BTreeMap<KeyHash, ApiKeyRecord> = BTreeMap::new();
    let mut add = |found: Vec<ApiKeyRecord>| tokens.extend(found.into_iter().map(|token| (token.hash, token)));
    for token in of_person(&app, &person).await? {
        add(vec![token]);
    }
    for one in persons::memberships(store, &person).await? {
        if one.role == MemberRole::Owner {
            add(store.api_keys_for(&one.room_id).await?);
        }
    }
    tokens.retain(|_, token| {
        let is_there = asked.text("room_id").is_none_or(|room| is_of(token, room));
        is_there && token.kind != ApiKeyKind::Account && !token.is_active(now)
    });
    store.apply(tokens.keys().copied().map(Change::DeleteApiKey).collect()).await?;
    Ok(Json(json!({"deleted_count": tokens.len()})))
}

/// The tokens that a person made, under whichever of its names.
pub(super) async fn of_person(app: &App, person: &Person) -> Result<Vec<ApiKeyRecord>, Fault> {
    let mut tokens = Vec::new();
    for member in person.members() {
        tokens.extend(app.context.store.api_keys_of(member).await?);
    }
    tokens.retain(|token| token.kind != ApiKeyKind::Account);
    Ok(tokens)
}

/// Whether a token is of this room.
pub(super) fn is_of(token: &ApiKeyRecord, room: &str) -> bool {
    matches!(&token.kind, ApiKeyKind::Worker(of) if of.as_str() == room)
}

/// `GET /api/auth/tokens/{token_id}/workers`: who is connected by it.
pub(crate) async fn workers(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(named): Path<String>,
) -> Result<Json<Value>, Fault> {
    let Managed { token, room, .. } = managed(&app, &headers, &named).await?;
    let member = member_of(&token).ok_or(TokenDenied::NotFound)?;
    let workers: Vec<Value> = workers::here(&app, &room)
        .into_iter()
        .filter(|worker| worker.member == member)
        .map(|worker| json!({"peer_id": worker.id, "connected_at": iso(worker.connected_at)}))
        .collect();
    Ok(Json(json!({"count": workers.len(), "workers": workers})))
}
