//! The first seconds after a restart: who is waited for, and what is granted when.

use serde_json::json;
use sleap_rtc_room::{Input, RoomConfig};
use sleap_rtc_wire::claim::{Claim, ClaimEnded, EndReason, HeldClaim, HeldState, Reason};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, ConnId, FromPeer, JobId, ToPeer};

use crate::desk::*;

/// A room with these workers whose server was killed and has started again.
fn restarted<const N: usize>(names: [&str; N]) -> Desk {
    let mut desk = Desk::new();
    for (n, name) in names.iter().enumerate() {
        desk.worker(name, n as u64 + 1);
    }
    desk.wait(60_000);
    desk.restart(RoomConfig::default());
    desk
}

fn granted(desk: &mut Desk, client: ConnId) -> usize {
    claims(&desk.go(Input::Tick), client).len()
}

#[test]
fn nothing_is_granted_before_every_expected_worker_has_answered() {
    let mut desk = restarted(["w1", "w2"]);
    let c1 = desk.client("c1", 101);
    desk.worker("w1", 11);
    let waiting = desk.waits(c1, patient("r1"));
    assert_eq!((waiting.place, waiting.reason), (1, Reason::Recovering));
    assert_eq!((waiting.workers.matching, waiting.workers.silent), (1, 1));
    assert_eq!(desk.refused(c1, claim("r2")).reason, Reason::Recovering);
    desk.wait(3_000);
    assert_eq!(granted(&mut desk, c1), 0);
    let frames = desk.go(registers(conn(12), keyed("w2"), worker("w2")));
    assert_eq!(claims(&frames, c1).len(), 1);
}

#[test]
fn clients_have_a_moment_to_come_back_into_their_order() {
    let mut desk = restarted(["w1"]);
    desk.worker("w1", 11);
    let c1 = desk.client("c1", 101);
    assert_eq!(desk.waits(c1, patient("r1")).reason, Reason::Recovering);
    desk.wait(1_499);
    assert_eq!(granted(&mut desk, c1), 0);
    desk.wait(1);
    assert_eq!(granted(&mut desk, c1), 1);
}

#[test]
fn who_does_not_answer_is_not_waited_for_for_ever() {
    let mut desk = restarted(["w1", "w2"]);
    desk.worker("w1", 11);
    let c1 = desk.client("c1", 101);
    desk.waits(c1, patient("r1"));
    desk.wait(4_999);
    assert_eq!(granted(&mut desk, c1), 0);
    assert_eq!(desk.room.next_timeout(), Some(desk.now.plus_ms(1)));
    desk.wait(1);
    assert_eq!(granted(&mut desk, c1), 1);
    assert_eq!(desk.room.stats().silent, 1);
}

#[test]
fn without_expected_workers_there_is_no_wait() {
    let mut desk = restarted([]);
    desk.worker("w1", 1);
    let c1 = desk.client("c1", 101);
    desk.claimed(c1, claim("r1"));
}

#[test]
fn a_worker_that_was_lost_before_is_not_waited_for() {
    let mut desk = Desk::new();
    desk.worker("w1", 1);
    desk.go(closes(conn(1)));
    desk.wait(600_000);
    desk.restart(RoomConfig::default());
    assert_eq!((desk.room.stats().silent, desk.room.stats().lost), (0, 1));
    desk.worker("w2", 2);
    let c1 = desk.client("c1", 101);
    desk.claimed(c1, claim("r1"));
}

#[test]
fn who_leaves_or_is_deleted_has_answered() {
    let mut desk = restarted(["w1", "w2", "w3"]);
    desk.wait(1_500);
    desk.worker("w1", 11);
    desk.worker("w2", 12);
    desk.go(says(conn(12), FromPeer::Leave));
    let c1 = desk.client("c1", 101);
    desk.waits(c1, patient("r1"));
    let frames = desk.go(calls(1, sleap_rtc_room::Call::DeletePeer(peer("w3"))));
    assert_eq!(claims(&frames, c1).len(), 1);
}

#[test]
fn a_server_that_was_away_for_a_moment_does_not_make_its_workers_silent() {
    let mut desk = restarted(["w1", "w2"]);
    let c1 = desk.client("c1", 101);
    desk.wait(2_000);
    desk.worker("w1", 11);
    desk.wait(10_000);
    desk.worker("w2", 12);
    let silent: Vec<_> = desk.list(c1, "c1", json!({"role": "worker"})).iter().map(|peer| peer.was_silent_ms).collect();
    assert_eq!(silent, [None, Some(12_000)]);
}

