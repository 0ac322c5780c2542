//! Claims that wait: in which order they are served, what they are told, how they end.

use serde_json::json;
use sleap_rtc_room::{Call, Input};
use sleap_rtc_wire::claim::{Claim, EndReason, Reason, Withdraw};
use sleap_rtc_wire::{Code, ConnId, Filters, FromPeer, ToPeer, limits};

use crate::desk::*;

#[test]
fn who_asked_first_is_served_first() {
    let (mut desk, [w1]) = room(["w1"]);
    let clients: Vec<ConnId> = (0..4).map(|n| desk.client(&format!("c{n}"), 10 + n)).collect();
    let mut held = desk.claimed(clients[0], patient("r0")).claim_id;
    for (n, client) in clients.iter().enumerate().skip(1) {
        let waiting = desk.waits(*client, patient(&format!("r{n}")));
        assert_eq!((waiting.place, waiting.reason), (n as u32, Reason::AllMatchingBusy));
        desk.wait(10);
    }
    for client in &clients[1..] {
        let claimed = claims(&desk.go(frees(w1, &held)), *client);
        assert_eq!(claimed.len(), 1);
        held = claimed[0].claim_id.clone();
    }
}

#[test]
fn a_worker_that_comes_or_becomes_free_in_any_way_is_given_to_those_who_wait() {
    let (mut desk, [w1]) = room(["w1"]);
    let (c1, c2) = (desk.client("c1", 11), desk.client("c2", 12));
    let first = desk.claimed(c1, claim("r1")).claim_id;
    desk.waits(c2, patient("r2"));
    // It gives the claim back.
    let second = claims(&desk.go(releases(c1, &first)), c2).remove(0).claim_id;
    // Its lease ends.
    desk.waits(c1, patient("r3"));
    desk.wait(30_000);
    assert_eq!(claims(&desk.go(Input::Tick), c1).len(), 1);
    assert_eq!(refused(desk.go(releases(c2, &second)), c2), Code::ClaimNotFound);
    // A worker comes.
    desk.waits(c2, patient("r4"));
    assert_eq!(claims(&desk.go(registers(conn(2), keyed("w2"), worker("w2"))), c2).len(), 1);
    // A worker says that it is free again.
    let w3 = desk.enter(conn(3), "w3", plain_worker("w3", json!({"status": "maintenance"})));
    desk.waits(c2, patient("r5"));
    assert_eq!(claims(&desk.go(says(w3, status("w3", "available"))), c2).len(), 1);
    // A worker matches now.
    desk.worker("w4", 4);
    desk.waits(c1, Claim { filters: filters(json!({"gpu": 1})), ..patient("r6") });
    let update = FromPeer::UpdateMetadata(update("w4", json!({"properties": {"gpu": 1}})));
    assert_eq!(claims(&desk.go(says(conn(4), update)), c1).len(), 1);
    let _ = w1;
}

#[test]
fn a_claim_that_does_not_wait_overtakes_nobody() {
    let (mut desk, [w1]) = room(["w1"]);
    let (c1, c2, c3) = (desk.client("c1", 11), desk.client("c2", 12), desk.client("c3", 13));
    let held = desk.claimed(c1, claim("r1")).claim_id;
    desk.waits(c2, Claim { count: 2, ..patient("r2") });
    desk.go(frees(w1, &held));
    // Nobody keeps a worker for what cannot be had at all: one worker is connected, two are asked for.
    let held = desk.claimed(c3, claim("r3")).claim_id;
    desk.worker("w2", 2);
    let refused = desk.refused(c3, claim("r4"));
    assert_eq!((refused.reason, refused.workers.matching, refused.workers.busy), (Reason::BehindOthers, 2, 1));
    assert_eq!(claims(&desk.go(frees(w1, &held)), c2).len(), 2);
}

#[test]
fn several_workers_are_kept_until_they_are_enough_and_given_back_when_they_never_will_be() {
    let (mut desk, [w1, w2]) = room(["w1", "w2"]);
    let (c1, c2, c3) = (desk.client("c1", 11), desk.client("c2", 12), desk.client("c3", 13));
    let held = desk.claimed(c1, claim("r1")).claim_id;
    desk.waits(c2, Claim { count: 2, ..patient("r2") });
    let behind = desk.waits(c3, patient("r3"));
    assert_eq!((behind.place, behind.reason), (2, Reason::BehindOthers));
    // The busy one takes no more work, so the pair will never be: the free one goes to the next in line.
    assert_eq!(claims(&desk.go(says(w1, status("w1", "draining"))), c3).len(), 1);
    let _ = (w2, held);
}

