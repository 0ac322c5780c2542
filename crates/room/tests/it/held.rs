use serde_json::json;
use sleap_rtc_room::{Effect, Room, RoomConfig};
use sleap_rtc_wire::claim::{ClaimGranted, EndReason, HeldClaim, HeldState};
use sleap_rtc_wire::record::{RoomKind, RoomRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, FromPeer, JobId, Time, ToPeer};

use crate::desk::*;

#[test]
fn a_running_job_is_taken_over_by_a_restarted_server() {
    let mut desk = restarted();
    let running = held("c1000-4", fence(1_000, 4), HeldState::Used);
    desk.enter(conn(1), "w1", holding(vec![running]));
    let c1 = desk.client("c1", 2);
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("busy"));
    assert_eq!(desk.shown(c1, "c1", "w1", "job_start_time"), json!(0.0));
    assert_effects(desk.put(frees(conn(1), &claim_id("c1000-4"))), [sent(c1, ended("c1000-4", EndReason::Finished))]);
    assert_eq!(desk.claimed(c1, claim("r1")).fence, fence(1_001, 1));
}

#[test]
fn a_lease_is_taken_over_and_ends_when_it_would_have() {
    let mut desk = restarted();
    let leased = held("c1000-4", fence(1_000, 4), HeldState::Leased);
    desk.enter(conn(1), "w1", holding(vec![leased]));
    let c1 = desk.client("c1", 2);
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("reserved"));
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(9_000)));
    desk.wait(9_000);
    let gone = ended("c1000-4", EndReason::LeaseExpired);
    assert_effects(desk.tick(), [sent(c1, gone.clone()), sent(conn(1), gone)]);
}

#[test]
fn what_cannot_be_true_is_ended() {
    let late = HeldClaim {
        grant: grant("c1000-4", fence(1_000, 4), START),
        ..held("c1000-4", fence(1_000, 4), HeldState::Leased)
    };
    for lie in [
        // A name that does not follow from its fence could be the name of another claim.
        held("c1001-1", fence(1_000, 4), HeldState::Used),
        // Fences of the future, in this epoch and in a later one.
        held("c1001-1", fence(1_001, 1), HeldState::Used),
        held("c1002-1", fence(1_002, 1), HeldState::Used),
        late,
    ] {
        let mut desk = restarted();
        let name = lie.grant.claim_id.to_string();
        let frames = desk.go(registers(conn(1), keyed("w1"), holding(vec![lie])));
        assert_eq!(frames.last(), Some(&(conn(1), ended(&name, EndReason::Lost))));
        let c1 = desk.client("c1", 2);
        assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("available"));
    }
}

#[test]
fn a_forger_occupies_its_own_slot_and_no_other() {
    let mut desk = restarted();
    let running = held("c1000-4", fence(1_000, 4), HeldState::Used);
    desk.enter(conn(9), "forger", Register { peer_id: Some(peer("forger")), ..holding(vec![running.clone()]) });
    desk.enter(conn(1), "w1", holding(vec![running]));
    let c1 = desk.client("c1", 2);
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("busy"));
    desk.go(frees(conn(9), &claim_id("c1000-4")));
    assert_eq!(desk.shown(c1, "c1", "forger", "status"), json!("available"));
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("busy"));
    // What others say of a member does not count against it.
    for n in 0..8 {
        let name = format!("f{n}");
        let lie = held(&format!("c1000-{n}"), fence(1_000, n), HeldState::Used);
        desk.enter(conn(20 + n), &name, Register { peer_id: Some(peer(&name)), ..holding(vec![lie]) });
    }
    desk.worker("free", 40);
    desk.claimed(c1, claim("r2"));
}

#[test]
fn a_forger_ends_no_claim_that_the_room_has_granted_to_another() {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    let claimed = desk.claimed(c1, claim("r1"));
    let lie =
        Register { peer_id: Some(peer("forger")), ..holding(vec![held("c1000-1", fence(1_000, 1), HeldState::Used)]) };
    let frames = desk.go(registers(conn(9), keyed("forger"), lie));
    assert_eq!(frames[1..], [(conn(9), ended("c1000-1", EndReason::Lost))]);
    assert_eq!(refused(desk.go(frees(conn(9), &claimed.claim_id)), conn(9)), Code::ClaimNotFound);
    assert_effects(desk.put(uses(w1, &claimed.claim_id)), []);
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("busy"));
}

#[test]
fn a_worker_that_comes_back_goes_on_with_its_job() {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    let claimed = desk.claimed(c1, claim("r1"));
    desk.go(uses(w1, &claimed.claim_id));
    desk.put(closes(w1));
    assert_eq!(desk.room.stats().away, 1);

    let w1 = desk.enter(conn(3), "w1", holding(vec![held("c1000-1", fence(1_000, 1), HeldState::Used)]));
    assert_eq!((desk.room.stats().away, desk.room.stats().used), (0, 1));
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("busy"));
    assert_effects(desk.put(frees(w1, &claimed.claim_id)), [sent(c1, ended("c1000-1", EndReason::Finished))]);
}

