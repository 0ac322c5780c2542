//! What waits for the store, and what does not.

use std::collections::BTreeMap;

use serde_json::json;
use sleap_rtc_room::{Effect, Input, Room, RoomConfig, Ticket};
use sleap_rtc_wire::record::{Change, MemberRole, MembershipRecord, RoomKind, RoomRecord};
use sleap_rtc_wire::{Code, ConnId, FromPeer, Time, ToPeer};

use crate::desk::*;

#[test]
fn the_epoch_is_written_first_and_nothing_is_granted_before() {
    let mut desk = loading();
    let written = RoomRecord { epoch: 1_000, ..record(RoomKind::Named) };
    let (first, changes) = write(desk.room.next_effect());
    assert_eq!(changes, [Change::PutRoom(written)]);

    let (c1, w1) = (conn(1), conn(2));
    desk.put(registers(w1, anonymous("w1"), worker("w1")));
    desk.put(registers(c1, anonymous("c1"), client("c1")));
    assert_effects(desk.put(says(c1, FromPeer::Claim(claim("r1")))), []);
    // What does not depend on it goes on.
    assert_eq!(desk.found(c1, "c1", json!({"status": "available"})), ["w1"]);

    let effects = desk.put(Input::Persisted(first));
    assert!(matches!(&effects[0], Effect::Send { conn, frame: ToPeer::ClaimGranted(_) } if *conn == w1));
    assert!(matches!(&effects[1], Effect::Send { conn, frame: ToPeer::Claimed(_) } if *conn == c1));
}

#[test]
fn an_epoch_that_was_not_written_grants_nothing_until_it_is() {
    let mut desk = loading();
    let (first, _) = write(desk.room.next_effect());
    let (c1, w1) = (conn(1), conn(2));
    desk.put(registers(w1, anonymous("w1"), worker("w1")));
    desk.put(registers(c1, anonymous("c1"), client("c1")));
    desk.put(says(c1, FromPeer::Claim(claim("r1"))));
    assert_eq!(refused(frames(desk.put(Input::PersistFailed(first))), c1), Code::StoreUnavailable);

    let (second, changes) = write(desk.put(says(c1, FromPeer::Claim(claim("r2")))).into_iter().next());
    assert!(matches!(&changes[..], [Change::PutRoom(record)] if record.epoch == 1_000));
    let granted = frames(desk.put(Input::Persisted(second)));
    assert!(matches!(&granted[1].1, ToPeer::Claimed(claimed) if claimed.fence == fence(1_000, 1)), "{granted:?}");
}

#[test]
fn a_membership_is_written_once_and_the_answer_waits_for_it() {
    let mut desk = Desk::new();
    let (ticket, changes) = write(desk.put(registers(conn(1), keyed("bob"), worker("w1"))).into_iter().next());
    let membership = MembershipRecord {
        room_id: record(RoomKind::Named).room_id,
        member: key("bob").member(),
        role: MemberRole::Member,
        joined_at: START,
    };
    assert_eq!(changes, [Change::PutMembership(membership)]);
    // A second connection of the same member waits for the same write.
    assert_effects(desk.put(registers(conn(2), keyed("bob"), client("c1"))), []);
    assert_eq!(desk.room.stats().peers, [].into());

    let answered: Vec<ConnId> = frames(desk.put(Input::Persisted(ticket))).into_iter().map(|(conn, _)| conn).collect();
    assert_eq!(answered, [conn(1), conn(2)]);
    let effects = desk.put(registers(conn(3), keyed("bob"), worker("w2")));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Persist { .. })));
}

#[test]
fn the_creator_is_the_owner() {
    let mut desk = Desk::new();
    let (_, changes) = write(desk.put(registers(conn(1), keyed("ana"), client("c1"))).into_iter().next());
    assert!(matches!(&changes[..], [Change::PutMembership(record)] if record.role == MemberRole::Owner));
}

#[test]
fn without_the_store_nobody_new_registers() {
    let mut desk = Desk::new();
    let (ticket, _) = write(desk.put(registers(conn(1), keyed("bob"), worker("w1"))).into_iter().next());
    let told = frames(desk.put(Input::PersistFailed(ticket)));
    assert_eq!(refused(told, conn(1)), Code::StoreUnavailable);
    assert_eq!(refused(desk.go(says(conn(1), status("w1", "busy"))), conn(1)), Code::NotInRoom);
    desk.enter(conn(1), "bob", worker("w1"));
}

