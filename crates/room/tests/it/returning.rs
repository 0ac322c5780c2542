//! Who comes back into the line: after a lost connection, with another request, with a seat.

use sleap_rtc_room::{Input, RoomConfig};
use sleap_rtc_wire::claim::{Claim, Reason, Seat, Withdraw};
use sleap_rtc_wire::record::RoomKind;
use sleap_rtc_wire::{Code, FromPeer, Time, ToPeer};

use crate::desk::*;

#[test]
fn a_lost_client_keeps_its_place_for_a_moment_and_takes_it_up_again() {
    let (mut desk, [w1]) = room(["w1"]);
    let (c1, c2, c3) = (desk.client("c1", 11), desk.client("c2", 12), desk.client("c3", 13));
    let held = desk.claimed(c1, claim("r1")).claim_id;
    desk.waits(c2, patient("r2"));
    desk.waits(c3, patient("r3"));
    desk.go(closes(c2));
    // Nothing is given to somebody who is not there.
    let held = claims(&desk.go(frees(w1, &held)), c3).remove(0).claim_id;
    desk.wait(4_999);
    let c2 = desk.client("c2", 14);
    // By another name, as the program counts its requests anew.
    let again = desk.waits(c2, Claim { request_id: "r1".to_owned(), ..patient("r2") });
    assert_eq!((again.place, again.request_id.as_str()), (1, "r1"));
    desk.wait(5_000);
    assert_eq!(desk.room.stats().waiting, 1);
    assert_eq!(claims(&desk.go(frees(w1, &held)), c2).len(), 1);
}

#[test]
fn a_client_that_stays_away_gives_its_place_up() {
    let (mut desk, [_]) = room(["w1"]);
    let (c1, c2) = (desk.client("c1", 11), desk.client("c2", 12));
    desk.claimed(c1, claim("r1"));
    desk.waits(c2, patient("r2"));
    desk.go(closes(c2));
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(1_000)), "the next word to those in line");
    // It comes back, and does not ask again.
    desk.client("c2", 14);
    desk.wait(5_000);
    assert_eq!(notices(&desk.go(Input::Tick), conn(14)), []);
    assert_eq!(desk.room.stats().waiting, 0);
}

#[test]
fn the_same_job_never_stands_in_line_twice() {
    let (mut desk, [_]) = room(["w1"]);
    let (c1, c2) = (desk.client("c1", 11), desk.client("c2", 12));
    desk.claimed(c1, claim("r1"));
    desk.waits(c2, patient("r2"));
    desk.wait(10);
    desk.waits(c1, patient("r3"));
    let again = desk.waits(c2, patient("r2"));
    assert_eq!((again.place, desk.room.stats().waiting), (1, 2));
    // By another name: the first request is not answered twice.
    let frames = desk.go(says(c2, FromPeer::Claim(Claim { request_id: "r9".to_owned(), ..patient("r2") })));
    let (_, ToPeer::ClaimRefused(refused)) = &frames[0] else { panic!("{frames:?}") };
    assert_eq!((refused.request_id.as_str(), notices(&frames, c2)[0].place), ("r2", 1));
    // The same member's other program takes the place over, and the first is told.
    let other = desk.enter(conn(15), "c2", client("c2b"));
    let frames = desk.go(says(other, FromPeer::Claim(patient("r2"))));
    assert_eq!(notices(&frames, other)[0].place, 1);
    let told = frames.iter().find(|(conn, _)| *conn == c2);
    let Some((_, ToPeer::ClaimRefused(refused))) = told else { panic!("{frames:?}") };
    assert_eq!((refused.code, refused.reason), (Code::Conflict, Reason::JobRuns));
    assert_eq!(desk.room.stats().waiting, 2);
}

#[test]
fn who_was_served_while_its_line_was_cut_hears_of_it_when_it_asks_again() {
    let (mut desk, [_]) = room(["w1"]);
    let c1 = desk.client("c1", 11);
    let first = desk.claimed(c1, patient("r1"));
    desk.go(closes(c1));
    let c1 = desk.client("c1", 12);
    let again = desk.claimed(c1, Claim { request_id: "r7".to_owned(), ..patient("r1") });
    assert_eq!((&again.claim_id, again.request_id.as_str()), (&first.claim_id, "r7"));
}

#[test]
fn of_several_claims_one_ended_meanwhile_all_or_none() {
    let (mut desk, [w1, _]) = room(["w1", "w2"]);
    let c1 = desk.client("c1", 11);
    let two = Claim { count: 2, ..patient("r1") };
    assert_eq!(claims(&desk.go(says(c1, FromPeer::Claim(two.clone()))), c1).len(), 2);
    desk.go(closes(c1));
    desk.go(closes(w1));
    let c1 = desk.client("c1", 12);
    assert_eq!(desk.waits(c1, two).reason, Reason::Silent);
    assert_eq!(desk.room.stats().leased, 0, "what is left is given back, for all come together");
    assert_eq!(claims(&desk.go(registers(conn(3), keyed("w1"), worker("w1"))), c1).len(), 2);
}

