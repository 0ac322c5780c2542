//! Accounts: names for people, and the computers that are theirs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sleap_rtc_access::{NameError, Person, label, username};
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::http::{Account, AccountSignedIn, AttachDevice, CreateAccount, Device, User};
use sleap_rtc_wire::record::{AccountRecord, ApiKeyKind, ApiKeyRecord, Change, DeviceKeyRecord, IdentityKind};
use sleap_rtc_wire::{ApiKey, Code, KeyId, MemberId, PublicKey, Time, limits};

use super::address::Address;
use super::auth::{Shown, person};
use super::body::Body;
use super::fault::Fault;
use super::page::{self, After};
use super::status::iso;
use super::{admin, sign_in};
use crate::app::App;
use crate::persons;
use crate::secret_file::random_hex;

/// Accounts on one page.
const PAGE: usize = 200;
/// Bytes of a local account's member id, behind `u_`, and of the public name of a computer's key.
const ID: usize = 8;
/// What a computer is called that does not say.
const UNNAMED: &str = "unnamed";

/// A person, as programs are told of them.
pub(super) fn user(account: &AccountRecord) -> User {
    User {
        id: account.member.clone(),
        user_id: account.member.clone(),
        username: account.username.clone(),
        avatar_url: account.avatar_url.clone(),
    }
}

/// A token of the account, with whom it names. `key`: one that was just made, which is told with it.
pub(super) async fn signed_in(
    app: &App,
    account: &AccountRecord,
    key: Option<&ApiKey>,
) -> Result<AccountSignedIn, Fault> {
    let token = app.context.identity.sign_in_account(account, None, app.context.now()).await?.id_token;
    Ok(told(account, token, key))
}

/// A token for one of the account's computers, which ends with its place in the account.
async fn computer_signed_in(app: &App, account: &AccountRecord, computer: PublicKey) -> Result<AccountSignedIn, Fault> {
    let token = app.context.identity.sign_in_account(account, Some(computer), app.context.now()).await?.id_token;
    Ok(told(account, token, None))
}

fn told(account: &AccountRecord, token: String, key: Option<&ApiKey>) -> AccountSignedIn {
    AccountSignedIn { token, user: user(account), account_key: key.map(|key| key.reveal().to_owned()) }
}

/// `POST /api/auth/account`: for the installation that signed in.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<AccountSignedIn>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let key = installation(shown.person()?)?;
    let CreateAccount { username, device_name } = body.json()?;
    counted(&app, address)?;
    let _alone = app.accounts.lock().await;
    // Looked at again: it may have asked twice at once.
    if let Some(account) = Shown::by_name(&app, &headers).await?.person()?.account() {
        return Err(Fault::conflict(format!("this computer belongs to the account {} already", account.username)));
    }
    let account = new_account(&app, local_id()?, &username, None)?;
    let device = device(&account, key, device_name, true, app.context.now())?;
    let changes = vec![Change::PutAccount(account.clone()), Change::PutDeviceKey(device)];
    app.context.store.apply(changes).await.map_err(not_made)?;
    tracing::info!(account = %account.member, "account made");
    Ok(Json(computer_signed_in(&app, &account, key).await?))
}

/// `POST /api/auth/key-login`: the account that has the installation's key proven.
pub(crate) async fn key_login(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
) -> Result<Json<AccountSignedIn>, Fault> {
    sign_in::counted(&app, address)?;
    let shown = Shown::by_name(&app, &headers).await?;
    let key = installation(shown.person()?)?;
    let account = shown.person()?.account().ok_or_else(|| not_found("this computer belongs to no account"))?;
    Ok(Json(computer_signed_in(&app, account, key).await?))
}

