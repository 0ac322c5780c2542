//! When those who wait may hope for a worker at the latest.

use serde_json::json;
use sleap_rtc_room::Input;
use sleap_rtc_wire::claim::{Claim, ClaimWaiting, Reason};
use sleap_rtc_wire::{ConnId, FromPeer, JobId, ToPeer};

use crate::desk::*;

#[test]
fn the_place_in_line_names_the_worker_that_is_free_by_then() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    let workers = [("w1", 90), ("w2", 30), ("w3", 60)].map(|(name, seconds)| {
        let conn = desk.worker(name, 10 + seconds);
        let held = desk.claimed(c1, wants(name, 0));
        desk.go(uses(conn, &held.claim_id));
        says_free_in(&mut desk, conn, name, Some(seconds));
        conn
    });
    let waits = ["a", "b", "c", "d"].map(|name| {
        let client = desk.client(name, 100 + u64::from(name.as_bytes()[0]));
        (client, waiting(&desk.go(says(client, FromPeer::Claim(wants(name, 600_000)))), client))
    });
    let told: Vec<(u32, Reason, Option<u64>)> =
        waits.iter().map(|(_, told)| (told.place, told.reason, told.estimate_ms)).collect();
    let busy = Reason::AllMatchingBusy;
    assert_eq!(told, [(1, busy, Some(30_000)), (2, busy, Some(60_000)), (3, busy, Some(90_000)), (4, busy, None)]);

    // A worker that says something else, and one that says nothing any more.
    says_free_in(&mut desk, workers[1], "w2", Some(300));
    says_free_in(&mut desk, workers[0], "w1", None);
    desk.wait(1_000);
    let frames = desk.go(Input::Tick);
    let of = |n: usize| waiting(&frames, waits[n].0).estimate_ms;
    assert_eq!([of(0), of(1), of(2)], [Some(59_000), Some(299_000), None]);
}

fn says_free_in(desk: &mut Desk, conn: ConnId, name: &str, seconds: Option<u64>) {
    let free_at = seconds.map(|seconds| desk.now.plus_ms(1_000 * seconds).0 as f64 / 1000.0);
    let told = update(name, json!({"properties": {"free_at": free_at}}));
    desk.go(says(conn, FromPeer::UpdateMetadata(told)));
}

fn wants(job: &str, wait_ms: u64) -> Claim {
    Claim { wait_ms, job_id: JobId::new(job).unwrap(), ..claim(job) }
}

#[track_caller]
fn waiting(frames: &[(ConnId, ToPeer)], client: ConnId) -> ClaimWaiting {
    let told = frames.iter().find_map(|(conn, frame)| match frame {
        ToPeer::ClaimWaiting(told) if *conn == client => Some(told.clone()),
        _ => None,
    });
    told.unwrap()
}