#[test]
fn no_member_keeps_more_workers_than_it_may_hold() {
    let mut desk = Desk::new();
    let (c1, c2) = (desk.client("c1", 101), desk.client("c2", 102));
    for n in 0..7 {
        let kind = if n < 3 { "a" } else { "b" };
        desk.enter(conn(n), &format!("w{n}"), plain_worker(&format!("w{n}"), json!({"status": "available", kind: 1})));
    }
    // These two say that they are busy, and may do so for ever.
    for (n, kind) in [(8, "a"), (9, "b")] {
        desk.enter(conn(n), &format!("w{n}"), plain_worker(&format!("w{n}"), json!({"status": "busy", kind: 1})));
    }
    let of = |kind: &str, count: u32, request: &str| Claim {
        filters: filters(json!({"properties": {kind: 1}})),
        count,
        ..patient(request)
    };
    desk.waits(c1, of("a", 4, "r1"));
    assert_eq!(desk.refused(c2, Claim { wait_ms: 0, ..of("a", 1, "r11") }).reason, Reason::BehindOthers);
    desk.waits(c1, of("b", 5, "r2"));
    assert_eq!(claims(&desk.go(says(c2, FromPeer::Claim(of("b", 1, "r12")))), c2).len(), 1);
}

#[test]
fn what_is_kept_is_given_in_the_moment_in_which_its_keeper_may_not_have_it_any_more() {
    let mut desk = Desk::new();
    let (c1, c2) = (desk.client("c1", 101), desk.client("c2", 102));
    for (n, kind, status) in [(1, "a", "available"), (2, "a", "available"), (8, "a", "busy"), (9, "b", "available")] {
        desk.enter(conn(n), &format!("w{n}"), plain_worker(&format!("w{n}"), json!({"status": status, kind: 1})));
    }
    for n in 10..15 {
        desk.enter(conn(n), &format!("w{n}"), plain_worker(&format!("w{n}"), json!({"status": "busy", "a": 1})));
    }
    let of = |kind: &str, count: u32, request: &str| Claim {
        filters: filters(json!({"properties": {kind: 1}})),
        count,
        ..patient(request)
    };
    // All that a member may hold, and two are there for it; behind it another.
    desk.waits(c1, of("a", 8, "r1"));
    desk.waits(c2, of("a", 1, "r2"));
    // With this one it holds too many for the eight.
    let frames = desk.go(says(c1, FromPeer::Claim(of("b", 1, "r3"))));
    assert_eq!((claims(&frames, c1).len(), claims(&frames, c2).len()), (1, 1));
}

#[test]
fn what_others_cannot_use_is_not_kept_from_those_behind() {
    let mut desk = Desk::new();
    desk.enter(conn(1), "small", plain_worker("small", json!({"status": "available", "gpu": 8})));
    let (c1, c2) = (desk.client("c1", 11), desk.client("c2", 12));
    let big = Claim { filters: filters(json!({"gpu": {"$gte": 24}})), ..patient("r1") };
    assert_eq!(desk.waits(c1, big).reason, Reason::NoMatchingWorker);
    desk.claimed(c2, patient("r2"));
}

#[test]
fn places_count_those_who_wait_for_the_same_workers() {
    let mut desk = Desk::new();
    for (name, n, gpu) in [("a", 1, 8), ("b", 2, 24)] {
        desk.enter(conn(n), name, plain_worker(name, json!({"status": "busy", "gpu": gpu})));
    }
    let c1 = desk.client("c1", 11);
    let mut place = |request: &str, filter: serde_json::Value| {
        desk.waits(c1, Claim { filters: filters(filter), ..patient(request) }).place
    };
    assert_eq!(place("r1", json!({"gpu": {"$lt": 10}})), 1);
    assert_eq!(place("r2", json!({"gpu": {"$gt": 10}})), 1, "these two share no worker");
    assert_eq!(place("r3", json!({})), 3);
    assert_eq!(place("r4", json!({"gpu": {"$lt": 10}})), 3, "behind r1 and r3");
}

