use serde_json::{Value, json};
use sleap_rtc_room::{Effect, Fact, Input, RoomConfig, Stats};
use sleap_rtc_wire::claim::{Claim, ClaimGranted, ClaimRefused, Claimed, EndReason, Reason, Workers};
use sleap_rtc_wire::record::RoomKind;
use sleap_rtc_wire::{Code, ConnId, FromPeer, JobId, ToPeer, limits};

use crate::desk::*;

#[test]
fn looking_and_taking_are_one_step() {
    let (mut desk, c1, w1) = pair();
    let effects = desk.put(says(c1, FromPeer::Claim(claim("r1"))));
    let lease_until = START.plus_ms(30_000);
    let granted = ClaimGranted {
        claim_id: claim_id("c1000-1"),
        fence: fence(1_000, 1),
        client: peer("c1"),
        client_key: Some(key("c1")),
        job_id: JobId::new("job-1").unwrap(),
        attempt: 1,
        lease_until,
    };
    let claimed = Claimed {
        request_id: "r1".to_owned(),
        claim_id: claim_id("c1000-1"),
        fence: fence(1_000, 1),
        worker: peer("w1"),
        worker_key: Some(key("w1")),
        lease_until,
    };
    assert_eq!(
        effects,
        [sent(w1, ToPeer::ClaimGranted(granted)), sent(c1, ToPeer::Claimed(claimed)), Effect::Report(Fact::Granted)]
    );
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("reserved"));
    assert_eq!(desk.found(c1, "c1", json!({"status": "available"})), [""; 0]);
}

#[test]
fn a_used_claim_shows_its_job_and_ends_only_by_the_worker() {
    let (mut desk, c1, w1) = pair();
    let id = desk.claimed(c1, claim("r1")).claim_id;
    desk.wait(1_500);
    assert_effects(desk.put(uses(w1, &id)), []);
    let list = desk.list(c1, "c1", json!({"status": "busy"}));
    let shown = json!({"tags": ["sleap-rtc"], "properties":
        {"status": "busy", "current_job_id": "job-1", "job_start_time": 2.5}});
    assert_eq!(Value::from(list[0].metadata.clone()), shown);

    assert_eq!(refused(desk.go(releases(c1, &id)), c1), Code::Forbidden);
    desk.wait(10 * HOUR);
    assert_effects(desk.put(Input::Tick).into_iter().filter(not_ping).collect(), []);
    assert_effects(desk.put(frees(w1, &id)), [sent(c1, ended("c1000-1", EndReason::Finished))]);
    assert_eq!(desk.found(c1, "c1", json!({"status": "available"})), ["w1"]);
    assert_eq!(desk.shown(c1, "c1", "w1", "current_job_id"), json!(null));
}

#[test]
fn what_a_worker_says_of_itself_does_not_hide_a_claim() {
    let (mut desk, c1, w1) = pair();
    let id = desk.claimed(c1, claim("r1")).claim_id;
    let (_, frame) = only(desk.go(says(w1, status("w1", "available"))));
    let ToPeer::MetadataUpdated { metadata, .. } = frame else { panic!("{frame:?}") };
    assert_eq!(metadata.property("status"), Some(&json!("reserved")));

    let mut take = update("w1", json!({"properties": {"status": "reserved"}}));
    take.condition = Some(filters(json!({"status": "available"})));
    assert_eq!(refused(desk.go(says(w1, FromPeer::UpdateMetadata(take))), w1), Code::Conflict);

    // `busy` was about the claim and goes with it; another word is the worker's own and stays.
    desk.go(says(w1, status("w1", "busy")));
    desk.go(releases(c1, &id));
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("available"));
    let id = desk.claimed(c1, claim("r2")).claim_id;
    desk.go(says(w1, status("w1", "maintenance")));
    desk.go(releases(c1, &id));
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("maintenance"));
}