#[test]
fn a_worker_that_comes_back_without_its_job_has_lost_it() {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    let claimed = desk.claimed(c1, claim("r1"));
    desk.go(uses(w1, &claimed.claim_id));
    desk.put(closes(w1));
    let again = Register { metadata: metadata(json!({"properties": {"status": "busy"}})), ..worker("w1") };
    let frames = desk.go(registers(conn(3), keyed("w1"), again));
    assert_eq!(frames[0], (c1, ended("c1000-1", EndReason::Lost)));
    // What it says of itself now is not about that claim.
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("busy"));
}

#[test]
fn the_id_of_a_worker_that_is_away_with_a_job_is_kept_for_it() {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    let claimed = desk.claimed(c1, claim("r1"));
    desk.go(uses(w1, &claimed.claim_id));
    desk.put(closes(w1));
    assert_eq!(refused(desk.go(registers(conn(3), keyed("thief"), worker("w1"))), conn(3)), Code::Forbidden);
}

#[test]
fn a_job_that_began_while_the_worker_was_away_is_running_whatever_the_room_was_told() {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    desk.claimed(c1, claim("r1"));
    desk.put(closes(w1));
    assert_eq!(desk.room.stats().leased, 0);
    desk.enter(conn(3), "w1", holding(vec![held("c1000-1", fence(1_000, 1), HeldState::Used)]));
    assert_eq!(desk.shown(c1, "c1", "w1", "status"), json!("busy"));
    // A mere lease has ended for good.
    let frames = desk.go(registers(
        conn(4),
        keyed("w2"),
        Register { peer_id: Some(peer("w2")), ..holding(vec![held("c1000-1", fence(1_000, 1), HeldState::Leased)]) },
    ));
    assert_eq!(frames.last(), Some(&(conn(4), ended("c1000-1", EndReason::Lost))));
}

#[test]
fn only_one_of_several_held_claims_fits_into_a_slot() {
    let mut desk = restarted();
    let claims = vec![
        held("c1000-9", fence(1_000, 9), HeldState::Leased),
        held("c1000-4", fence(1_000, 4), HeldState::Used),
        held("c1000-2", fence(1_000, 2), HeldState::Used),
    ];
    let frames = desk.go(registers(conn(1), keyed("w1"), holding(claims)));
    assert_eq!(
        frames[1..],
        [(conn(1), ended("c1000-2", EndReason::Lost)), (conn(1), ended("c1000-9", EndReason::Lost)),]
    );
    assert_eq!(desk.room.stats().used, 1);
}

#[test]
fn a_client_and_a_worker_without_the_feature_hold_nothing() {
    let mut desk = restarted();
    let running = vec![held("c1000-4", fence(1_000, 4), HeldState::Used)];
    desk.enter(conn(1), "c1", Register { claims: running.clone(), ..client("c1") });
    desk.enter(conn(2), "w1", Register { features: Vec::new(), ..holding(running) });
    assert_eq!(desk.room.stats().used, 0);
}

#[test]
fn a_restart_keeps_what_was_committed_and_fences_grow() {
    let mut desk = Desk::new();
    let (c1, _) = (desk.client("c1", 1), desk.worker("w1", 2));
    let before = desk.claimed(c1, claim("r1")).fence;
    let mut room = Room::load(desk.room.record().clone(), Vec::new(), RoomConfig::default(), desk.now);
    let Some(Effect::Persist { .. }) = room.next_effect() else { panic!("the epoch is written first") };
    desk.room = room;
    desk.go(sleap_rtc_room::Input::Persisted(sleap_rtc_room::Ticket(1)));
    let (c1, _) = (desk.client("c1", 1), desk.worker("w1", 2));
    let (_, frame) = desk.go(says(c1, FromPeer::Claim(claim("r1")))).remove(1);
    let ToPeer::Claimed(claimed) = frame else { panic!("{frame:?}") };
    assert!(claimed.fence > before);
    assert_eq!(claimed.fence, fence(1_001, 1));
}

/// A room in its second epoch, with nobody in it.
fn restarted() -> Desk {
    Desk::with(RoomRecord { epoch: 1_000, ..record(RoomKind::Named) }, RoomConfig::default())
}

fn holding(claims: Vec<HeldClaim>) -> Register {
    Register { claims, ..worker("w1") }
}

fn held(id: &str, fence: sleap_rtc_wire::Fence, state: HeldState) -> HeldClaim {
    let grant = grant(id, fence, START.plus_ms(9_000));
    HeldClaim { grant, state, used_at: Some(Time(START.0 - 1_000)) }
}

fn grant(id: &str, fence: sleap_rtc_wire::Fence, lease_until: Time) -> ClaimGranted {
    ClaimGranted {
        claim_id: claim_id(id),
        fence,
        client: peer("c1"),
        client_key: Some(key("c1")),
        job_id: JobId::new("job-1").unwrap(),
        attempt: 1,
        lease_until,
    }
}
