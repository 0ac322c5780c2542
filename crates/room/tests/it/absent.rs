//! Workers that are missed: silent, lost, back again, gone for good.

use serde_json::{Value, json};
use sleap_rtc_room::{Answer, Call, CallId, Effect, Input, RoomConfig, Ticket};
use sleap_rtc_wire::claim::{Claim, ClaimGranted, EndReason, HeldClaim, HeldState, Reason};
use sleap_rtc_wire::record::{Change, RoomKind, WorkerRecord};
use sleap_rtc_wire::signal::{AbsentPeer, Discover, Register};
use sleap_rtc_wire::{Code, ConnId, FromPeer, JobId, PeerId, ToPeer};

use crate::desk::*;

const LOST: u64 = 600_000;

/// Who is missed, as `asker` sees it.
fn missed(desk: &mut Desk, asker: ConnId, name: &str, filter: Value) -> Vec<AbsentPeer> {
    let discover = Discover { from_peer_id: peer(name), filters: filters(filter), absent: true };
    match only(desk.go(says(asker, FromPeer::DiscoverPeers(discover)))) {
        (_, ToPeer::PeerList { absent, .. }) => absent,
        other => panic!("no list: {other:?}"),
    }
}

fn statuses(missed: &[AbsentPeer]) -> Vec<(&str, &str)> {
    let status = |peer: &AbsentPeer| peer.metadata.property("status").and_then(Value::as_str).unwrap().to_owned();
    missed.iter().map(|peer| (peer.peer_id.as_str(), if status(peer) == "lost" { "lost" } else { "silent" })).collect()
}

/// A client `c1` on 101, and workers.
fn room<const N: usize>(names: [&str; N]) -> (Desk, ConnId) {
    let mut desk = Desk::new();
    for (n, name) in names.iter().enumerate() {
        desk.worker(name, n as u64 + 1);
    }
    let c1 = desk.client("c1", 101);
    (desk, c1)
}

/// Worker `w1` on connection 1 runs `job-1` of `c1`, and is cut off.
fn cut_off_with_a_job() -> (Desk, ConnId, ClaimGranted) {
    let (mut desk, c1) = room(["w1"]);
    let frames = desk.go(says(c1, FromPeer::Claim(claim("r1"))));
    let granted = frames.into_iter().find_map(|(_, frame)| match frame {
        ToPeer::ClaimGranted(granted) => Some(granted),
        _ => None,
    });
    let granted = granted.unwrap();
    desk.go(uses(conn(1), &granted.claim_id));
    desk.go(closes(conn(1)));
    (desk, c1, granted)
}

fn back_with(grant: &ClaimGranted) -> Register {
    let held = HeldClaim { grant: grant.clone(), state: HeldState::Used, used_at: None };
    Register { claims: vec![held], ..worker("w1") }
}

#[test]
fn a_worker_that_is_cut_off_is_silent_then_lost_then_back() {
    let (mut desk, c1, granted) = cut_off_with_a_job();
    // In no list of peers, at once.
    assert_eq!(desk.found(c1, "c1", json!({})), [""; 0]);
    let list = missed(&mut desk, c1, "c1", json!({"role": "worker"}));
    assert_eq!(statuses(&list), [("w1", "silent")]);
    assert_eq!(list[0].job_id, Some(JobId::new("job-1").unwrap()));
    assert!((list[0].seen_at - 1.0).abs() < 1e-6);
    let counts = |desk: &Desk| {
        let stats = desk.room.stats();
        (stats.silent, stats.lost, stats.away)
    };
    assert_eq!(counts(&desk), (1, 0, 1));

    desk.wait(LOST - 1);
    desk.go(Input::Tick);
    assert_eq!(statuses(&missed(&mut desk, c1, "c1", json!({}))), [("w1", "silent")]);
    desk.wait(1);
    desk.go(Input::Tick);
    assert_eq!(statuses(&missed(&mut desk, c1, "c1", json!({}))), [("w1", "lost")]);
    assert_eq!(counts(&desk), (0, 1, 1), "the claim stays with the worker");

    desk.wait(5_000);
    desk.enter(conn(2), "w1", back_with(&granted));
    let list = desk.list(c1, "c1", json!({"status": "busy"}));
    assert_eq!(list[0].was_silent_ms, Some(LOST + 5_000));
    assert_eq!(missed(&mut desk, c1, "c1", json!({})), []);
    assert_eq!(counts(&desk), (0, 0, 0));
    desk.wait(600_000);
    desk.go(Input::Tick);
    assert_eq!(desk.list(c1, "c1", json!({}))[0].was_silent_ms, None, "old news");
}