#[test]
fn an_unused_claim_ends_with_its_lease() {
    let (mut desk, c1, w1) = pair();
    let id = desk.claimed(c1, claim("r1")).claim_id;
    desk.wait(29_999);
    assert_effects(desk.tick(), []);
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(30_000)));
    desk.wait(1);
    let gone = ended("c1000-1", EndReason::LeaseExpired);
    // The worker comes at the very moment at which it is too late.
    let effects = desk.put(uses(w1, &id));
    let too_late = error(Code::ClaimNotFound, "no claim c1000-1 of this peer");
    assert_effects(
        effects.into_iter().filter(not_ping).collect(),
        [sent(c1, gone.clone()), sent(w1, gone), sent(w1, too_late)],
    );
    assert_eq!(desk.found(c1, "c1", json!({"status": "available"})), ["w1"]);
}

#[test]
fn a_lease_is_bounded() {
    let (mut desk, c1, _) = pair();
    let claimed = desk.claimed(c1, Claim { lease_ms: u64::MAX, ..claim("r1") });
    assert_eq!(claimed.lease_until, START.plus_ms(limits::LEASE_MS));
}

#[test]
fn a_client_gives_a_claim_back() {
    let (mut desk, c1, w1) = pair();
    let id = desk.claimed(c1, claim("r1")).claim_id;
    let gone = ended("c1000-1", EndReason::Released);
    assert_effects(desk.put(releases(c1, &id)), [sent(c1, gone.clone()), sent(w1, gone)]);
    assert_eq!(refused(desk.go(releases(c1, &id)), c1), Code::ClaimNotFound);
    assert_eq!(desk.claimed(c1, claim("r2")).fence, fence(1_000, 2));
}

#[test]
fn nobody_touches_the_claim_of_another() {
    let (mut desk, c1, w1) = pair();
    let id = desk.claimed(c1, claim("r1")).claim_id;
    let (c2, w2) = (desk.client("c2", 3), desk.worker("w2", 4));
    assert_eq!(refused(desk.go(releases(c2, &id)), c2), Code::ClaimNotFound);
    assert_eq!(refused(desk.go(releases(w1, &id)), w1), Code::ClaimNotFound);
    assert_eq!(refused(desk.go(uses(w2, &id)), w2), Code::ClaimNotFound);
    assert_eq!(refused(desk.go(frees(c1, &id)), c1), Code::ClaimNotFound);
    assert_eq!(desk.room.stats().leased, 1);
}

#[test]
fn the_worker_that_has_been_idle_longest_is_next() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
        desk.worker(name, 10 + n as u64);
    }
    let mut given = Vec::new();
    for n in 0..5 {
        let claimed = desk.claimed(c1, claim(&format!("r{n}")));
        given.push(claimed.worker.to_string());
        desk.go(releases(c1, &claimed.claim_id));
    }
    assert_eq!(given, ["a", "b", "c", "a", "b"]);
}

#[test]
fn without_a_free_worker_the_reason_is_told_at_once() {
    let (mut desk, c1, _) = pair();
    let c2 = desk.client("c2", 3);
    desk.claimed(c1, claim("r1"));
    assert_eq!(
        desk.put(says(c2, FromPeer::Claim(claim("r1")))),
        [
            refusal(c2, Reason::AllMatchingBusy, "the one worker that matches is busy", 1, 1),
            Effect::Report(Fact::Refused)
        ]
    );
    let picky = Claim { filters: filters(json!({"gpu_memory_mb": {"$gte": 1}})), ..claim("r1") };
    assert_effects(
        desk.put(says(c2, FromPeer::Claim(picky))),
        [refusal(c2, Reason::NoMatchingWorker, "no connected worker matches", 0, 0)],
    );
    // That a worker is busy does not make it another worker.
    let plain = Claim { filters: filters(json!({"role": "worker", "status": "available"})), ..claim("r1") };
    assert_effects(
        desk.put(says(c2, FromPeer::Claim(plain))),
        [refusal(c2, Reason::AllMatchingBusy, "the one worker that matches is busy", 1, 1)],
    );
}

