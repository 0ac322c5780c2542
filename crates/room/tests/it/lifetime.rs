use serde_json::json;
use sleap_rtc_room::{Answer, Call, CallId, CloseReason, Effect, Input, RoomConfig, Ticket};
use sleap_rtc_wire::claim::EndReason;
use sleap_rtc_wire::record::{Change, RoomKind, RoomRecord};
use sleap_rtc_wire::{Code, Time, ToPeer};

use crate::desk::*;

const DAY: u64 = 24 * HOUR;

#[test]
fn an_ephemeral_room_outlives_its_last_peer_by_the_grace() {
    let mut desk = ephemeral(60_000);
    let w1 = desk.worker("w1", 1);
    desk.go(closes(w1));
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(60_000)));
    desk.wait(59_999);
    let w1 = desk.worker("w1", 2);
    desk.go(closes(w1));
    desk.wait(60_000);
    let (ticket, effects) = removal(desk.tick());
    assert_effects(effects, []);
    assert_effects(desk.put(Input::Persisted(ticket)), [Effect::Removed]);
    assert_effects(desk.put(registers(conn(3), keyed("w1"), worker("w1"))), []);
    assert_eq!(desk.room.next_timeout(), None);
}

#[test]
fn without_a_grace_it_goes_at_once() {
    let mut desk = ephemeral(0);
    let w1 = desk.worker("w1", 1);
    let (_, effects) = removal(desk.put(closes(w1)));
    assert_effects(effects, []);
}

#[test]
fn the_end_of_the_grace_is_written_down_for_a_server_that_starts_later() {
    let mut desk = ephemeral(60_000);
    let w1 = desk.worker("w1", 1);
    let ticket = expiry_written(desk.put(closes(w1)), Some(START.plus_ms(60_000)));
    desk.put(Input::Persisted(ticket));
    // Who comes in time gives the room its whole time again.
    desk.wait(59_999);
    let effects = desk.put(registers(conn(2), anonymous("c1"), client("c1")));
    let ticket = expiry_written(effects, Some(desk.now.plus_ms(2 * HOUR)));
    desk.put(Input::Persisted(ticket));
    assert_eq!(desk.room.next_timeout(), Some(desk.now.plus_ms(HOUR)));
}

#[test]
fn an_extension_keeps_an_ephemeral_room_that_everybody_has_left() {
    let mut desk = ephemeral(60_000);
    let w1 = desk.worker("w1", 1);
    desk.go(closes(w1));
    desk.wait(30_000);
    let expires_at = Some(desk.now.plus_ms(2 * HOUR));
    let ticket = expiry_written(desk.put(calls(1, Call::Extend)), expires_at);
    assert_effects(desk.put(Input::Persisted(ticket)), [answered(1, Answer::Extended { expires_at })]);
    assert_eq!(desk.room.next_timeout(), expires_at);
}

#[test]
fn a_room_nobody_has_joined_lives_out_its_time() {
    let mut desk = ephemeral(60_000);
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(2 * HOUR)));
    desk.wait(2 * HOUR);
    let frames = desk.go(registers(conn(1), keyed("w1"), worker("w1")));
    assert_eq!(only(frames), (conn(1), error(Code::RoomExpired, "Room expired")));
}

#[test]
fn a_named_room_stays_when_its_peers_leave_and_its_time_begins_anew() {
    let mut desk = Desk::new();
    let w1 = desk.client("w1", 1);
    desk.wait(20_000);
    let expires_at = Some(desk.now.plus_ms(30 * DAY));
    let ticket = expiry_written(desk.put(closes(w1)), expires_at);
    desk.put(Input::Persisted(ticket));
    assert_eq!(desk.room.record().expires_at, expires_at);
    assert_eq!(desk.room.next_timeout(), expires_at);
}

#[test]
fn a_connected_peer_keeps_its_room_hour_by_hour() {
    let mut desk = ephemeral(60_000);
    desk.client("c1", 1);
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(HOUR)));
    for _ in 0..3 {
        desk.wait(HOUR);
        let ticket = expiry_written(desk.tick(), Some(desk.now.plus_ms(2 * HOUR)));
        assert_eq!(desk.room.next_timeout(), None);
        desk.put(Input::Persisted(ticket));
        assert_eq!(desk.room.next_timeout(), Some(desk.now.plus_ms(HOUR)));
    }
}