#[test]
fn those_who_wait_are_told_what_is_new_at_most_once_a_second() {
    let (mut desk, [w1]) = room(["w1"]);
    let (c1, c2, c3) = (desk.client("c1", 11), desk.client("c2", 12), desk.client("c3", 13));
    desk.claimed(c1, claim("r1"));
    desk.waits(c2, patient("r2"));
    desk.waits(c3, patient("r3"));
    desk.wait(2_000);
    assert_eq!(notices(&desk.go(Input::Tick), c3), [], "nothing is new");
    desk.wait(1_000);
    let frames = desk.go(says(c2, FromPeer::Withdraw(Withdraw { request_id: "r2".to_owned() })));
    let told = notices(&frames, c3);
    assert_eq!((frames.len(), told[0].place, &told[0].seat), (1, 1, &None));

    // Several things happen within the next second: one word of it, when that is over.
    desk.wait(10);
    desk.go(says(w1, status("w1", "draining")));
    assert_eq!(notices(&desk.go(registers(conn(2), keyed("w2"), worker_that_is("w2", "busy"))), c3), []);
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(4_000)));
    desk.wait(990);
    let told = notices(&desk.go(Input::Tick), c3);
    let workers = told[0].workers;
    assert_eq!((told.len(), told[0].reason), (1, Reason::AllMatchingBusy));
    assert_eq!((workers.matching, workers.busy, workers.draining), (2, 1, 1));
}

#[test]
fn a_wait_ends_with_the_reason_for_waiting() {
    let (mut desk, [_]) = room(["w1"]);
    let (c1, c2) = (desk.client("c1", 11), desk.client("c2", 12));
    desk.claimed(c1, Claim { lease_ms: 120_000, ..claim("r1") });
    desk.waits(c2, Claim { wait_ms: 60_000, ..claim("r2") });
    desk.wait(59_999);
    assert_eq!(desk.go(Input::Tick).iter().filter(|(conn, _)| *conn == c2).count(), 0);
    desk.wait(1);
    let frames: Vec<_> = desk.go(Input::Tick).into_iter().filter(|(conn, _)| *conn == c2).collect();
    let (_, ToPeer::ClaimRefused(refused)) = only(frames) else { panic!("not refused") };
    assert_eq!((refused.code, refused.reason, refused.workers.busy), (Code::NoFreeWorker, Reason::AllMatchingBusy, 1));
    assert_eq!(desk.room.stats().waiting, 0);
}

#[test]
fn a_wait_is_bounded() {
    let (mut desk, [_]) = room(["w1"]);
    let c1 = desk.client("c1", 11);
    desk.waits(c1, Claim { wait_ms: u64::MAX, filters: filters(json!({"gpu": 1})), ..claim("r1") });
    desk.wait(limits::WAIT_MS);
    let frames: Vec<_> = desk.go(Input::Tick).into_iter().filter(|(conn, _)| *conn == c1).collect();
    assert!(matches!(frames.last(), Some((_, ToPeer::ClaimRefused(_)))), "{frames:?}");
}

#[test]
fn who_withdraws_hears_nothing_and_is_given_nothing() {
    let (mut desk, [w1]) = room(["w1"]);
    let (c1, c2, c3) = (desk.client("c1", 11), desk.client("c2", 12), desk.client("c3", 13));
    let held = desk.claimed(c1, claim("r1")).claim_id;
    desk.waits(c2, patient("r2"));
    let withdraw = |request_id: &str| FromPeer::Withdraw(Withdraw { request_id: request_id.to_owned() });
    desk.go(says(c3, withdraw("r2")));
    assert_eq!(desk.room.stats().waiting, 1, "nobody withdraws for another");
    assert_eq!(desk.go(says(c2, withdraw("r2"))), []);
    assert_eq!(desk.room.stats().waiting, 0);
    assert_eq!(claims(&desk.go(frees(w1, &held)), c2), []);
}

#[test]
fn a_member_over_its_limit_waits_and_keeps_nothing_from_others() {
    let mut desk = Desk::new();
    let (c1, c2) = (desk.client("c1", 101), desk.client("c2", 102));
    for n in 0..10 {
        desk.worker(&format!("w{n}"), n);
    }
    let held: Vec<_> = (0..8).map(|n| desk.claimed(c1, claim(&format!("r{n}")))).collect();
    let waiting = desk.waits(c1, patient("r8"));
    assert_eq!((waiting.reason, waiting.workers.matching, waiting.workers.busy), (Reason::TooManyClaims, 10, 8));
    desk.claimed(c2, claim("r20"));
    let claimed = claims(&desk.go(releases(c1, &held[0].claim_id)), c1);
    assert_eq!(claimed[0].request_id, "r8");
}