#[test]
fn what_a_connection_sends_meanwhile_waits_behind_its_registration() {
    let mut desk = Desk::new();
    let (ticket, _) = write(desk.put(registers(conn(1), keyed("bob"), worker("w1"))).into_iter().next());
    assert_effects(desk.put(says(conn(1), status("w1", "maintenance"))), []);
    assert_effects(desk.put(registers(conn(1), keyed("bob"), worker("w2"))), []);
    assert_effects(desk.put(says(conn(1), status("w2", "busy"))), []);
    let told = frames(desk.put(Input::Persisted(ticket)));
    let kinds: Vec<&str> = told
        .iter()
        .map(|(_, frame)| match frame {
            ToPeer::RegisteredAuth(auth) => auth.peer_id.as_str(),
            ToPeer::MetadataUpdated { .. } => "updated",
            _ => "else",
        })
        .collect();
    assert_eq!(kinds, ["w1", "updated", "w2", "updated"]);
}

#[test]
fn it_may_not_send_without_end() {
    let mut desk = Desk::new();
    desk.put(registers(conn(1), keyed("bob"), worker("w1")));
    for _ in 0..16 {
        assert_effects(desk.put(says(conn(1), status("w1", "busy"))), []);
    }
    assert_eq!(refused(frames(desk.put(says(conn(1), status("w1", "busy")))), conn(1)), Code::RateLimited);
}

#[test]
fn a_connection_that_is_gone_before_the_store_answers_never_registers() {
    let mut desk = Desk::new();
    let (ticket, _) = write(desk.put(registers(conn(1), keyed("bob"), worker("w1"))).into_iter().next());
    assert_effects(desk.put(closes(conn(1))), []);
    assert_effects(desk.put(Input::Persisted(ticket)), []);
    assert_eq!(desk.room.stats().peers, [].into());
}

#[test]
fn an_id_that_was_taken_meanwhile_is_refused() {
    let mut desk = Desk::new();
    let (ticket, _) = write(desk.put(registers(conn(1), keyed("bob"), worker("w1"))).into_iter().next());
    desk.put(registers(conn(2), anonymous("eve"), worker("w1")));
    assert_eq!(refused(frames(desk.put(Input::Persisted(ticket))), conn(1)), Code::Forbidden);
}

#[test]
fn an_epoch_is_above_all_that_workers_have_seen_even_if_the_store_was_restored_from_a_backup() {
    let now = START.plus_ms(3_600_000);
    assert_eq!(epoch_of_load(0, now), now.0, "the time: the backup's is 0");
    assert_eq!(epoch_of_load(now.0 + 5_000, now), now.0 + 5_001, "raised by one where the clock was set back");
}

/// Workers remember the highest fence of a room by its id, and a room may be loaded often before it is deleted.
#[test]
fn a_room_made_anew_within_the_second_has_a_higher_epoch_than_all_loads_of_the_old_one() {
    let start = START.plus_ms(3_600_000);
    let old = (0..5).fold(0, |epoch, n| epoch_of_load(epoch, start.plus_ms(10 * n)));
    assert!(epoch_of_load(0, start.plus_ms(60)) > old);
}

/// The epoch of a room that is loaded at this time, from a record with this epoch.
fn epoch_of_load(epoch: u64, now: Time) -> u64 {
    let record = RoomRecord { epoch, ..record(RoomKind::Named) };
    Room::load(record, Vec::new(), RoomConfig::default(), now).record().epoch
}

/// A room whose first write is still to come.
fn loading() -> Desk {
    let room = Room::load(record(RoomKind::Named), Vec::new(), RoomConfig::default(), START);
    Desk { room, now: START, workers: BTreeMap::new() }
}

#[track_caller]
fn write(effect: Option<Effect>) -> (Ticket, Vec<Change>) {
    match effect {
        Some(Effect::Persist { ticket, changes }) => (ticket, changes),
        other => panic!("nothing to write: {other:?}"),
    }
}

fn frames(effects: Vec<Effect>) -> Vec<(ConnId, ToPeer)> {
    let sends = effects.into_iter().filter_map(|effect| match effect {
        Effect::Send { conn, frame } => Some((conn, frame)),
        _ => None,
    });
    sends.collect()
}