#[test]
fn a_seat_is_fresh_every_five_minutes_and_brings_the_place_back_over_a_restart() {
    let (mut desk, [w1]) = room(["w1"]);
    let (c1, c2) = (desk.client("c1", 11), desk.client("c2", 12));
    let used = desk.claimed(c1, claim("r1")).claim_id;
    desk.go(uses(w1, &used));
    desk.waits(c2, patient("r2"));
    desk.wait(1);
    let later = desk.waits(c1, patient("r3")).seat.unwrap();
    desk.wait(299_999);
    let fresh = notices(&desk.go(Input::Tick), c2).into_iter().find_map(|told| told.seat).unwrap();
    assert_eq!((fresh.asked_at, fresh.until), (START, desk.now.plus_ms(600_000)));

    desk.restart(RoomConfig::default());
    let (c1, c2) = (desk.client("c1", 21), desk.client("c2", 22));
    desk.waits(c1, Claim { seat: Some(later), ..patient("r3") });
    assert_eq!(desk.waits(c2, Claim { seat: Some(fresh), ..patient("r2") }).place, 1);
    desk.wait(1_000);
    assert_eq!(notices(&desk.go(Input::Tick), c1)[0].place, 2);
}

#[test]
fn a_seat_is_good_for_one_turn() {
    let (mut desk, [w1]) = room(["w1"]);
    let (c1, c2, c3) = (desk.client("c1", 11), desk.client("c2", 12), desk.client("c3", 13));
    let held = desk.claimed(c1, claim("r1")).claim_id;
    let seat = desk.waits(c2, patient("r2")).seat;
    desk.wait(10);
    desk.waits(c3, patient("r3"));
    desk.wait(10);
    let held = claims(&desk.go(frees(w1, &held)), c2).remove(0).claim_id;
    desk.wait(10);
    desk.waits(c1, patient("r4"));
    // It gives the worker back and shows the seat once more: behind c3, which waited then, before c1, which came later.
    let frames = desk.go(releases(c2, &held));
    assert_eq!(claims(&frames, c3).len(), 1);
    let again = desk.waits(c2, Claim { seat, ..patient("r2") });
    assert_eq!((again.place, again.seat.as_ref().map(|seat| seat.asked_at)), (1, Some(START.plus_ms(20))));
    // Whoever gives the place up has had its turn as well.
    desk.wait(10);
    desk.go(says(c2, FromPeer::Withdraw(Withdraw { request_id: "r2".to_owned() })));
    desk.wait(10);
    assert_eq!(desk.waits(c2, Claim { seat: again.seat, ..patient("r2") }).place, 2);
}

#[test]
fn a_seat_that_is_not_good_is_as_good_as_none() {
    let seat_of = |desk: &mut Desk, request: &str| {
        let c1 = desk.client("c1", 11);
        desk.waits(c1, patient(request)).seat.unwrap()
    };
    let (mut desk, []) = room([]);
    let seat = seat_of(&mut desk, "r1");
    let other_job = seat_of(&mut desk, "r9");
    let config = RoomConfig { line_key: [7; 32], ..RoomConfig::default() };
    let mut other_key = Desk::with(record(RoomKind::Named), config);
    let foreign = seat_of(&mut other_key, "r1");
    let earlier = Seat { asked_at: Time(START.0 - 1), ..seat.clone() };
    let longer = Seat { until: seat.until.plus_ms(1), ..seat.clone() };
    let nonsense = Seat { proof: "x".repeat(64), ..seat.clone() };
    let tries = [
        (seat.clone(), 10, 1),
        (seat.clone(), 600_000, 1),
        (seat, 600_001, 2),
        (other_job, 10, 2),
        (foreign, 10, 2),
        (earlier, 10, 2),
        (longer, 10, 2),
        (nonsense, 10, 2),
    ];
    for (seat, late, place) in tries {
        let mut desk = Desk::new();
        desk.now = START.plus_ms(late);
        let (c1, c2) = (desk.client("c1", 11), desk.client("c2", 12));
        desk.waits(c2, patient("r2"));
        let waiting = desk.waits(c1, Claim { seat: Some(seat.clone()), ..patient("r1") });
        assert_eq!(waiting.place, place, "{seat:?} {late}");
    }
}

#[test]
fn a_room_with_somebody_in_line_stays_loaded() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    desk.waits(c1, patient("r1"));
    desk.go(closes(c1));
    assert!(!desk.room.may_unload());
    desk.wait(5_000);
    desk.go(Input::Tick);
    assert!(desk.room.may_unload());
}
