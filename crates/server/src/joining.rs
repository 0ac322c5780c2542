//! From a `register` frame to a seat in a room.

use std::net::IpAddr;
use std::sync::Arc;

use sleap_rtc_access::{Admitted, Bearer, Credential, KeyFault, Person, Refusal, admit, check_key, room_of};
use sleap_rtc_identity::IdentityError;
use sleap_rtc_room::Admission;
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::record::{ApiKeyRecord, IdentityKind, RoomRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{ApiKey, CLAIMS, Code, ConnId, ErrorFrame, FromPeer, RoomId};

use crate::app::App;
use crate::effects::Seated;
use crate::forgetting::Staying;
use crate::in_use::Using;
use crate::outbox::Outbox;
use crate::persons;
use crate::room_cell::RoomCell;

/// A room may be removed or unloaded between finding and entering it; then it is looked up again.
const TRIES: usize = 3;

/// To an address that has guessed at secrets too often.
const TOO_MANY_GUESSES: &str = "too many wrong credentials from this address, try again in a minute";

/// A connection's place in a room. Dropping it tells the room, once, that the connection is gone; but not when the server ends:
/// then nobody has left, and who comes back in time finds its room as it was.
pub(crate) struct Seat {
    app: Arc<App>,
    cell: Arc<RoomCell>,
    conn: ConnId,
    /// What it showed to get here.
    using: Option<Using>,
}

impl Seat {
    /// Hands on a frame.
    pub(crate) fn frame(&self, frame: FromPeer) {
        self.cell.frame(self.conn, frame);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.app.is_closing() {
            self.cell.leave(self.conn);
        }
    }
}

/// Who knocks.
pub(crate) struct Knocker<'a> {
    pub(crate) app: &'a Arc<App>,
    pub(crate) conn: ConnId,
    pub(crate) outbox: &'a Arc<Outbox>,
    /// For the log.
    pub(crate) from: IpAddr,
    /// The address, if it is known for sure.
    pub(crate) address: Option<IpAddr>,
    /// By which host it knows the server.
    pub(crate) dialled: Option<&'a str>,
}

/// Somebody who was found out by what it shows.
enum Held {
    AccountKey(Person, ApiKeyRecord),
    Worker(ApiKeyRecord),
    Jwt(Person),
    IdToken(Option<Person>),
}

impl Held {
    fn bearer(&self) -> Bearer<'_> {
        match self {
            Self::AccountKey(person, _) => Bearer::AccountKey(person),
            Self::Worker(key) => Bearer::Worker(key),
            Self::Jwt(person) => Bearer::Jwt(person),
            Self::IdToken(person) => Bearer::IdToken(person.as_ref()),
        }
    }

    fn key(&self) -> Option<&ApiKeyRecord> {
        match self {
            Self::AccountKey(_, key) | Self::Worker(key) => Some(key),
            Self::Jwt(_) | Self::IdToken(_) => None,
        }
    }
}

/// Why nobody comes in.
enum Failed {
    Refused(Refusal),
    /// The store did not answer, with what the peer is told.
    Store(StoreError, &'static str),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The store did not answer while a key of ours or an anonymous identity was on its way in.
const NOT_REGISTERED: &str = "the store did not answer, you are not registered";

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error, NOT_REGISTERED)
    }
}

/// Of all that a `register` shows, so that a program which shows the same over and over is told from one that guesses.
fn fingerprint(register: &Register) -> blake3::Hash {
    let Register { api_key, jwt, id_token, room_id, token, .. } = register;
    let texts = [
        api_key.as_deref(),
        jwt.as_deref(),
        id_token.as_deref(),
        room_id.as_ref().map(RoomId::as_str),
        token.as_deref(),
    ];
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(text.unwrap_or_default().as_bytes()).update(&[0]);
    }
    hasher.finalize()
}