#[test]
fn the_line_is_bounded_for_a_member_and_for_the_room() {
    let mut desk = Desk::new();
    let mut asked = 0;
    for n in 0..=limits::LINE / limits::WAITING_CLAIMS {
        let client = desk.client(&format!("c{n}"), 1000 + n as u64);
        for _ in 0..limits::WAITING_CLAIMS.min(limits::LINE - asked) {
            desk.waits(client, patient(&format!("r{asked}")));
            asked += 1;
        }
        let refused = desk.refused(client, patient("r5000"));
        assert_eq!((refused.code, refused.reason), (Code::RateLimited, Reason::LineFull));
        let full = if asked < limits::LINE {
            "32 claims of this member wait, at most 32 are allowed"
        } else {
            "1000 claims wait in this room, at most 1000 are allowed"
        };
        assert_eq!(refused.message, full);
    }
    // Who need not wait is served all the same.
    desk.enter(conn(1), "w1", plain_worker("w1", json!({"status": "available", "gpu": 1})));
    assert_eq!(desk.room.stats().leased, 1, "the first in line has it");
    desk.enter(conn(2), "w2", plain_worker("w2", json!({"status": "maintenance"})));
}

#[test]
fn a_deleted_client_gives_up_its_places_and_its_leases() {
    let (mut desk, [_]) = room(["w1"]);
    let (c1, c2, c3) = (desk.client("c1", 11), desk.client("c2", 12), desk.client("c3", 13));
    desk.claimed(c1, claim("r1"));
    desk.waits(c2, patient("r2"));
    desk.waits(c3, patient("r3"));
    desk.go(calls(1, Call::DeletePeer(peer("c2"))));
    let frames = desk.go(says(c1, FromPeer::Leave));
    assert_eq!(claims(&frames, c3).len(), 1);
}

#[test]
fn a_removed_room_tells_those_who_wait() {
    let (mut desk, [_]) = room(["w1"]);
    let (c1, c2) = (desk.client("c1", 11), desk.client("c2", 12));
    desk.claimed(c1, claim("r1"));
    desk.waits(c2, patient("r2"));
    let frames = desk.go(calls(1, Call::Delete));
    let (_, ToPeer::ClaimRefused(refused)) = &frames[0] else { panic!("{frames:?}") };
    assert_eq!((frames[0].0, refused.code), (c2, Code::RoomNotFound));
    assert_eq!(frames[1], (c1, ended("c1000-1", EndReason::RoomRemoved)));
    assert_eq!(desk.room.next_timeout(), None);
}

#[test]
fn an_estimate_is_the_end_of_the_job_that_makes_room() {
    let mut desk = Desk::new();
    let at = |seconds: u64| START.unix_seconds() + seconds;
    for (name, n, free_at) in [("a", 1, Some(600)), ("b", 2, Some(300)), ("c", 3, None)] {
        let properties = json!({"status": "busy", "free_at": free_at.map(at)});
        desk.enter(conn(n), name, plain_worker(name, properties));
    }
    let c1 = desk.client("c1", 11);
    let mut estimate = |request: &str, count: u32| desk.waits(c1, Claim { count, ..patient(request) }).estimate_ms;
    assert_eq!(estimate("r1", 1), Some(300_000));
    assert_eq!(estimate("r2", 1), Some(600_000));
    assert_eq!(estimate("r3", 1), None, "nobody says when a third one is free");
    // A later epoch moves it a little: that is no news. By more: it is.
    desk.wait(1_000);
    let moved = |seconds: u64| FromPeer::UpdateMetadata(update("b", json!({"properties": {"free_at": at(seconds)}})));
    assert_eq!(notices(&desk.go(says(conn(2), moved(305))), c1), []);
    desk.wait(1_000);
    let told = notices(&desk.go(says(conn(2), moved(400))), c1);
    assert_eq!(told.iter().map(|told| told.estimate_ms).collect::<Vec<_>>(), [Some(398_000)]);
}

#[test]
fn a_worker_does_not_wait_for_itself() {
    let mut desk = Desk::new();
    let both = desk.worker("w1", 1);
    let waiting = desk.waits(both, patient("r1"));
    assert_eq!((waiting.reason, waiting.workers.matching), (Reason::NoMatchingWorker, 0));
    let frames = desk.go(registers(conn(2), keyed("w2"), worker("w2")));
    assert_eq!(claims(&frames, both)[0].worker, peer("w2"));
}

#[test]
fn filters_that_are_written_differently_are_the_same_line() {
    let (mut desk, []) = room([]);
    let c1 = desk.client("c1", 1);
    let of = |text: &str| serde_json::from_str::<Filters>(text).unwrap();
    desk.waits(c1, Claim { filters: of(r#"{"gpu": 1, "role": "worker"}"#), ..patient("r1") });
    let second = Claim { filters: of(r#"{"role":"worker","gpu":1}"#), ..patient("r2") };
    assert_eq!(desk.waits(c1, second).place, 2);
}