#[test]
fn who_comes_in_the_last_minute_keeps_it_too() {
    let mut desk = ephemeral(60_000);
    desk.wait(2 * HOUR - 1);
    let effects = desk.put(registers(conn(1), anonymous("c1"), client("c1")));
    expiry_written(effects.into_iter().skip(1).collect(), Some(desk.now.plus_ms(2 * HOUR)));
}

#[test]
fn an_expiry_that_could_not_be_written_is_tried_again() {
    let mut desk = ephemeral(60_000);
    desk.client("c1", 1);
    desk.wait(HOUR);
    let ticket = expiry_written(desk.tick(), Some(desk.now.plus_ms(2 * HOUR)));
    desk.put(Input::PersistFailed(ticket));
    assert_eq!(desk.room.record().expires_at, Some(START.plus_ms(2 * HOUR)));
    assert_eq!(desk.room.next_timeout(), Some(desk.now.plus_ms(60_000)));
    desk.wait(60_000);
    expiry_written(desk.tick(), Some(desk.now.plus_ms(2 * HOUR)));
}

#[test]
fn an_extension_is_answered_when_the_store_has_it() {
    let mut desk = ephemeral(60_000);
    desk.wait(HOUR);
    let expires_at = Some(desk.now.plus_ms(2 * HOUR));
    let ticket = expiry_written(desk.put(calls(1, Call::Extend)), expires_at);
    assert_effects(desk.put(Input::Persisted(ticket)), [answered(1, Answer::Extended { expires_at })]);
    assert_eq!(desk.room.record().expires_at, expires_at);
}

#[test]
fn an_extension_that_fails_changes_nothing_and_the_next_one_is_independent() {
    let mut desk = ephemeral(60_000);
    desk.wait(HOUR);
    let expires_at = Some(desk.now.plus_ms(2 * HOUR));
    let ticket = expiry_written(desk.put(calls(1, Call::Extend)), expires_at);
    assert_effects(desk.put(calls(2, Call::Extend)), []);
    let effects = desk.put(Input::PersistFailed(ticket));
    assert_eq!(effects[0], answered(1, Answer::StoreUnavailable));
    assert_eq!(desk.room.record().expires_at, Some(START.plus_ms(2 * HOUR)));
    let ticket = expiry_written(effects[1..].to_vec(), expires_at);
    assert_effects(desk.put(Input::Persisted(ticket)), [answered(2, Answer::Extended { expires_at })]);
}

#[test]
fn a_room_for_ever_has_no_end_to_move() {
    let for_ever = RoomRecord { ttl_ms: None, expires_at: None, ..record(RoomKind::Named) };
    let mut desk = Desk::with(for_ever, RoomConfig::default());
    desk.client("c1", 1);
    assert_eq!(desk.room.next_timeout(), None);
    let ticket = expiry_written(desk.put(calls(1, Call::Extend)), None);
    assert_effects(desk.put(Input::Persisted(ticket)), [answered(1, Answer::Extended { expires_at: None })]);
}

#[test]
fn a_deleted_room_takes_everybody_with_it_once_the_store_has_forgotten_it() {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    desk.claimed(c1, claim("r1"));
    let (ticket, effects) = removal(desk.put(calls(1, Call::Delete)));
    assert_effects(effects, []);
    // Meanwhile nobody comes in, and those inside go on.
    assert_eq!(refused(desk.go(registers(conn(3), keyed("w3"), worker("w3"))), conn(3)), Code::RoomNotFound);
    assert_eq!(desk.found(c1, "c1", json!({})), ["w1"]);
    assert_effects(desk.put(calls(2, Call::Extend)), []);

    let gone = ended("c1000-1", EndReason::RoomRemoved);
    let closed = |conn| Effect::Close { conn, reason: CloseReason::RoomRemoved };
    assert_effects(
        desk.put(Input::Persisted(ticket)),
        [
            sent(c1, gone.clone()),
            sent(w1, gone),
            closed(c1),
            closed(w1),
            answered(1, Answer::RoomDeleted),
            answered(2, Answer::NoSuchRoom),
            Effect::Removed,
        ],
    );
}