#[test]
fn they_are_told_only_to_those_who_ask_and_only_where_they_match() {
    let mut desk = Desk::new();
    desk.enter(conn(1), "w1", plain_worker("w1", json!({"status": "available", "gpu": 8})));
    let c1 = desk.client("c1", 101);
    desk.go(closes(conn(1)));
    let frames = desk.go(says(c1, discover("c1", json!({}))));
    assert!(matches!(&frames[..], [(_, ToPeer::PeerList { absent, .. })] if absent.is_empty()));
    assert_eq!(missed(&mut desk, c1, "c1", json!({"gpu": {"$gte": 8}})).len(), 1);
    for filter in [json!({"gpu": 9}), json!({"role": "client"}), json!({"status": "available"})] {
        assert_eq!(missed(&mut desk, c1, "c1", filter), []);
    }
    let list = missed(&mut desk, c1, "c1", json!({"status": "silent"}));
    assert_eq!(list[0].metadata.property("gpu"), Some(&json!(8)), "what it said last");
}

#[test]
fn who_leaves_for_good_is_not_missed() {
    let (mut desk, c1) = room(["w1", "w2"]);
    let claimed = desk.claimed(c1, claim("r1"));
    assert_eq!(claimed.worker, peer("w1"));
    assert_eq!(desk.workers.len(), 2);
    let frames = desk.go(says(conn(1), FromPeer::Leave));
    assert_eq!(frames, [(c1, ended("c1000-1", EndReason::Lost))]);
    desk.go(closes(conn(1)));
    assert_eq!(missed(&mut desk, c1, "c1", json!({})), []);
    assert_eq!(desk.found(c1, "c1", json!({})), ["w2"]);
    assert_eq!(desk.workers.keys().collect::<Vec<_>>(), [&peer("w2")], "the store does not expect it");
}

#[test]
fn who_knows_no_claims_is_never_missed() {
    let mut desk = Desk::new();
    let old = desk.enter(conn(1), "old", plain("old", "worker", json!({"status": "available"})));
    let c1 = desk.client("c1", 101);
    desk.go(closes(old));
    assert_eq!(missed(&mut desk, c1, "c1", json!({})), []);
    assert!(desk.workers.is_empty());
}

#[test]
fn the_store_is_told_whom_to_expect() {
    let record = |desk: &Desk| desk.workers.get(&peer("w1")).cloned();
    let (mut desk, _) = room(["w1"]);
    let expected = WorkerRecord {
        room_id: desk.room.record().room_id.clone(),
        peer_id: peer("w1"),
        member: key("w1").member(),
        metadata: worker("w1").metadata,
        silent_since: None,
        taken: None,
    };
    assert_eq!(record(&desk), Some(expected.clone()));
    desk.go(says(conn(1), FromPeer::UpdateMetadata(update("w1", json!({"properties": {"gpu": 8}})))));
    assert_eq!(record(&desk), Some(expected.clone()), "not with every word");
    desk.wait(7_000);
    desk.go(closes(conn(1)));
    let silent = record(&desk).unwrap();
    assert_eq!((silent.silent_since, silent.metadata.property("gpu")), (Some(desk.now), Some(&json!(8))));
    desk.worker("w1", 2);
    assert_eq!(record(&desk), Some(expected), "here again, so that a restart does not take it for lost");
}

#[test]
fn nobody_waits_for_these_writes_and_what_failed_is_written_with_the_next() {
    let mut room = sleap_rtc_room::Room::load(record(RoomKind::Named), Vec::new(), RoomConfig::default(), START);
    room.handle(Input::Persisted(Ticket(1)), START);
    let mut put = |input: Input, now| {
        room.handle(input, now);
        std::iter::from_fn(|| room.next_effect()).collect::<Vec<_>>()
    };
    let writes = |effects: &[Effect]| -> Vec<(Ticket, Vec<PeerId>)> {
        let writes = effects.iter().filter_map(|effect| match effect {
            Effect::Persist { ticket, changes } => Some((*ticket, changes)),
            _ => None,
        });
        let names = |changes: &Vec<Change>| {
            let name = |change: &Change| match change {
                Change::PutWorker(record) => record.peer_id.clone(),
                other => panic!("{other:?}"),
            };
            changes.iter().map(name).collect()
        };
        writes.map(|(ticket, changes)| (ticket, names(changes))).collect()
    };
    put(Input::Tick, START);
    let effects = put(registers(conn(1), anonymous("a"), worker("w1")), START);
    assert!(matches!(effects[1], Effect::Send { frame: ToPeer::RegisteredAuth(_), .. }), "{effects:?}");
    let [(first, _)] = writes(&effects)[..] else { panic!("{effects:?}") };
    // One write at a time.
    assert_eq!(writes(&put(registers(conn(2), anonymous("b"), worker("w2")), START)), []);
    let second = writes(&put(Input::PersistFailed(first), START));
    assert_eq!(second[0].1, [peer("w1"), peer("w2")]);
    assert_eq!(writes(&put(Input::PersistFailed(second[0].0), START)), [], "not at once again");
    assert_eq!(writes(&put(Input::Tick, START.plus_ms(59_999))), []);
    let third = writes(&put(Input::Tick, START.plus_ms(60_000)));
    assert_eq!(third[0].1, [peer("w1"), peer("w2")]);
    put(Input::PersistFailed(third[0].0), START.plus_ms(60_000));
    let fourth = writes(&put(registers(conn(3), anonymous("c"), worker("w3")), START.plus_ms(60_001)));
    assert_eq!(fourth[0].1.len(), 3, "with the next write");
}