#[test]
fn workers_that_are_not_available_or_know_no_claims_are_never_granted() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    desk.enter(conn(2), "old", plain("old", "worker", json!({"status": "available"})));
    assert_effects(
        desk.put(says(c1, FromPeer::Claim(claim("r1")))),
        [refusal(c1, Reason::NoMatchingWorker, "no connected worker matches", 0, 0)],
    );
    let w1 = desk.worker("w1", 3);
    desk.go(says(w1, status("w1", "draining")));
    assert_effects(
        desk.put(says(c1, FromPeer::Claim(claim("r1")))),
        [refusal_with(
            Reason::Draining,
            "the one worker that matches takes no more work",
            Workers { matching: 1, draining: 1, ..Workers::default() },
            c1,
        )],
    );
}

#[test]
fn several_workers_are_granted_together_or_not_at_all() {
    let (mut desk, c1, _) = pair();
    let two = Claim { count: 2, ..claim("r1") };
    let text = "1 connected worker matches, 2 are asked for";
    assert_effects(
        desk.put(says(c1, FromPeer::Claim(two.clone()))),
        [refusal(c1, Reason::NoMatchingWorker, text, 1, 0)],
    );
    desk.worker("w2", 3);
    let frames = desk.go(says(c1, FromPeer::Claim(two)));
    let claimed: Vec<String> = frames
        .iter()
        .filter_map(|(_, frame)| if let ToPeer::Claimed(claimed) = frame { Some(claimed) } else { None })
        .map(|claimed| format!("{} {} {}", claimed.request_id, claimed.worker, claimed.claim_id))
        .collect();
    assert_eq!(claimed, ["r1 w1 c1000-1", "r1 w2 c1000-2"]);
}

#[test]
fn the_same_request_again_gets_the_same_worker() {
    let (mut desk, c1, _) = pair();
    desk.worker("w2", 3);
    let first = desk.claimed(c1, claim("r1"));
    assert_effects(desk.put(says(c1, FromPeer::Claim(claim("r1")))), [sent(c1, ToPeer::Claimed(first))]);
    assert_eq!(desk.claimed(c1, claim("r2")).worker, peer("w2"));
}

#[test]
fn a_member_holds_a_bounded_number() {
    let mut desk = Desk::new();
    let c1 = desk.client("c1", 1);
    for n in 0..9 {
        desk.worker(&format!("w{n}"), 10 + n);
    }
    for n in 0..8 {
        desk.claimed(c1, claim(&format!("r{n}")));
    }
    let frames = desk.go(says(c1, FromPeer::Claim(claim("r8"))));
    let (_, ToPeer::ClaimRefused(refused)) = only(frames) else { panic!("not refused") };
    assert_eq!((refused.code, refused.reason), (Code::RateLimited, Reason::TooManyClaims));
    assert_eq!(refused.message, "8 claims open and 1 asked for, at most 8 are allowed");
    // The limit is the member's, whatever it calls itself.
    desk.enter(conn(2), "c1", client("c1b"));
    let frames = desk.go(says(conn(2), FromPeer::Claim(claim("r9"))));
    assert!(matches!(only(frames), (_, ToPeer::ClaimRefused(_))));
}

#[test]
fn a_count_out_of_bounds_is_refused() {
    let (mut desk, c1, _) = pair();
    for count in [0, 65] {
        let frames = desk.go(says(c1, FromPeer::Claim(Claim { count, ..claim("r1") })));
        let (_, ToPeer::ClaimRefused(refused)) = only(frames) else { panic!("not refused") };
        assert_eq!(refused.code, Code::TooLarge);
    }
}

#[test]
fn a_request_id_is_bounded() {
    let (mut desk, c1, _) = pair();
    let frames = desk.go(says(c1, FromPeer::Claim(claim(&"r".repeat(limits::REQUEST_ID + 1)))));
    let (_, ToPeer::Error(refused)) = only(frames) else { panic!("not refused") };
    assert_eq!(refused.code, Code::TooLarge);
    assert_eq!(refused.message, "request id of 129 bytes, at most 128 are allowed");
    desk.claimed(c1, claim(&"r".repeat(limits::REQUEST_ID)));
}