impl Knocker<'_> {
    /// Lets the connection into the room that it names, if `access` agrees; the room answers then. `seat` is where it was
    /// before: it stays there unless it is taken in.
    pub(crate) async fn register(&self, register: Box<Register>, seat: &mut Option<Seat>) -> Result<(), ErrorFrame> {
        let now = self.app.context.now();
        if !self.app.guesses.may_try(self.from, now) {
            self.app.context.metrics.rate_limited.add();
            return Err(ErrorFrame::new(Code::RateLimited, TOO_MANY_GUESSES));
        }
        let shown = fingerprint(&register);
        self.let_in(register, seat).await.map_err(|failed| self.told(failed, &shown))
    }

    fn told(&self, failed: Failed, shown: &blake3::Hash) -> ErrorFrame {
        match failed {
            Failed::Refused(refusal) => {
                tracing::debug!(%refusal, address = %self.from, "a registration was refused");
                if refusal.is_of_a_guess() {
                    self.app.guesses.failed(self.from, Some(shown.as_bytes()), self.app.context.now());
                }
                refusal.frame()
            }
            Failed::Store(error, text) => {
                self.app.context.store_failed("register a peer", &error);
                ErrorFrame::new(Code::StoreUnavailable, text)
            }
        }
    }

    async fn let_in(&self, mut register: Box<Register>, seat: &mut Option<Seat>) -> Result<(), Failed> {
        let (held, using) = self.found(&register).await?;
        let (held, _stays) =
            self.staying(&held).await?.map_or((&Held::IdToken(None), None), |stays| (&held, Some(stays)));
        let (room, person) = (room_of(held.bearer(), &register)?, held.bearer().person());
        // Told before the membership is looked up: one that ends meanwhile is either seen ended, or closes this connection.
        using.is_in(&room, person, held.key());
        let (record, admitted) = self.admit(held.bearer(), &room, &register).await?;
        let anonymous = person.is_some_and(|person| person.kind() == IdentityKind::Anonymous);
        let claims = register.features.iter().any(|feature| feature == CLAIMS);
        let seated = Seated { outbox: self.outbox.clone(), anonymous, claims, address: self.address };
        let ice_servers = crate::ice::servers(&self.app.context.config, self.dialled, !claims);
        let Admitted { member, key, fallback_peer_id } = admitted;
        let admission = Admission { member, key, fallback_peer_id, ice_servers };
        // What the peer showed goes no further, and its room is the one that its key was made for.
        (register.api_key, register.jwt, register.id_token) = (None, None, None);
        register.room_id = Some(record.room_id.clone());
        self.enter(&record.room_id, &seated, &admission, &register, using, seat).await
    }

    async fn enter(
        &self,
        room: &RoomId,
        seated: &Seated,
        admission: &Admission,
        register: &Register,
        using: Using,
        seat: &mut Option<Seat>,
    ) -> Result<(), Failed> {
        for _ in 0..TRIES {
            let Some(cell) = self.app.registry.open(room).await? else { break };
            let is_here = seat.as_ref().is_some_and(|seat| Arc::ptr_eq(&seat.cell, &cell));
            let _held = (seat.is_some() && !is_here).then(|| self.outbox.hold());
            let register = Box::new(register.clone());
            let Ok(taken_in) = cell.register(self.conn, seated.clone(), admission.clone(), register) else {
                continue;
            };
            let (app, conn) = (self.app.clone(), self.conn);
            // Whoever gives up from here on leaves this room, and not the one before.
            let mut new = (!is_here).then(|| Seat { app, cell, conn, using: None });
            if taken_in.await == Ok(true) {
                if new.is_some() {
                    *seat = new.take();
                }
                if let Some(seat) = seat {
                    seat.using = Some(using);
                }
            }
            return Ok(());
        }
        Err(Refusal::RoomNotFound.into())
    }

    /// Whose credential it is, and that it is in use from now on.
    async fn found(&self, register: &Register) -> Result<(Held, Using), Failed> {
        let in_use = &self.app.in_use;
        let unkeyed = || in_use.begin(self.conn, self.outbox, None);
        match Credential::of(register).ok_or(Refusal::NoCredential)? {
            Credential::AccountKey(text) => {
                let (key, using) = self.key(text, true).await?;
                let person = self.person_of(&key).await?;
                Ok((Held::AccountKey(person, key), using))
            }
            Credential::WorkerKey(text) => {
                let (key, using) = self.key(text, false).await?;
                Ok((Held::Worker(key), using))
            }
            Credential::Jwt(text) => Ok((Held::Jwt(self.account(text).await?), unkeyed())),
            Credential::IdToken(text) => Ok((Held::IdToken(self.subject(text).await?), unkeyed())),
        }
    }

    async fn key(&self, text: &str, of_account: bool) -> Result<(ApiKeyRecord, Using), Failed> {
        let refused = |fault| if of_account { Refusal::AccountKey(fault) } else { Refusal::WorkerKey(fault) };
        let failed = if of_account { "Account key lookup failed" } else { "API key validation failed" };
        let key: ApiKey = text.parse().map_err(|_| refused(KeyFault::Unknown))?;
        let using = self.app.in_use.begin(self.conn, self.outbox, Some(key.hash()));
        let record = self.app.context.store.api_key(&key).await.map_err(|error| Failed::Store(error, failed))?;
        check_key(record.as_ref(), of_account, self.app.context.now()).map_err(refused)?;
        let record = record.ok_or_else(|| refused(KeyFault::Unknown))?;
        Ok((record, using))
    }

    async fn person_of(&self, key: &ApiKeyRecord) -> Result<Person, Failed> {
        let failed = |error| Failed::Store(error, "Account key validation failed");
        let store = &*self.app.context.store;
        let account = store.account(&key.owner).await.map_err(failed)?;
        let account = account.ok_or(Refusal::AccountKey(KeyFault::Unknown))?;
        persons::of_account(store, account).await.map_err(failed)
    }

    /// Whose token of an account it is.
    async fn account(&self, jwt: &str) -> Result<Person, Failed> {
        let failed = |error| Failed::Store(error, "JWT validation failed");
        let bad = |error: IdentityError| match error {
            IdentityError::Store(error) => failed(error),
            error => Refusal::Jwt(error.to_string()).into(),
        };
        let subject = self.app.context.identity.verify(jwt, self.app.context.now()).await.map_err(bad)?;
        let person = persons::of_subject(&*self.app.context.store, subject).await.map_err(failed)?;
        // The token of a computer's key is as good as its account's: it shows the same person.
        let person = person.filter(|person| person.account().is_some());
        person.ok_or_else(|| Refusal::Jwt("not an account's".to_owned()).into())
    }

    /// Whose id token it is; `None` if it is not good.
    async fn subject(&self, id_token: &str) -> Result<Option<Person>, Failed> {
        match self.app.context.identity.verify(id_token, self.app.context.now()).await {
            Ok(subject) => Ok(persons::of_subject(&*self.app.context.store, subject).await?),
            Err(IdentityError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::debug!(%error, address = %self.from, "an id token was refused");
                Ok(None)
            }
        }
    }

    /// Sees to it that an anonymous identity is not forgotten meanwhile; `None`: it was.
    async fn staying<'a>(&'a self, held: &'a Held) -> Result<Option<Option<Staying<'a>>>, StoreError> {
        match held.bearer().person() {
            Some(person) => Ok(Staying::of(self.app, person).await?.map(Some)),
            None => Ok(Some(None)),
        }
    }

    async fn admit(
        &self,
        bearer: Bearer<'_>,
        room: &RoomId,
        register: &Register,
    ) -> Result<(RoomRecord, Admitted), Failed> {
        let store = &*self.app.context.store;
        let record = self.app.registry.record(room).await?;
        let belongs = match bearer.person() {
            // An anonymous identity has the room's password or nothing.
            Some(person) if person.kind() != IdentityKind::Anonymous => persons::belong(store, room, person).await?,
            _ => false,
        };
        let suffix = getrandom::u32().map_or(0, |random| random as u16);
        let now = self.app.context.now();
        let admitted = admit(bearer, record.as_ref(), belongs, register, suffix, now)?;
        Ok((record.ok_or(Refusal::RoomNotFound)?, admitted))
    }
}