#[test]
fn a_deleted_peer_is_not_missed_any_more_present_or_not() {
    let (mut desk, c1) = room(["w1"]);
    desk.go(closes(conn(1)));
    let delete = |desk: &mut Desk, n: u64| {
        let effects = desk.put(calls(n, Call::DeletePeer(peer("w1"))));
        let answer = effects.into_iter().find_map(|effect| match effect {
            Effect::Answer { id, answer } if id == CallId(n) => Some(answer),
            _ => None,
        });
        answer.unwrap()
    };
    assert_eq!(delete(&mut desk, 1), Answer::PeerDeleted { room_removed: false });
    assert_eq!(missed(&mut desk, c1, "c1", json!({})), []);
    assert!(desk.workers.is_empty());
    assert_eq!(delete(&mut desk, 2), Answer::NoSuchPeer);
}

#[test]
fn a_job_of_a_silent_worker_counts_against_its_member_one_of_a_lost_worker_does_not() {
    let (mut desk, c1, granted) = cut_off_with_a_job();
    for n in 0..8 {
        desk.worker(&format!("x{n}"), 200 + n);
    }
    let wanted = Claim { count: 8, ..patient("r2") };
    assert_eq!(desk.waits(c1, wanted).reason, Reason::TooManyClaims);
    desk.wait(LOST);
    assert_eq!(claims(&desk.go(Input::Tick), c1).len(), 8);
    desk.enter(conn(2), "w1", back_with(&granted));
    assert_eq!(desk.room.violations(desk.now), [""; 0]);
    assert_eq!(desk.waits(c1, patient("r3")).reason, Reason::TooManyClaims);
}

#[test]
fn they_are_bounded_and_forgotten_in_the_end() {
    let config = RoomConfig { max_peers: 3, forget_ms: 2 * LOST, ..RoomConfig::default() };
    let mut desk = Desk::with(record(RoomKind::Named), config);
    let c1 = desk.client("c1", 101);
    for n in 1..=5 {
        let name = format!("w{n}");
        desk.worker(&name, n);
        desk.wait(1_000);
        desk.go(closes(conn(n)));
    }
    let names = |desk: &mut Desk| -> Vec<String> {
        missed(desk, c1, "c1", json!({})).into_iter().map(|peer| peer.peer_id.to_string()).collect()
    };
    assert_eq!(names(&mut desk), ["w3", "w4", "w5"]);
    assert_eq!(desk.workers.len(), 3);
    desk.restart(RoomConfig { max_peers: 2, forget_ms: 2 * LOST, ..RoomConfig::default() });
    assert_eq!(desk.room.stats().silent, 2);
    assert_eq!(desk.workers.keys().map(PeerId::as_str).collect::<Vec<_>>(), ["w4", "w5"]);
    let c1 = desk.client("c1", 101);
    let names = |desk: &mut Desk| -> Vec<String> {
        missed(desk, c1, "c1", json!({})).into_iter().map(|peer| peer.peer_id.to_string()).collect()
    };
    desk.wait(2 * LOST - 1_000);
    desk.go(Input::Tick);
    assert_eq!(names(&mut desk), ["w5"]);
    desk.wait(1_000);
    desk.go(Input::Tick);
    assert_eq!((names(&mut desk).len(), desk.workers.len()), (0, 0));
}

#[test]
fn a_job_on_a_worker_that_is_forgotten_has_ended() {
    let (mut desk, c1, _) = cut_off_with_a_job();
    desk.wait(RoomConfig::default().forget_ms);
    let frames = desk.go(Input::Tick);
    assert!(frames.contains(&(c1, ended("c1000-1", EndReason::Lost))), "{frames:?}");
    assert_eq!(desk.room.stats().away, 0);
}

#[test]
fn a_room_with_missed_workers_that_hold_nothing_may_be_unloaded() {
    let (mut desk, c1) = room(["w1"]);
    desk.go(closes(c1));
    desk.go(closes(conn(1)));
    assert!(desk.room.may_unload());
    desk.restart(RoomConfig::default());
    assert_eq!(desk.room.stats().silent, 1);
}

#[test]
fn a_name_that_somebody_else_takes_is_not_missed() {
    let (mut desk, c1) = room(["w1"]);
    desk.go(closes(conn(1)));
    // As long as it is silent its name is kept for it.
    desk.wait(599_999);
    assert_eq!(refused(desk.go(registers(conn(2), keyed("another"), client("w1"))), conn(2)), Code::Forbidden);
    desk.wait(1);
    desk.enter(conn(2), "another", client("w1"));
    assert_eq!(missed(&mut desk, c1, "c1", json!({})), []);
    assert!(desk.workers.is_empty());
    assert_eq!(desk.list(c1, "c1", json!({}))[0].was_silent_ms, None);
}
