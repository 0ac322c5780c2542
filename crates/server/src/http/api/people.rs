//! Who belongs to a room: persons, each of them once, under whichever of its names it came in.

use sleap_rtc_access::Person;
use sleap_rtc_store::StoreError;
use sleap_rtc_wire::record::{MemberRole, MembershipRecord};
use sleap_rtc_wire::{MemberId, RoomId, Time};

use serde_json::{Value, json};

use super::standing::lasting_name;
use crate::app::App;
use crate::http::status::iso;
use crate::persons;

/// A person that belongs to a room.
pub(super) struct Belonging {
    pub(super) person: Person,
    pub(super) role: MemberRole,
    joined_at: Time,
}

impl Belonging {
    /// The name by which lists and calls mean it.
    pub(super) fn user_id(&self) -> MemberId {
        lasting_name(&self.person)
    }

    fn merge(&mut self, other: &MembershipRecord) {
        self.joined_at = self.joined_at.min(other.joined_at);
        if other.role == MemberRole::Owner {
            self.role = MemberRole::Owner;
        }
    }

    /// As lists show it.
    pub(super) fn shown(&self) -> Value {
        json!({
            "user_id": self.user_id(),
            "username": self.person.username(),
            "avatar_url": self.person.account().and_then(|account| account.avatar_url.as_deref()),
            "role": self.role,
            "joined_at": iso(self.joined_at),
        })
    }
}

/// Who belongs to a room: its owner first, then in the order of joining.
pub(super) async fn of_room(app: &App, room: &RoomId) -> Result<Vec<Belonging>, StoreError> {
    let store = &*app.context.store;
    let mut people: Vec<Belonging> = Vec::new();
    for one in store.members(room).await? {
        if let Some(known) = people.iter_mut().find(|known| known.person.is(&one.member)) {
            known.merge(&one);
            continue;
        }
        let person = persons::of_member(store, &one.member).await?;
        people.push(Belonging { person, role: one.role, joined_at: one.joined_at });
    }
    people.sort_by_key(|one| (one.role != MemberRole::Owner, one.joined_at));
    Ok(people)
}

/// How many memberships a room has: at least as many as persons.
pub(super) async fn count(app: &App, room: &RoomId) -> Result<usize, StoreError> {
    Ok(app.context.store.members(room).await?.len())
}
