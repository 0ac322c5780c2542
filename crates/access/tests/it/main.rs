//! Who may do what, as the server asks it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod admission;
mod days;
mod deeds;
mod identities;
mod invites;
mod room_deeds;
mod terms;
mod tokens;

use sleap_rtc_access::Person;
use sleap_rtc_wire::record::{IdentityKind, RoomKind, RoomRecord, Switches};
use sleap_rtc_wire::{MemberId, RoomId, Time};

fn member(name: &str) -> MemberId {
    MemberId::new(name).unwrap()
}

fn person(name: &str) -> Person {
    Person::alone(member(name), IdentityKind::Key, None, name.to_owned())
}

fn room() -> RoomRecord {
    RoomRecord {
        room_id: RoomId::new("a7f3d2e1").unwrap(),
        token: "f9g2h5".to_owned(),
        created_by: member("ana"),
        created_at: Time(0),
        name: None,
        kind: RoomKind::Ephemeral,
        ttl_ms: Some(7_200_000),
        expires_at: Some(Time(7_200_000)),
        epoch: 1,
        switches: Switches::default(),
    }
}