/// `POST /api/auth/device`: attaches an installation that shows its key.
pub(crate) async fn attach(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Device>, Fault> {
    sign_in::counted(&app, address)?;
    let shown = Shown::by_name(&app, &headers).await?;
    let account = shown.account()?;
    let AttachDevice { id_token, device_name } = body.json()?;
    // Never 401: that would say that the credential of the call itself is bad.
    let computer = person(&app, &id_token)
        .await
        .map_err(|fault| if fault.is_unauthorized() { fault.with_status(StatusCode::FORBIDDEN) } else { fault })?;
    let key = installation(&computer)?;
    let device = device(account, key, Some(device_name), true, app.context.now())?;
    Ok(Json(shown_device(&put_device(&app, device).await?)))
}

/// `GET /api/auth/account`.
pub(crate) async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Account>, Fault> {
    let shown = Shown::by_name(&app, &headers).await?;
    let account = shown.account()?;
    let devices = app.context.store.device_keys_of(&account.member).await?;
    Ok(Json(Account { user: user(account), devices: devices.iter().map(shown_device).collect() }))
}

/// `POST /admin/accounts`: for somebody else, who gets the account's key.
pub(crate) async fn create_for(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<AccountSignedIn>, Fault> {
    admin::operator_only(&app, &headers)?;
    let CreateAccount { username, .. } = body.json()?;
    let account = new_account(&app, local_id()?, &username, None)?;
    let (secret, key) = new_key(&account.member, "made by the operator", None, app.context.now())?;
    let changes = vec![Change::PutAccount(account.clone()), Change::PutApiKey(key)];
    app.context.store.apply(changes).await.map_err(not_made)?;
    tracing::info!(account = %account.member, "account made by the operator");
    Ok(Json(signed_in(&app, &account, Some(&secret)).await?))
}

/// `GET /admin/accounts?after=ID`: 200 a page, by id.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    After(after): After<MemberId>,
) -> Result<Json<Value>, Fault> {
    admin::operator_only(&app, &headers)?;
    let found = app.context.store.accounts(after.as_ref(), PAGE).await?;
    let next = page::next(found.last().map(|one| &one.member), found.len(), PAGE);
    let accounts = found.iter().map(|one| json!({"user": user(one), "created_at": iso(one.created_at)}));
    Ok(Json(json!({"accounts": accounts.collect::<Vec<_>>(), "next": next})))
}

/// The key of an installation that signed in by it: an account's own credentials make no accounts, and last no longer by being shown.
fn installation(person: &Person) -> Result<PublicKey, Fault> {
    let key = person.key().filter(|_| person.kind() == IdentityKind::Key);
    key.ok_or_else(|| forbidden("this needs the sign-in of a computer's own key"))
}

/// Counts a new account of this address.
fn counted(app: &App, address: Address) -> Result<(), Fault> {
    if app.new_accounts.allows(address.ip, app.context.now()) {
        return Ok(());
    }
    app.context.metrics.rate_limited.add();
    Err(Fault::rate_limited())
}

/// An account with a name that is a good one; whether it is taken, the store says.
pub(super) fn new_account(
    app: &App,
    member: MemberId,
    name: &str,
    avatar_url: Option<String>,
) -> Result<AccountRecord, Fault> {
    username(name).map_err(|error| bad_name(error, "username"))?;
    Ok(AccountRecord { member, username: name.to_owned(), avatar_url, created_at: app.context.now() })
}

fn local_id() -> Result<MemberId, Fault> {
    let id = random_hex::<ID>().map_err(|_| Fault::internal())?;
    MemberId::new(&format!("u_{id}")).map_err(|_| Fault::internal())
}

/// A key of an account: what its owner is told once, and what is remembered.
pub(super) fn new_key(
    owner: &MemberId,
    name: &str,
    expires_at: Option<Time>,
    now: Time,
) -> Result<(ApiKey, ApiKeyRecord), Fault> {
    label(name).map_err(|error| bad_name(error, "name"))?;
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|_| Fault::internal())?;
    let key = ApiKey::of_account(random);
    let record = ApiKeyRecord {
        hash: key.hash(),
        kind: ApiKeyKind::Account,
        owner: owner.clone(),
        name: name.to_owned(),
        created_at: now,
        expires_at,
        revoked_at: None,
    };
    Ok((key, record))
}

