//! One try of a job at work at a time.

use serde_json::json;
use sleap_rtc_room::{Input, RoomConfig};
use sleap_rtc_wire::claim::{Claim, ClaimGranted, EndReason, HeldClaim, HeldState, Reason};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, ConnId, FromPeer, ToPeer, limits};

use crate::desk::*;

const LOST: u64 = 600_000;

fn attempt(n: u32) -> Claim {
    Claim { attempt: n, ..claim("r1") }
}

/// Worker `w1` runs the first try of `job-1` of `c1`; `w2` is free.
fn running() -> (Desk, ConnId, ClaimGranted) {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 101), desk.worker("w1", 1));
    let frames = desk.go(says(c1, FromPeer::Claim(attempt(1))));
    let grant = frames.into_iter().find_map(|(_, frame)| match frame {
        ToPeer::ClaimGranted(grant) => Some(grant),
        _ => None,
    });
    let grant = grant.unwrap();
    desk.go(uses(w1, &grant.claim_id));
    desk.worker("w2", 2);
    (desk, c1, grant)
}

/// The same, where `w1` has been cut off for long enough and the second try runs on `w2`.
fn tried_again() -> (Desk, ConnId, ClaimGranted, Claim) {
    let (mut desk, c1, grant) = running();
    desk.go(closes(conn(1)));
    desk.wait(LOST);
    let second = attempt(2);
    let claimed = desk.claimed(c1, second.clone());
    assert_eq!(claimed.worker, peer("w2"));
    desk.go(uses(conn(2), &claimed.claim_id));
    (desk, c1, grant, second)
}

fn holding(name: &str, grant: &ClaimGranted, state: HeldState) -> Register {
    Register { claims: vec![HeldClaim { grant: grant.clone(), state, used_at: None }], ..worker(name) }
}

fn job_runs(desk: &mut Desk, client: ConnId, claim: Claim) -> String {
    let refused = desk.refused(client, claim);
    assert_eq!((refused.code, refused.reason), (Code::Conflict, Reason::JobRuns));
    refused.message
}

#[test]
fn a_job_that_runs_gets_no_second_worker() {
    let (mut desk, c1, _) = running();
    for n in 1..3 {
        assert_eq!(job_runs(&mut desk, c1, attempt(n)), "attempt 1 of this job has worker w1");
        // Waiting would not help.
        let waiting = Claim { wait_ms: HOUR, ..attempt(n) };
        assert_eq!(job_runs(&mut desk, c1, waiting), "attempt 1 of this job has worker w1");
    }
    // Another job, and the same name of somebody else's job.
    desk.claimed(c1, claim("r2"));
    let (c2, _) = (desk.client("c2", 102), desk.worker("w3", 3));
    desk.claimed(c2, attempt(1));
}

#[test]
fn a_silent_worker_may_still_run_it_a_lost_one_is_given_up() {
    let (mut desk, c1, _) = running();
    desk.go(closes(conn(1)));
    desk.wait(LOST - 1);
    desk.go(Input::Tick);
    assert_eq!(job_runs(&mut desk, c1, attempt(2)), "attempt 1 of this job has worker w1");
    desk.wait(1);
    desk.go(Input::Tick);
    let message = "attempt 1 of this job is on w1, which is lost: ask for a later one";
    assert_eq!(job_runs(&mut desk, c1, attempt(1)), message);
    assert_eq!(desk.claimed(c1, attempt(2)).worker, peer("w2"));
    assert_eq!(job_runs(&mut desk, c1, attempt(1)), "attempt 2 of this job has been granted, 1 is asked for");
}

/// The word that a client has come is lost with the connection on which it is said.
#[test]
fn a_silent_worker_may_have_begun_what_it_was_booked_for() {
    // At once, or heard of only when the lease is over.
    for heard_of_after in [0, limits::LEASE_MS] {
        let mut desk = Desk::new();
        let (c1, w1) = (desk.client("c1", 101), desk.worker("w1", 1));
        assert_eq!(desk.claimed(c1, attempt(1)).worker, peer("w1"));
        desk.wait(heard_of_after);
        desk.go(Input::Tick);
        desk.go(closes(w1));
        desk.worker("w2", 2);
        desk.wait(LOST - 1);
        desk.go(Input::Tick);
        assert_eq!(job_runs(&mut desk, c1, attempt(2)), "worker w1 is silent and may run an earlier attempt");
        desk.wait(1);
        desk.go(Input::Tick);
        assert_eq!(desk.claimed(c1, attempt(2)).worker, peer("w2"));
    }
}

#[test]
fn what_a_silent_worker_was_booked_for_since_does_not_hide_what_it_may_have_begun() {
    let mut desk = Desk::new();
    let (c1, c2, w1) = (desk.client("c1", 101), desk.client("c2", 102), desk.worker("w1", 1));
    let first = desk.claimed(c1, attempt(1)).claim_id;
    desk.go(releases(c1, &first));
    // It is dead already, and given to another.
    for _ in 0..3 {
        let next = desk.claimed(c2, claim("r9")).claim_id;
        desk.go(releases(c2, &next));
    }
    desk.go(closes(w1));
    desk.worker("w2", 2);
    assert_eq!(job_runs(&mut desk, c1, attempt(2)), "worker w1 is silent and may run an earlier attempt");
}

#[test]
fn a_worker_that_has_given_its_claim_back_has_begun_nothing() {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 101), desk.worker("w1", 1));
    let claim = desk.claimed(c1, attempt(1)).claim_id;
    desk.go(frees(w1, &claim));
    desk.go(closes(w1));
    desk.worker("w2", 2);
    assert_eq!(desk.claimed(c1, attempt(2)).worker, peer("w2"));
}

