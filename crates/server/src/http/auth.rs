//! Who calls.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use sleap_rtc_access::{Caller, KeyFault, Person, Power, check_key};
use sleap_rtc_identity::{IdentityError, Subject};
use sleap_rtc_room::Room;
use sleap_rtc_wire::record::{AccountRecord, ApiKeyKind, ApiKeyRecord, RoomRecord};
use sleap_rtc_wire::{API_KEY, ApiKey, Code};

use super::fault::Fault;
use crate::app::App;
use crate::persons;

/// The credential of the `Authorization` header, as it stands there. A missing header is a fault of form, as with the
/// deployed server.
fn authorization(headers: &HeaderMap) -> Result<&str, Fault> {
    let header = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| Fault::validation("missing", &["header", "authorization"], "Field required"))?;
    header.to_str().map_err(|_| Fault::unauthorized("Invalid authorization header"))
}

/// The Bearer credential. The prefix must be there, in this very case.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Fault> {
    authorization(headers)?.strip_prefix("Bearer ").ok_or_else(|| Fault::unauthorized("Invalid authorization header"))
}

/// The credential of `/create-room`, where a bare token does as well.
pub(crate) fn bearer_or_bare(headers: &HeaderMap) -> Result<&str, Fault> {
    authorization(headers).map(|text| text.strip_prefix("Bearer ").unwrap_or(text))
}

/// A credential that is good.
pub(crate) enum Credential {
    /// An id token, an account's token or an account's key.
    Person(Box<Person>),
    /// The key of a room's worker: for `register`, and little else.
    Worker(ApiKeyRecord),
}

/// Whose credential it is. Refused with 401 only where it is really bad: deployed programs throw theirs away on that.
pub(crate) async fn credential(app: &App, shown: &str) -> Result<Credential, Fault> {
    let store = &*app.context.store;
    if !shown.starts_with(API_KEY) {
        let subject = subject(app, shown).await?;
        let person = persons::of_subject(store, subject).await?;
        let person = person.ok_or_else(|| not_verified(&IdentityError::Forgotten))?;
        return Ok(Credential::Person(Box::new(person)));
    }
    let key = api_key(app, shown).await?;
    if key.kind != ApiKeyKind::Account {
        return Ok(Credential::Worker(key));
    }
    let account = store.account(&key.owner).await?;
    let account = account.ok_or_else(|| Fault::unauthorized(KeyFault::Unknown.of_account()))?;
    Ok(Credential::Person(Box::new(persons::of_account(store, account).await?)))
}

/// The record of a key, if it is good.
async fn api_key(app: &App, shown: &str) -> Result<ApiKeyRecord, Fault> {
    let of_account = shown.starts_with(sleap_rtc_wire::ACCOUNT_KEY);
    let record = match shown.parse::<ApiKey>() {
        Ok(key) => app.context.store.api_key(&key).await?,
        Err(_) => None,
    };
    check_key(record.as_ref(), of_account, app.context.now())
        .map_err(|fault| Fault::unauthorized(if of_account { fault.of_account() } else { fault.of_worker() }))?;
    record.ok_or_else(Fault::internal)
}

/// Who shows this credential, which must be a person's.
pub(crate) async fn person(app: &App, shown: &str) -> Result<Box<Person>, Fault> {
    match credential(app, shown).await? {
        Credential::Person(person) => Ok(person),
        Credential::Worker(_) => Err(forbidden("the key of a worker is good for registering it, and nothing else")),
    }
}

/// Whose id token it is.
pub(crate) async fn subject(app: &App, id_token: &str) -> Result<Subject, Fault> {
    app.context
        .identity
        .verify(id_token, app.context.now())
        .await
        .map_err(|error| if error.is_transient() { error.into() } else { not_verified(&error) })
}

/// In the words of the deployed server.
pub(crate) fn not_verified(error: &IdentityError) -> Fault {
    Fault::unauthorized(format!("Token verification failed: {error}"))
}

/// Whether the caller shows the operator's secret.
pub(crate) fn is_operator(app: &App, headers: &HeaderMap) -> bool {
    // Hashed first, so that the time of comparing tells nothing about the secret.
    bearer(headers).is_ok_and(|shown| blake3::hash(shown.as_bytes()) == blake3::hash(app.admin_secret.as_bytes()))
}

/// What a caller shows of itself.
pub(crate) struct Shown {
    person: Option<Box<Person>>,
    power: Power,
}

impl Shown {
    /// Somebody without a duty to sign in.
    pub(crate) async fn by(app: &Arc<App>, headers: &HeaderMap) -> Result<Self, Fault> {
        let operator = is_operator(app, headers);
        let person = match bearer(headers) {
            Ok(shown) if !operator => match credential(app, shown).await {
                Ok(Credential::Person(person)) => Some(person),
                // As good as none: the address or the room's token may still do.
                Ok(Credential::Worker(_)) => None,
                Err(fault) if fault.is_unauthorized() => None,
                Err(fault) => return Err(fault),
            },
            _ => None,
        };
        let power = match (operator, app.context.config.open_deletes) {
            (true, _) => Power::Operator,
            (false, true) => Power::OpenDeletes,
            (false, false) => Power::None,
        };
        Ok(Self { person, power })
    }

    /// Somebody who must say who it is: the operator, or a person by a credential that is good.
    pub(crate) async fn by_name(app: &App, headers: &HeaderMap) -> Result<Self, Fault> {
        let shown = bearer(headers)?;
        if is_operator(app, headers) {
            return Ok(Self { person: None, power: Power::Operator });
        }
        Ok(Self { person: Some(person(app, shown).await?), power: Power::None })
    }

    /// Who it is: not the operator, who is nobody in particular.
    pub(crate) fn person(&self) -> Result<&Person, Fault> {
        self.person.as_deref().ok_or_else(|| forbidden("the operator's secret names nobody; sign in as somebody"))
    }

    /// The account of whoever it is.
    pub(crate) fn account(&self) -> Result<&AccountRecord, Fault> {
        let account = self.person()?.account();
        account.ok_or_else(|| forbidden("this needs an account; make one with sleap-rtc account create NAME"))
    }

    /// Who it is, if that is known.
    pub(crate) fn known(&self) -> Option<&Person> {
        self.person.as_deref()
    }

    /// What it may do whoever it is.
    pub(crate) fn power(&self) -> Power {
        self.power
    }

    /// The caller of something about this room.
    pub(crate) async fn caller<'a>(
        &'a self,
        app: &App,
        room: &RoomRecord,
        token: Option<&'a str>,
        same_address: bool,
    ) -> Result<Caller<'a>, Fault> {
        let person = self.known();
        let belongs = match person {
            Some(person) => belongs(app, room, person).await?,
            None => false,
        };
        Ok(Caller { person, belongs, token, same_address, power: self.power })
    }
}

fn forbidden(text: &str) -> Fault {
    Fault::new(StatusCode::FORBIDDEN, Code::Forbidden, text)
}

/// By a stored membership under any of its names, or connected now: an anonymous identity has no membership.
pub(crate) async fn belongs(app: &App, room: &RoomRecord, person: &Person) -> Result<bool, Fault> {
    let live = app.registry.live(&room.room_id);
    let is_there = |room: &Room| person.members().any(|member| room.has_member(member));
    if live.and_then(|cell| cell.look(is_there)) == Some(true) {
        return Ok(true);
    }
    Ok(persons::belong(&*app.context.store, &room.room_id, person).await?)
}