#[test]
fn without_a_grace_for_clients_a_lease_goes_with_its_client() {
    let mut desk = Desk::with(record(RoomKind::Named), RoomConfig { client_grace_ms: 0, ..RoomConfig::default() });
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    desk.claimed(c1, claim("r1"));
    assert_effects(desk.put(closes(c1)), [sent(w1, ended("c1000-1", EndReason::LeaseExpired))]);
    assert_eq!(desk.room.stats().leased, 0);
}

#[test]
fn who_did_not_name_the_feature_gets_none_of_it() {
    let (mut desk, _, w1) = pair();
    let old = desk.enter(conn(5), "old", plain("old", "client", json!({})));
    assert_eq!(refused(desk.go(says(old, FromPeer::Claim(claim("r1")))), old), Code::InvalidMessage);
    assert_eq!(desk.room.stats().leased, 0);
    let _ = w1;
}

#[test]
fn a_lost_worker_ends_a_lease_and_keeps_a_job() {
    let (mut desk, c1, w1) = pair();
    desk.claimed(c1, claim("r1"));
    assert_effects(desk.put(closes(w1)), [sent(c1, ended("c1000-1", EndReason::Lost))]);

    desk.worker("w1", 3);
    let id = desk.claimed(c1, claim("r2")).claim_id;
    desk.go(uses(conn(3), &id));
    assert_effects(desk.put(closes(conn(3))), []);
    assert_eq!(
        desk.room.stats(),
        Stats { peers: [("client".to_owned(), 1)].into(), away: 1, silent: 1, ..Stats::default() }
    );
    assert_eq!(desk.found(c1, "c1", json!({})), [""; 0]);
}

#[test]
fn a_lost_client_keeps_its_lease_for_a_reconnect() {
    let (mut desk, c1, w1) = pair();
    let id = desk.claimed(c1, claim("r1")).claim_id;
    desk.put(closes(c1));
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(5_000)));
    desk.wait(4_999);
    let c1 = desk.client("c1", 3);
    desk.wait(20_000);
    assert_effects(desk.tick(), []);

    desk.put(closes(c1));
    desk.wait(5_000);
    assert_effects(
        desk.tick().into_iter().filter(not_ping).collect(),
        [sent(w1, ended(id.as_str(), EndReason::LeaseExpired))],
    );
    assert_eq!(desk.room.stats().leased, 0);
}

#[test]
fn a_lost_client_does_not_end_its_job() {
    let (mut desk, c1, w1) = pair();
    let id = desk.claimed(c1, claim("r1")).claim_id;
    desk.go(uses(w1, &id));
    desk.put(closes(c1));
    desk.wait(HOUR);
    desk.tick();
    assert_eq!(desk.room.stats().used, 1);
    assert_effects(desk.put(frees(w1, &id)), []);
}

#[test]
fn a_stranger_under_the_clients_name_hears_and_ends_nothing() {
    let (mut desk, c1, w1) = pair();
    let id = desk.claimed(c1, claim("r1")).claim_id;
    desk.put(closes(c1));
    let stranger = desk.enter(conn(7), "thief", client("c1"));
    assert_eq!(refused(desk.go(releases(stranger, &id)), stranger), Code::ClaimNotFound);
    desk.wait(5_000);
    assert_effects(desk.tick(), [sent(w1, ended("c1000-1", EndReason::LeaseExpired))]);
}

fn pair() -> (Desk, ConnId, ConnId) {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    (desk, c1, w1)
}

fn refusal(conn: ConnId, reason: Reason, message: &str, matching: u32, busy: u32) -> Effect {
    refusal_with(reason, message, Workers { matching, busy, ..Workers::default() }, conn)
}

fn refusal_with(reason: Reason, message: &str, workers: Workers, conn: ConnId) -> Effect {
    let refused = ClaimRefused {
        request_id: "r1".to_owned(),
        code: Code::NoFreeWorker,
        reason,
        message: message.to_owned(),
        workers,
    };
    sent(conn, ToPeer::ClaimRefused(refused))
}

fn not_ping(effect: &Effect) -> bool {
    !matches!(effect, Effect::Send { frame: ToPeer::Ping, .. } | Effect::Persist { .. })
}