#[test]
fn a_job_whose_try_has_ended_may_be_tried_again_at_once() {
    let (mut desk, c1, grant) = running();
    desk.go(frees(conn(1), &grant.claim_id));
    desk.claimed(c1, attempt(2));
}

#[test]
fn a_worker_that_returns_with_an_older_try_cancels_it() {
    let (mut desk, c1, grant, _) = tried_again();
    let frames = desk.go(registers(conn(3), keyed("w1"), holding("w1", &grant, HeldState::Used)));
    let superseded = ended("c1000-1", EndReason::Superseded);
    assert!(matches!(&frames[0], (_, ToPeer::RegisteredAuth(_))), "{frames:?}");
    assert_eq!(frames[1..], [(c1, superseded.clone()), (conn(3), superseded)]);
    // It is busy until it says that it has cancelled.
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("busy"));
    assert_eq!(desk.refused(c1, claim("r2")).reason, Reason::AllMatchingBusy);
    desk.go(says(conn(3), status("w1", "available")));
    assert_eq!(desk.claimed(c1, claim("r2")).worker, peer("w1"));
    assert_eq!(desk.shown(c1, "c1", "w2", "current_job_id"), json!("job-1"));
}

#[test]
fn it_learns_so_even_when_the_newer_try_has_ended() {
    let (mut desk, _, grant, _) = tried_again();
    desk.go(frees(conn(2), &claim_id("c1000-2")));
    let frames = desk.go(registers(conn(3), keyed("w1"), holding("w1", &grant, HeldState::Used)));
    assert_eq!(frames.last(), Some(&(conn(3), ended("c1000-1", EndReason::Superseded))));
}

#[test]
fn a_worker_that_returns_before_the_next_try_is_granted_keeps_its_job() {
    let (mut desk, c1, grant) = running();
    desk.go(says(conn(2), status("w2", "busy")));
    desk.go(closes(conn(1)));
    desk.wait(LOST);
    assert_eq!(desk.waits(c1, Claim { wait_ms: HOUR, ..attempt(2) }).reason, Reason::AllMatchingBusy);
    let frames = desk.go(registers(conn(3), keyed("w1"), holding("w1", &grant, HeldState::Used)));
    let (_, ToPeer::ClaimRefused(refused)) = frames.last().unwrap() else { panic!("{frames:?}") };
    assert_eq!((refused.code, refused.reason), (Code::Conflict, Reason::JobRuns));
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("busy"));
    assert_eq!(desk.room.stats().waiting, 0);
}

#[test]
fn after_a_restart_a_silent_worker_may_run_any_earlier_try() {
    let (mut desk, _, _) = running();
    desk.restart(RoomConfig::default());
    desk.worker("w2", 12);
    let c1 = desk.client("c1", 111);
    desk.wait(5_000);
    desk.go(Input::Tick);
    assert_eq!(job_runs(&mut desk, c1, attempt(2)), "worker w1 is silent and may run an earlier attempt");
    desk.wait(LOST - 5_000);
    desk.go(Input::Tick);
    desk.claimed(c1, attempt(2));
}

#[test]
fn a_worker_that_tells_of_a_later_try_ends_nobodys_job() {
    let (mut desk, _, grant) = running();
    let lie = ClaimGranted { attempt: 9, ..grant.clone() };
    desk.restart(RoomConfig::default());
    let lie = Register { peer_id: Some(peer("liar")), ..holding("liar", &lie, HeldState::Used) };
    desk.enter(conn(30), "liar", lie);
    let frames = desk.go(registers(conn(11), keyed("w1"), holding("w1", &grant, HeldState::Used)));
    assert_eq!(frames.len(), 1, "it goes on: {frames:?}");
    let c1 = desk.client("c1", 111);
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("busy"));
}

#[test]
fn a_lease_that_only_its_worker_tells_of_is_given_up_when_its_client_asks_again() {
    let mut desk = Desk::new();
    let (c1, _) = (desk.client("c1", 101), desk.worker("w1", 1));
    let frames = desk.go(says(c1, FromPeer::Claim(attempt(1))));
    let Some((_, ToPeer::ClaimGranted(grant))) = frames.first() else { panic!("{frames:?}") };
    // The server is killed before the client has heard.
    let grant = grant.clone();
    desk.restart(RoomConfig::default());
    desk.enter(conn(11), "w1", holding("w1", &grant, HeldState::Leased));
    let c1 = desk.client("c1", 111);
    let frames = desk.go(says(c1, FromPeer::Claim(patient("r1"))));
    assert_eq!(frames[0], (c1, ended("c1000-1", EndReason::Released)));
    assert_eq!(frames[1], (conn(11), ended("c1000-1", EndReason::Released)));
    desk.wait(1_500);
    let claimed = claims(&desk.go(Input::Tick), c1);
    assert!(claimed[0].fence > grant.fence);
}

#[test]
fn a_later_try_takes_the_place_of_an_earlier_one_in_line() {
    let mut desk = Desk::new();
    let (c1, c2) = (desk.client("c1", 101), desk.client("c2", 102));
    desk.waits(c1, Claim { wait_ms: HOUR, ..attempt(1) });
    desk.waits(c2, patient("r2"));
    assert_eq!(desk.waits(c1, Claim { wait_ms: HOUR, ..attempt(2) }).place, 1);
    assert_eq!(job_runs(&mut desk, c1, attempt(1)), "a later attempt of this job waits");
    assert_eq!(desk.room.stats().waiting, 2);
}
