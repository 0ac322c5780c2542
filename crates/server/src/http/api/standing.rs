//! Who calls, and what that person is in the room that the call is about.

use axum::http::HeaderMap;
use sleap_rtc_access::{Person, RoomDeed, may_do, may_own, role_in};
use sleap_rtc_room::{Call, Room};
use sleap_rtc_wire::record::{MemberRole, RoomRecord};
use sleap_rtc_wire::{MemberId, RoomId};

use crate::app::App;
use crate::http::auth::Shown;
use crate::http::fault::Fault;
use crate::http::rooms::call;

/// A person who may do what it asks with a room.
pub(super) struct Standing {
    pub(super) person: Person,
    pub(super) room: RoomRecord,
    pub(super) role: MemberRole,
}

impl Standing {
    /// Whoever shows this, if it may do that with the room of this name.
    pub(super) async fn of(app: &App, headers: &HeaderMap, room: &str, deed: RoomDeed) -> Result<Self, Fault> {
        let person = caller(app, headers).await?;
        let record = match RoomId::new(room) {
            Ok(id) => in_force(app, &id).await?,
            Err(_) => None,
        };
        let role = match &record {
            Some(record) => role(app, record, &person).await?,
            None => None,
        };
        may_do(deed, role)?;
        let (Some(room), Some(role)) = (record, role) else { return Err(Fault::room_not_found()) };
        Ok(Self { person, room, role })
    }
}

/// Whoever shows this: somebody who may have rooms and tokens.
pub(super) async fn caller(app: &App, headers: &HeaderMap) -> Result<Person, Fault> {
    let shown = Shown::by_name(app, headers).await?;
    let person = shown.person()?;
    may_own(person)?;
    Ok(person.clone())
}

/// Under which name things of a person stay with it: its account's, if it has one, whichever of its computers is used.
pub(super) fn lasting_name(person: &Person) -> MemberId {
    person.account().map_or_else(|| person.member(), |account| &account.member).clone()
}

/// A room as it is now; `None`: there is none, or its time is over.
pub(super) async fn in_force(app: &App, room: &RoomId) -> Result<Option<RoomRecord>, Fault> {
    let look = |room: &Room| (room.record().clone(), !room.stats().peers.is_empty());
    let live = app.registry.live(room).and_then(|cell| cell.look(look));
    let (record, is_used) = match live {
        Some(live) => live,
        None => match app.context.store.room(room).await? {
            Some(stored) => (stored, false),
            None => return Ok(None),
        },
    };
    let is_over = !is_used && record.expires_at.is_some_and(|at| at <= app.context.now());
    Ok((!is_over).then_some(record))
}

/// What somebody is in a room.
pub(super) async fn role(app: &App, room: &RoomRecord, person: &Person) -> Result<Option<MemberRole>, Fault> {
    let mut memberships = Vec::new();
    for member in person.members() {
        memberships.extend(app.context.store.membership(&room.room_id, member).await?);
    }
    Ok(role_in(room, &memberships, person))
}

/// Has these members removed from a room: their memberships, their peers and what they hold there.
pub(super) async fn expel(app: &App, room: &RoomId, members: Vec<MemberId>) -> Result<(), Fault> {
    use sleap_rtc_room::Answer;
    match call(app, room, Call::Expel(members)).await? {
        Answer::Changed => Ok(()),
        Answer::StoreUnavailable => Err(Fault::store_unavailable()),
        _ => Err(Fault::room_not_found()),
    }
}
