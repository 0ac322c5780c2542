//! Who does not belong to the room any more is out of it at once.

use serde_json::json;
use sleap_rtc_room::{Answer, Call, CallId, CloseReason, Effect, Input, Ticket};
use sleap_rtc_wire::claim::EndReason;
use sleap_rtc_wire::record::{Change, RoomKind};
use sleap_rtc_wire::{Code, ConnId, FromPeer, MemberId, ToPeer};

use crate::desk::*;

#[test]
fn a_removed_members_peers_go_when_it_is_written_and_nobody_elses() {
    let mut desk = Desk::new();
    let (theirs, mine) = (desk.worker("bob", 1), desk.client("ana", 2));
    let (ticket, changes) = write(desk.put(expels(1, &["bob"])));
    assert_eq!(changes, [Change::DeleteMembership(record(RoomKind::Named).room_id, key("bob").member())]);
    assert_eq!(desk.found(mine, "ana", json!({"role": "worker"})), ["bob"], "not before it is written");
    let effects = desk.put(Input::Persisted(ticket));
    assert_eq!(closed(&effects), [theirs]);
    assert_eq!(answer(&effects), Answer::Changed);
    assert_eq!(desk.found(mine, "ana", json!({"role": "worker"})), [""; 0]);
    assert!(desk.workers.is_empty(), "it is not expected back: {:?}", desk.workers);
}

#[test]
fn what_the_store_did_not_take_changes_nothing() {
    let mut desk = Desk::new();
    let (_theirs, mine) = (desk.worker("bob", 1), desk.client("ana", 2));
    let (ticket, _) = write(desk.put(expels(1, &["bob"])));
    let effects = desk.put(Input::PersistFailed(ticket));
    assert_eq!((closed(&effects), answer(&effects)), (vec![], Answer::StoreUnavailable));
    assert_eq!(desk.found(mine, "ana", json!({"role": "worker"})), ["bob"]);
}

#[test]
fn what_it_waits_for_and_holds_unused_is_given_back() {
    let mut desk = Desk::new();
    let worker = desk.worker("gpu1", 1);
    let bob = desk.client("bob", 2);
    let claimed = desk.claimed(bob, claim("r1"));
    desk.waits(bob, patient("r2"));
    let ana = desk.client("ana", 3);
    desk.waits(ana, patient("r3"));
    let frames = desk.go(expels(1, &["bob"]));
    let told = frames.iter().any(|(conn, frame)| {
        *conn == worker && matches!(frame, ToPeer::ClaimEnded(end) if end.claim_id == claimed.claim_id && end.reason == EndReason::Released)
    });
    assert!(told, "the worker is told: {frames:?}");
    assert_eq!(claims(&frames, ana).len(), 1, "who waits behind it is next: {frames:?}");
}

#[test]
fn what_it_left_behind_goes_too() {
    let mut desk = Desk::new();
    let (theirs, mine) = (desk.worker("bob", 1), desk.client("ana", 2));
    let client = desk.enter(conn(3), "bob", client("laptop"));
    let held = desk.claimed(mine, claim("r1"));
    desk.go(uses(theirs, &held.claim_id));
    desk.waits(client, patient("r2"));
    desk.go(closes(theirs));
    desk.go(closes(client));
    let frames = desk.go(expels(1, &["bob"]));
    let lost = frames.iter().any(|(conn, frame)| {
        *conn == mine && matches!(frame, ToPeer::ClaimEnded(end) if end.claim_id == held.claim_id && end.reason == EndReason::Lost)
    });
    assert!(lost, "its worker will not come back: {frames:?}");
    assert_eq!((desk.room.stats().waiting, desk.room.stats().silent), (0, 0));
    assert!(desk.workers.is_empty());
}

#[test]
fn it_cannot_slip_in_while_its_removal_is_written() {
    let mut desk = Desk::new();
    let (joins, _) = write(desk.put(registers(conn(1), keyed("bob"), worker("w1"))));
    let (removes, _) = write(desk.put(expels(1, &["bob"])));
    assert_eq!(refused(sent_by(&desk.put(Input::Persisted(joins))), conn(1)), Code::Forbidden);
    let late = desk.put(registers(conn(2), keyed("bob"), worker("w1")));
    assert_eq!(refused(sent_by(&late), conn(2)), Code::Forbidden);
    assert_eq!(answer(&desk.put(Input::Persisted(removes))), Answer::Changed);
    // Who comes with the password later joins anew.
    let (_, changes) = write(desk.put(registers(conn(3), keyed("bob"), worker("w1"))));
    assert!(matches!(&changes[..], [Change::PutMembership(one)] if one.member == key("bob").member()));
}

#[test]
fn a_workers_token_is_a_member_too() {
    let mut desk = Desk::new();
    let token = desk.enter_as(conn(1), "key_0123456789abcdef", "gpu1");
    let other = desk.enter_as(conn(2), "key_fedcba9876543210", "gpu2");
    let ana = desk.client("ana", 3);
    let call = Call::Expel(vec![member("key_0123456789abcdef")]);
    let (ticket, _) = write(desk.put(calls(1, call)));
    assert_eq!(closed(&desk.put(Input::Persisted(ticket))), [token]);
    assert_eq!(desk.found(ana, "ana", json!({"role": "worker"})), ["gpu2"]);
    let here: Vec<_> = desk.room.workers_here().map(|one| (one.id.to_string(), one.member.to_string())).collect();
    assert_eq!(here, [("gpu2".to_owned(), "key_fedcba9876543210".to_owned())]);
    desk.go(says(other, FromPeer::Leave));
    assert_eq!(desk.room.workers_here().count(), 0);
}

impl Desk {
    fn enter_as(&mut self, at: ConnId, member: &str, name: &str) -> ConnId {
        self.go(registers(at, anonymous(member), plain(name, "worker", json!({"status": "available"}))));
        at
    }
}

fn member(name: &str) -> MemberId {
    MemberId::new(name).unwrap()
}

fn expels(n: u64, names: &[&str]) -> Input {
    calls(n, Call::Expel(names.iter().map(|name| key(name).member()).collect()))
}

/// The only write among these.
#[track_caller]
fn write(effects: Vec<Effect>) -> (Ticket, Vec<Change>) {
    let mut writes = effects.into_iter().filter_map(|effect| match effect {
        Effect::Persist { ticket, changes } => Some((ticket, changes)),
        _ => None,
    });
    let write = writes.next().unwrap();
    assert_eq!(writes.next(), None);
    write
}

fn closed(effects: &[Effect]) -> Vec<ConnId> {
    let closed = effects.iter().filter_map(|effect| match effect {
        Effect::Close { conn, reason: CloseReason::Deleted } => Some(*conn),
        _ => None,
    });
    closed.collect()
}

fn sent_by(effects: &[Effect]) -> Vec<(ConnId, ToPeer)> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send { conn, frame } => Some((*conn, frame.clone())),
        _ => None,
    });
    sent.collect()
}

#[track_caller]
fn answer(effects: &[Effect]) -> Answer {
    let answer = effects.iter().find_map(|effect| match effect {
        Effect::Answer { id: CallId(1), answer } => Some(*answer),
        _ => None,
    });
    answer.unwrap()
}
