//! Claims that wait.

use sleap_rtc_wire::ConnId;
use sleap_rtc_wire::claim::{Claim, Reason};

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
fn a_claim_that_does_not_wait_overtakes_nobody() {
    let (mut desk, [w1]) = room(["w1"]);
    let (c1, c2, c3) = (desk.client("c1", 11), desk.client("c2", 12), desk.client("c3", 13));
    let held = desk.claimed(c1, claim("r1")).claim_id;
    desk.waits(c2, Claim { count: 2, ..patient("r2") });
    desk.go(frees(w1, &held));
    // Nobody keeps a worker for a claim that cannot be served at all: one worker is connected, two are asked for.
    let held = desk.claimed(c3, claim("r3")).claim_id;
    let w2 = desk.worker("w2", 2);
    let refused = desk.refused(c3, claim("r4"));
    assert_eq!((refused.reason, refused.workers.matching, refused.workers.busy), (Reason::BehindOthers, 2, 1));
    assert_eq!(claims(&desk.go(frees(w1, &held)), c2).len(), 2);
    let _ = w2;
}

fn room<const N: usize>(names: [&str; N]) -> (Desk, [ConnId; N]) {
    let mut desk = Desk::new();
    let mut n = 0;
    let conns = names.map(|name| {
        n += 1;
        desk.worker(name, n)
    });
    (desk, conns)
}

fn patient(request_id: &str) -> Claim {
    Claim { wait_ms: 3_600_000, ..claim(request_id) }
}