#[test]
fn nor_does_one_that_was_stopped_in_good_order() {
    let mut desk = Desk::new();
    desk.worker("w1", 1);
    desk.go(closes(conn(1)));
    desk.wait(3_000);
    desk.restart(RoomConfig::default());
    let c1 = desk.client("c1", 101);
    desk.worker("w1", 11);
    assert_eq!(desk.list(c1, "c1", json!({"role": "worker"}))[0].was_silent_ms, None);
}

#[test]
fn who_is_missed_over_several_restarts_is_lost_in_time() {
    let mut desk = restarted(["w1"]);
    for _ in 0..20 {
        desk.wait(30_000);
        desk.go(Input::Tick);
        desk.restart(RoomConfig::default());
    }
    assert_eq!((desk.room.stats().silent, desk.room.stats().lost), (0, 1));
}

#[test]
fn running_jobs_are_taken_over_and_the_free_go_to_those_who_asked_first() {
    let mut desk = Desk::new();
    let (w1, _) = (desk.worker("w1", 1), desk.worker("w2", 2));
    let clients: Vec<ConnId> = (0..4).map(|n| desk.client(&format!("c{n}"), 100 + n)).collect();
    let frames = desk.go(says(clients[0], FromPeer::Claim(claim("r0"))));
    let grant = frames.into_iter().find_map(|(conn, frame)| match frame {
        ToPeer::ClaimGranted(grant) if conn == w1 => Some(grant),
        _ => None,
    });
    let grant = grant.unwrap();
    desk.go(uses(w1, &grant.claim_id));
    let used = desk.claimed(clients[1], claim("r1")).claim_id;
    desk.go(uses(conn(2), &used));
    let seats: Vec<_> = (2..4)
        .map(|n| {
            desk.wait(10);
            desk.waits(clients[n], patient(&format!("r{n}"))).seat
        })
        .collect();
    desk.restart(RoomConfig::default());

    // They come back in the wrong order; w2's job has ended meanwhile.
    let late = desk.client("c3", 203);
    let second = Claim { seat: seats[1].clone(), ..patient("r3") };
    assert_eq!(desk.waits(late, second).reason, Reason::Recovering);
    desk.worker("w2", 12);
    let held = HeldClaim { grant, state: HeldState::Used, used_at: None };
    desk.enter(conn(11), "w1", Register { claims: vec![held], ..worker("w1") });
    let early = desk.client("c2", 202);
    let first = Claim { seat: seats[0].clone(), ..patient("r2") };
    assert_eq!(desk.waits(early, first).place, 1);
    desk.wait(1_500);
    let frames = desk.go(Input::Tick);
    assert_eq!((claims(&frames, early).len(), claims(&frames, late).len()), (1, 0));
    assert_eq!(desk.shown(late, "c3", "w1", "status"), json!("busy"));
}

#[test]
fn nobody_answers_for_a_worker_that_may_run_something() {
    let mut desk = restarted(["w1"]);
    assert_eq!(refused(desk.go(registers(conn(30), keyed("thief"), worker("w1"))), conn(30)), Code::Forbidden);
    desk.wait(1_500);
    let c1 = desk.client("c1", 11);
    assert_eq!(desk.refused(c1, claim("r1")).reason, Reason::Recovering);
    desk.wait(5_000);
    assert_eq!(desk.refused(c1, Claim { attempt: 2, ..claim("r1") }).reason, Reason::JobRuns);
}

#[test]
fn a_claim_given_back_before_its_worker_has_told_of_it_does_not_come_back() {
    let mut desk = Desk::new();
    let (w1, c1) = (desk.worker("w1", 1), desk.client("c1", 101));
    let frames = desk.go(says(c1, FromPeer::Claim(claim("r1"))));
    let grant = frames.into_iter().find_map(|(conn, frame)| match frame {
        ToPeer::ClaimGranted(grant) if conn == w1 => Some(grant),
        _ => None,
    });
    let grant = grant.unwrap();
    desk.restart(RoomConfig::default());

    let c1 = desk.client("c1", 201);
    assert_eq!(desk.go(releases(c1, &grant.claim_id)), []);
    let held = HeldClaim { grant: grant.clone(), state: HeldState::Leased, used_at: None };
    let frames = desk.go(registers(conn(11), keyed("w1"), Register { claims: vec![held], ..worker("w1") }));
    let lost = ToPeer::ClaimEnded(ClaimEnded { claim_id: grant.claim_id, reason: EndReason::Lost });
    assert_eq!(frames.last(), Some(&(conn(11), lost)));
    desk.wait(1_500);
    desk.go(Input::Tick);
    desk.claimed(c1, Claim { job_id: JobId::new("another").unwrap(), ..claim("r2") });
}