/// A computer's key as it is remembered.
pub(super) fn device(
    account: &AccountRecord,
    public_key: PublicKey,
    name: Option<String>,
    proven: bool,
    now: Time,
) -> Result<DeviceKeyRecord, Fault> {
    let device_name = name.unwrap_or_else(|| UNNAMED.to_owned());
    label(&device_name).map_err(|error| bad_name(error, "device_name"))?;
    let id = random_hex::<ID>().map_err(|_| Fault::internal())?;
    let key_id = KeyId::new(&format!("dev_{id}")).map_err(|_| Fault::internal())?;
    Ok(DeviceKeyRecord { key_id, account: account.member.clone(), public_key, device_name, registered_at: now, proven })
}

/// Writes it, if the account has room for it; what is in force then: its name for programs stays as it was at first. A computer that
/// shows its key leaves the account that it had.
pub(super) async fn put_device(app: &App, device: DeviceKeyRecord) -> Result<DeviceKeyRecord, Fault> {
    let store = &app.context.store;
    let _alone = app.accounts.lock().await;
    let known = store.device_keys_of(&device.account).await?;
    if known.len() >= limits::DEVICES && known.iter().all(|one| one.public_key != device.public_key) {
        return Err(full(&format!("an account has at most {} keys of computers; remove one first", limits::DEVICES)));
    }
    if device.proven
        && let Some(before) = store.device_key(&device.public_key).await?
        && before.account != device.account
    {
        detach(app, &before).await?;
    }
    store.apply(vec![Change::PutDeviceKey(device.clone())]).await?;
    let now = store.device_keys_of(&device.account).await?;
    now.into_iter().find(|one| one.public_key == device.public_key).ok_or_else(Fault::internal)
}

pub(super) fn shown_device(device: &DeviceKeyRecord) -> Device {
    Device {
        key_id: device.key_id.clone(),
        public_key: device.public_key,
        device_name: device.device_name.clone(),
        registered_at: iso(device.registered_at),
        proven: device.proven,
    }
}

/// Takes a computer from its account. What it had by the account ends with it: its memberships of the account's rooms, and its
/// connections there.
pub(super) async fn detach(app: &App, device: &DeviceKeyRecord) -> Result<(), Fault> {
    let store = &*app.context.store;
    let mut changes = vec![Change::DeleteDeviceKey(device.account.clone(), device.public_key)];
    let mut left = Vec::new();
    if device.proven {
        let key = device.public_key.member();
        let itself = Person::alone(key.clone(), IdentityKind::Key, Some(device.public_key), key.to_string());
        for one in persons::memberships(store, &persons::of_member(store, &device.account).await?).await? {
            let made_it = store.room(&one.room_id).await?.is_some_and(|room| itself.is(&room.created_by));
            if !made_it {
                changes.push(Change::DeleteMembership(one.room_id.clone(), key.clone()));
                left.push(one.room_id);
            }
        }
        store.apply(changes).await?;
        for room in left {
            app.in_use.computer_left_room(&room, device.public_key);
        }
        return Ok(());
    }
    store.apply(changes).await?;
    Ok(())
}

pub(super) fn full(text: &str) -> Fault {
    Fault::new(StatusCode::CONFLICT, Code::TooLarge, text)
}

pub(super) fn not_found(text: &str) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, Code::NotFound, text)
}

fn forbidden(text: &str) -> Fault {
    Fault::new(StatusCode::FORBIDDEN, Code::Forbidden, text)
}

pub(super) fn bad_name(error: NameError, field: &str) -> Fault {
    Fault::validation("value_error", &["body", field], error.to_string())
}

fn not_made(error: StoreError) -> Fault {
    match error {
        StoreError::NameTaken(name) => Fault::conflict(format!("the name {name} is taken")),
        error => error.into(),
    }
}
