//! Why a claim is refused or waits: the words and the numbers.

use serde_json::{Value, json};
use sleap_rtc_room::RoomConfig;
use sleap_rtc_wire::claim::{Claim, Reason, Workers};
use sleap_rtc_wire::{Code, FromPeer, ToPeer};

use crate::desk::*;

const FREE: &str = "available";
const BUSY: &str = "busy";
const DRAINING: &str = "draining";
const HELD: &str = "maintenance";
const SILENT: &str = "silent";

/// The statuses of the workers, how many are asked for, and what the refusal says and counts.
type Case = (&'static [&'static str], u32, Reason, &'static str, [u32; 5]);

/// A room with workers of these statuses, and the refusal of a claim for so many.
fn refusal(statuses: &[&str], wanted: u32) -> (Reason, String, Workers) {
    let mut desk = Desk::new();
    let asker = desk.client("c1", 101);
    for (n, status) in statuses.iter().enumerate() {
        let (name, conn) = (format!("w{n}"), conn(n as u64 + 1));
        let is_silent = *status == SILENT;
        desk.enter(conn, &name, worker_that_is(&name, if is_silent { FREE } else { status }));
        if is_silent {
            desk.go(closes(conn));
        }
    }
    let refused = desk.refused(asker, Claim { count: wanted, ..claim("r1") });
    assert_eq!(refused.code, Code::NoFreeWorker);
    (refused.reason, refused.message, refused.workers)
}

#[test]
fn each_reason_has_its_numbers() {
    let numbers =
        |[matching, busy, draining, held, silent]: [u32; 5]| Workers { matching, busy, draining, held, silent };
    let cases: [Case; 14] = [
        (&[], 1, Reason::NoMatchingWorker, "no connected worker matches", [0; 5]),
        (&[BUSY], 1, Reason::AllMatchingBusy, "the one worker that matches is busy", [1, 1, 0, 0, 0]),
        (&["reserved", BUSY], 1, Reason::AllMatchingBusy, "all 2 workers that match are busy", [2, 2, 0, 0, 0]),
        (
            &[BUSY, DRAINING, HELD, SILENT],
            1,
            Reason::AllMatchingBusy,
            "1 of 3 workers that match is busy, the others take no work",
            [3, 1, 1, 1, 1],
        ),
        (&[DRAINING], 1, Reason::Draining, "the one worker that matches takes no more work", [1, 0, 1, 0, 0]),
        (&[DRAINING, HELD], 1, Reason::Draining, "1 of 2 workers that match takes no more work", [2, 0, 1, 1, 0]),
        (&[HELD], 1, Reason::Held, "the one worker that matches is kept by its owner", [1, 0, 0, 1, 0]),
        (
            &[HELD, "my own word", DRAINING],
            1,
            Reason::Held,
            "2 of 3 workers that match are kept by their owners",
            [3, 0, 1, 2, 0],
        ),
        (&[SILENT], 1, Reason::Silent, "the one worker that matches is silent", [0, 0, 0, 0, 1]),
        (&[SILENT, SILENT], 1, Reason::Silent, "2 workers that match are silent, none is connected", [0, 0, 0, 0, 2]),
        (
            &[FREE, SILENT],
            2,
            Reason::Silent,
            "1 connected worker matches and 1 that is silent, 2 are asked for",
            [1, 0, 0, 0, 1],
        ),
        (&[FREE, SILENT], 3, Reason::NoMatchingWorker, "1 connected worker matches, 3 are asked for", [1, 0, 0, 0, 1]),
        (
            &[FREE, BUSY],
            2,
            Reason::AllMatchingBusy,
            "1 of the 2 workers that match is free, 2 are asked for",
            [2, 1, 0, 0, 0],
        ),
        (&[FREE, HELD], 2, Reason::Held, "1 of 2 workers that match is kept by its owner", [2, 0, 0, 1, 0]),
    ];
    for (statuses, wanted, reason, message, counts) in cases {
        assert_eq!(refusal(statuses, wanted), (reason, message.to_owned(), numbers(counts)), "{statuses:?} {wanted}");
    }
}

#[test]
fn a_worker_that_finishes_its_job_and_takes_no_more_is_not_waited_for_as_busy() {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 101), desk.worker("w1", 1));
    let used = desk.claimed(c1, claim("r1")).claim_id;
    desk.go(uses(w1, &used));
    desk.go(says(w1, status("w1", "draining")));
    let waiting = desk.waits(c1, patient("r2"));
    assert_eq!((waiting.reason, waiting.workers.draining, waiting.workers.busy), (Reason::Draining, 1, 0));
}

#[test]
fn the_first_reason_that_holds_is_told() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 101);
    for n in 0..8 {
        desk.worker(&format!("w{n}"), n);
    }
    desk.claimed(c1, Claim { count: 8, ..claim("r1") });
    // Whatever the workers do, the member must give one back first.
    assert_eq!(desk.waits(c1, patient("r2")).reason, Reason::TooManyClaims);
    let picky = Claim { filters: filters(json!({"gpu": 1})), ..patient("r3") };
    assert_eq!(desk.waits(c1, picky).reason, Reason::TooManyClaims);
    // And before that: nobody is given anything yet.
    desk.restart(RoomConfig::default());
    let c2 = desk.client("c2", 102);
    let refused = desk.refused(c2, claim("r4"));
    assert_eq!(
        (refused.reason, refused.message.as_str()),
        (Reason::Recovering, "the server has restarted and waits for its workers")
    );
    assert_eq!(refused.workers.silent, 8);
}

#[test]
fn the_numbers_travel_beside_the_reason() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 101);
    desk.enter(conn(1), "w1", worker_that_is("w1", "busy"));
    let frames = desk.go(says(c1, FromPeer::Claim(patient("r1"))));
    let told = frames.iter().find(|(_, frame)| matches!(frame, ToPeer::ClaimWaiting(_))).unwrap();
    let mut told: Value = serde_json::from_str(&told.1.encode()).unwrap();
    let seat = told.as_object_mut().unwrap().remove("seat").unwrap();
    assert_eq!(
        told,
        json!({"type": "claim_waiting", "request_id": "r1", "place": 1, "reason": "all_matching_busy",
            "matching": 1, "busy": 1, "draining": 0, "held": 0, "silent": 0})
    );
    assert_eq!((&seat["asked_at"], &seat["until"]), (&json!(START.0), &json!(START.0 + 600_000)));
    assert_eq!(seat["proof"].as_str().unwrap().len(), 64);
}
