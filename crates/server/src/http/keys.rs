//! Keys of an account: the secret ones that stand for it, and those of its computers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use sleap_rtc_wire::record::{ApiKeyKind, ApiKeyRecord, Change};
use sleap_rtc_wire::{ApiKey, KeyId, MemberId, PublicKey, Time, limits};

use super::accounts::{detach, device, full, new_key, not_found, put_device, shown_device};
use super::auth::Shown;
use super::body::Body;
use super::fault::Fault;
use super::status::iso;
use crate::app::App;

/// The longest time that a key may have, days.
const LONGEST: u32 = 3_650;
const DAY_MS: u64 = 86_400_000;

#[derive(Deserialize)]
pub(crate) struct NewKey {
    #[serde(default = "unnamed")]
    name: String,
    /// `None`: for ever.
    #[serde(default)]
    expires_in_days: Option<u32>,
}

fn unnamed() -> String {
    "unnamed".to_owned()
}

/// `POST /api/auth/account-keys`: the secret is told this once.
pub(crate) async fn create(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let account = shown.account()?;
    let NewKey { name, expires_in_days } = body.json()?;
    let now = app.context.now();
    let expires_at = expires_in_days.map(|days| end(days, now)).transpose()?;
    let (secret, key) = new_key(&account.member, &name, expires_at, now)?;
    let _alone = app.accounts.lock().await;
    if account_keys(&app, &account.member).await?.len() >= limits::API_KEYS {
        let text = format!("an account has at most {} keys, revoked ones included; delete one first", limits::API_KEYS);
        return Err(full(&text));
    }
    app.context.store.apply(vec![Change::PutApiKey(key.clone())]).await?;
    tracing::info!(account = %account.member, key = %key.id(), "key of an account made");
    Ok(Json(json!({
        "key_id": secret.reveal(),
        "id": key.id(),
        "name": key.name,
        "created_at": iso(key.created_at),
        "expires_at": key.expires_at.map(iso),
    })))
}

fn end(days: u32, now: Time) -> Result<Time, Fault> {
    if (1..=LONGEST).contains(&days) {
        return Ok(now.plus_ms(u64::from(days) * DAY_MS));
    }
    let text = format!("must be 1 to {LONGEST} days, or absent for a key without an end");
    Err(Fault::validation("value_error", &["body", "expires_in_days"], text))
}

/// `GET /api/auth/account-keys`: without the secrets.
pub(crate) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let keys = account_keys(&app, &shown.account()?.member).await?;
    let keys = keys.iter().map(|key| {
        json!({
            "key_id": key.id(),
            "name": key.name,
            "created_at": iso(key.created_at),
            "expires_at": key.expires_at.map(iso),
            "revoked_at": key.revoked_at.map(iso),
        })
    });
    Ok(Json(json!({"keys": keys.collect::<Vec<_>>()})))
}

async fn account_keys(app: &App, owner: &MemberId) -> Result<Vec<ApiKeyRecord>, Fault> {
    let mut keys = app.context.store.api_keys_of(owner).await?;
    keys.retain(|key| key.kind == ApiKeyKind::Account);
    Ok(keys)
}

/// `DELETE /api/auth/account-keys/{key_id}`: ends a key and all that it opened; a key that has ended already is forgotten.
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(named): Path<String>,
) -> Result<Json<Value>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let account = shown.account()?;
    let key = find(&app, &named).await?;
    let key = key.filter(|key| key.kind == ApiKeyKind::Account && key.owner == account.member);
    let mut key = key.ok_or_else(|| not_found("Account key not found"))?;
    let (change, status) = if key.revoked_at.is_some() {
        (Change::DeleteApiKey(key.hash), "deleted")
    } else {
        key.revoked_at = Some(app.context.now());
        (Change::PutApiKey(key.clone()), "revoked")
    };
    app.context.store.apply(vec![change]).await?;
    app.in_use.key_is_over(key.hash);
    tracing::info!(account = %account.member, key = %key.id(), status, "key of an account ended");
    Ok(Json(json!({"status": status})))
}

/// A key by its public name, or by itself.
pub(super) async fn find(app: &App, named: &str) -> Result<Option<ApiKeyRecord>, Fault> {
    let store = &app.context.store;
    if let Ok(key) = named.parse::<ApiKey>() {
        return Ok(store.api_key(&key).await?);
    }
    match KeyId::new(named) {
        Ok(id) => Ok(store.api_key_named(&id).await?),
        Err(_) => Ok(None),
    }
}

#[derive(Deserialize)]
pub(crate) struct NewPublicKey {
    public_key: PublicKey,
    #[serde(default)]
    device_name: Option<String>,
}

/// `POST /api/auth/public-keys`: a key that the account says to have. It is told to the workers of its rooms, and gives the account
/// nothing.
pub(crate) async fn add_public(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let NewPublicKey { public_key, device_name } = body.json()?;
    let device = device(shown.account()?, public_key, device_name, false, app.context.now())?;
    let device = put_device(&app, device).await?;
    serde_json::to_value(shown_device(&device)).map(Json).map_err(|_| Fault::internal())
}

/// `GET /api/auth/public-keys`.
pub(crate) async fn list_public(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let devices = app.context.store.device_keys_of(&shown.account()?.member).await?;
    Ok(Json(json!({"public_keys": devices.iter().map(shown_device).collect::<Vec<_>>()})))
}

/// `DELETE /api/auth/public-keys/{key_id}`.
pub(crate) async fn remove_public(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(named): Path<String>,
) -> Result<Json<Value>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let account = shown.account()?;
    let devices = app.context.store.device_keys_of(&account.member).await?;
    let device = devices.iter().find(|one| one.key_id.as_str() == named);
    let device = device.ok_or_else(|| not_found("Public key not found"))?;
    detach(&app, device).await?;
    tracing::info!(account = %account.member, key = %device.key_id, "key of a computer removed");
    Ok(Json(json!({"status": "removed"})))
}