#[test]
fn a_room_that_could_not_be_deleted_goes_on() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    let (ticket, _) = removal(desk.put(calls(1, Call::Delete)));
    assert_effects(desk.put(Input::PersistFailed(ticket)), [answered(1, Answer::StoreUnavailable)]);
    assert_eq!(desk.found(c1, "c1", json!({})), [""; 0]);
    desk.worker("w1", 2);
}

#[test]
fn deleting_the_last_peer_deletes_an_ephemeral_room_and_no_named_one() {
    let mut desk = ephemeral(60_000);
    desk.worker("w1", 1);
    let closed = Effect::Close { conn: conn(1), reason: CloseReason::Deleted };
    let (ticket, effects) = removal(desk.put(calls(1, Call::DeletePeer(peer("w1")))));
    assert_effects(effects, [closed]);
    assert_effects(
        desk.put(Input::Persisted(ticket)),
        [answered(1, Answer::PeerDeleted { room_removed: true }), Effect::Removed],
    );

    let mut desk = Desk::new();
    desk.worker("w1", 1);
    let effects = desk.put(calls(1, Call::DeletePeer(peer("w1"))));
    assert!(effects.contains(&answered(1, Answer::PeerDeleted { room_removed: false })), "{effects:?}");
}

#[test]
fn a_removal_that_fails_is_tried_again() {
    let mut desk = ephemeral(60_000);
    let w1 = desk.worker("w1", 1);
    desk.go(closes(w1));
    desk.wait(60_000);
    let (ticket, _) = removal(desk.tick());
    desk.put(Input::PersistFailed(ticket));
    assert_eq!(desk.room.next_timeout(), Some(desk.now.plus_ms(60_000)));
    desk.wait(60_000);
    removal(desk.tick());
}

#[test]
fn a_room_may_be_unloaded_when_nobody_would_notice() {
    let mut desk = ephemeral(60_000);
    assert!(desk.room.may_unload());
    let w1 = desk.worker("w1", 1);
    assert!(!desk.room.may_unload());
    desk.go(closes(w1));
    // Its grace period runs: a room loaded again would not know of it.
    assert!(!desk.room.may_unload());

    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    let id = desk.claimed(c1, claim("r1")).claim_id;
    desk.go(uses(w1, &id));
    desk.go(closes(c1));
    desk.go(closes(w1));
    assert!(!desk.room.may_unload());
    desk.go(calls(1, Call::DeletePeer(peer("w1"))));
    assert!(desk.room.may_unload());
    desk.put(registers(conn(3), keyed("w3"), worker("w3")));
    assert!(!desk.room.may_unload());
}

fn ephemeral(grace_ms: u64) -> Desk {
    Desk::with(
        record(RoomKind::Ephemeral),
        RoomConfig { grace_ms, ping_ms: 1 << 50, lost_ms: 1 << 50, ..RoomConfig::default() },
    )
}

fn answered(n: u64, answer: Answer) -> Effect {
    Effect::Answer { id: CallId(n), answer }
}

/// The ticket of the removal that was asked for, and what came besides.
#[track_caller]
fn removal(effects: Vec<Effect>) -> (Ticket, Vec<Effect>) {
    let change = Change::DeleteRoom(record(RoomKind::Named).room_id);
    let mut ticket = None;
    let rest = effects
        .into_iter()
        .filter(|effect| match effect {
            Effect::Persist { ticket: t, changes } if *changes == [change.clone()] => {
                ticket = Some(*t);
                false
            }
            _ => true,
        })
        .collect();
    (ticket.unwrap(), rest)
}

/// The ticket of the only thing asked for: the room's record with this expiry.
#[track_caller]
fn expiry_written(effects: Vec<Effect>, expires_at: Option<Time>) -> Ticket {
    let writes: Vec<(Ticket, Vec<Change>)> = effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Persist { ticket, changes } => Some((ticket, changes)),
            Effect::Report(_) | Effect::Send { frame: ToPeer::RegisteredAuth(_), .. } => None,
            other => panic!("{other:?}"),
        })
        .collect();
    let [(ticket, changes)] = writes.as_slice() else { panic!("{writes:?}") };
    let [Change::PutRoom(written)] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((written.epoch, written.expires_at), (START.0, expires_at));
    *ticket
}
