//! A worker that comes back: what it must not forget, what it must not go on with, and what it says of the end.

use serde_json::{Value, json};
use sleap_rtc_session::pool_line::{Cause, LONGEST_PAUSE_MS};
use sleap_rtc_session::pool_worker::{ATTEMPTS, EVERY_MS, Effect, Fact, Input, MOVED_MS, Seen, StartRefused};
use sleap_rtc_wire::claim::{ClaimGranted, EndReason};
use sleap_rtc_wire::{Fence, FromPeer, Time, ToPeer};

use crate::pool_worker::{Worker, ended, grant, job, peer, registered};

#[test]
fn a_run_that_a_later_attempt_replaced_is_ended_once_and_frees_the_slot() {
    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.start("c1").unwrap();
    worker.input(Input::Disconnected(Cause::Closed("reset".into())));
    worker.effects();
    worker.sleep();
    worker.input(Input::Connected { id_token: None });
    worker.effects();
    worker.frame(registered(true));
    worker.effects();
    worker.frame(ToPeer::ClaimEnded(ended("c1", EndReason::Superseded)));
    // `register` has said `busy`: until the trainer is gone the slot is not free.
    assert_eq!(worker.acts(), [Effect::Superseded { job: job("j1") }]);
    worker.frame(ToPeer::ClaimGranted(grant("c2", 8)));
    assert_eq!(worker.sent(), [json!({"type": "claim_released", "claim_id": "c2"})]);
    worker.input(Input::JobOver { job: job("j1"), kept: true });
    let effects = worker.acts();
    assert_eq!(effects.len(), 1, "the claim is over already: {effects:?}");
    assert_eq!(status(&effects[0]), "available");
}

#[test]
fn a_lease_that_a_later_attempt_replaced_is_just_over() {
    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.frame(ToPeer::ClaimEnded(ended("c1", EndReason::Superseded)));
    assert_eq!(worker.acts(), [Effect::Withdraw { from: peer("ada"), job: Some(job("j1")) }]);
    assert_eq!(worker.start("c1"), Err(StartRefused::NotExpected));
}

#[test]
fn an_older_attempt_does_not_begin_though_its_fence_is_the_highest() {
    let mut worker = Worker::up();
    honour(&mut worker, tried("c1", 7, 2));
    worker.frame(ToPeer::ClaimEnded(ended("c1", EndReason::Released)));
    worker.effects();
    honour(&mut worker, tried("c2", 8, 1));
    assert_eq!(worker.start("c2"), Err(StartRefused::OlderAttempt));
    let effects = worker.acts();
    let Effect::Send(FromPeer::ClaimReleased(released)) = &effects[1] else { panic!("{effects:?}") };
    assert_eq!(released.claim_id.as_str(), "c2");
    // The same attempt may come again, and a later one.
    honour(&mut worker, tried("c3", 9, 2));
    assert_eq!(worker.start("c3"), Ok(()));
}

#[test]
fn fence_and_attempts_outlive_the_worker_and_later_takeovers() {
    let mut worker = Worker::up();
    let seen = honour(&mut worker, tried("c1", 7, 3));
    // What is on the disk is what the next run begins with.
    let text = serde_json::to_string(&seen).unwrap();
    assert_eq!(text, r#"{"fence":[1,7],"attempts":[["j1",3]]}"#);
    let seen: Seen = serde_json::from_str(&text).unwrap();
    let mut worker = Worker::with(|setup| setup.seen = seen);
    worker.register(true);
    for stale in [Fence { epoch: 1, counter: 7 }, Fence { epoch: 0, counter: 99 }] {
        worker.frame(ToPeer::ClaimGranted(ClaimGranted { fence: stale, ..tried("old", 0, 4) }));
        assert_eq!(worker.sent(), [json!({"type": "claim_released", "claim_id": "old"})]);
    }
    honour(&mut worker, tried("c2", 8, 2));
    assert_eq!(worker.start("c2"), Err(StartRefused::OlderAttempt));
    worker.effects();
    // A room that was taken over again counts on from a higher epoch.
    let over = ClaimGranted { fence: Fence { epoch: 2, counter: 1 }, ..tried("c3", 0, 4) };
    worker.frame(ToPeer::ClaimGranted(over));
    let effects = worker.acts();
    let Effect::Persist(seen) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!((seen.fence, seen.attempt(&job("j1"))), (Fence { epoch: 2, counter: 1 }, Some(4)));
    worker.frame(ToPeer::ClaimGranted(tried("c4", 100, 5)));
    assert_eq!(worker.sent(), [json!({"type": "claim_released", "claim_id": "c4"})]);
}

#[test]
fn only_the_attempts_of_the_last_jobs_are_remembered() {
    let mut worker = Worker::up();
    let mut seen = Seen::default();
    for n in 0..=ATTEMPTS as u64 {
        let id = format!("j{n}");
        seen = honour(&mut worker, ClaimGranted { job_id: job(&id), ..tried(&format!("c{n}"), 10 + n, 2) });
    }
    assert_eq!(seen.attempt(&job("j0")), None);
    assert_eq!(seen.attempt(&job("j1")), Some(2));
    assert_eq!(seen.attempt(&job(&format!("j{ATTEMPTS}"))), Some(2));
}

#[test]
fn the_end_of_a_job_is_told_when_it_is_known_when_it_moved_and_when_it_is_over() {
    let mut worker = training();
    let hour = worker.now.plus_ms(3_600_000);
    assert_eq!(free_at(&mut worker, hour), [json!(hour.0 / 1000)]);
    // Not far enough.
    assert_eq!(free_at(&mut worker, hour.plus_ms(MOVED_MS)), [Value::Null; 0]);
    // Far enough, but too soon after the last.
    let late = hour.plus_ms(MOVED_MS + 1_500);
    assert_eq!(free_at(&mut worker, late), [Value::Null; 0]);
    assert_eq!(worker.worker.next_timeout(), Some(worker.now.plus_ms(EVERY_MS)));
    worker.sleep();
    assert_eq!(told(&mut worker), [json!(late.0.div_ceil(1000))]);
    worker.input(Input::JobOver { job: job("j1"), kept: false });
    assert_eq!(told(&mut worker), [Value::Null]);
}

#[test]
fn near_the_end_smaller_moves_count() {
    let mut worker = training();
    let end = worker.now.plus_ms(100_000);
    free_at(&mut worker, end);
    worker.now = worker.now.plus_ms(EVERY_MS);
    let (near, far) = (end.plus_ms(7_000), end.plus_ms(7_001));
    assert_eq!(free_at(&mut worker, near), [Value::Null; 0], "a tenth of the 70 s that are left");
    assert_eq!(free_at(&mut worker, far).len(), 1);
}

#[test]
fn a_register_says_the_end_that_is_known_and_nothing_of_another_job() {
    let mut worker = training();
    let end = worker.now.plus_ms(100_000);
    worker.input(Input::FreeAt { job: job("other"), at: end });
    assert_eq!(told(&mut worker), [Value::Null; 0]);
    free_at(&mut worker, end);
    worker.input(Input::Disconnected(Cause::Closed("reset".into())));
    worker.effects();
    worker.sleep();
    worker.effects();
    worker.input(Input::Connected { id_token: None });
    assert_eq!(worker.registers()["metadata"]["properties"]["free_at"], json!(end.0.div_ceil(1000)));
    worker.frame(registered(true));
    assert_eq!(told(&mut worker), [Value::Null; 0], "it was told");

    let mut idle = Worker::new();
    idle.tick();
    idle.effects();
    idle.input(Input::Connected { id_token: None });
    assert_eq!(idle.registers()["metadata"]["properties"]["free_at"], Value::Null);
}

#[test]
fn whoever_goes_for_good_says_so_to_a_server_that_asks_for_it() {
    for claims in [true, false] {
        let mut worker = Worker::new();
        worker.register(claims);
        worker.input(Input::Drain);
        let effects = worker.acts();
        assert_eq!(effects.contains(&Effect::Send(FromPeer::Leave)), claims);
        assert_eq!(effects.last(), Some(&Effect::Leave));
    }
    // A job is finished first.
    let mut worker = training();
    worker.input(Input::Drain);
    assert!(!worker.acts().contains(&Effect::Send(FromPeer::Leave)));
    worker.input(Input::JobOver { job: job("j1"), kept: false });
    let effects = worker.acts();
    assert_eq!(effects[effects.len() - 2..], [Effect::Send(FromPeer::Leave), Effect::Leave]);
}

#[test]
fn a_worker_whose_place_was_taken_ends_but_not_while_its_job_runs() {
    let mut idle = Worker::up();
    idle.input(Input::Disconnected(Cause::Replaced));
    assert_eq!(idle.effects(), [Effect::Disconnect, Effect::GiveUp(Cause::Replaced)]);
    assert_eq!(idle.worker.next_timeout(), None);

    let mut worker = training();
    worker.input(Input::Disconnected(Cause::Replaced));
    let away = Fact::Away { cause: Cause::Replaced, retry_in_ms: LONGEST_PAUSE_MS };
    assert_eq!(worker.effects(), [Effect::Disconnect, Effect::Report(away)]);
    worker.input(Input::JobOver { job: job("j1"), kept: true });
    worker.effects();
    worker.sleep();
    assert_eq!(worker.acts(), [Effect::Disconnect, Effect::GiveUp(Cause::Replaced)]);

    // It is needed and takes the place back; thrown out for another reason it comes back as ever.
    let mut worker = training();
    worker.input(Input::Disconnected(Cause::Replaced));
    worker.effects();
    worker.sleep();
    assert_eq!(worker.acts(), [Effect::Connect { fresh: false }]);
    worker.input(Input::Connected { id_token: None });
    worker.frame(registered(true));
    worker.input(Input::JobOver { job: job("j1"), kept: true });
    worker.input(Input::Disconnected(Cause::Closed("reset".into())));
    worker.effects();
    worker.sleep();
    assert_eq!(worker.acts(), [Effect::Connect { fresh: false }]);
}

// Helpers.

/// Up, and `j1` runs.
fn training() -> Worker {
    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.start("c1").unwrap();
    worker.effects();
    worker
}

fn tried(claim: &str, counter: u64, attempt: u32) -> ClaimGranted {
    ClaimGranted { attempt, ..grant(claim, counter) }
}

/// Grants, and answers what went to the disk.
fn honour(worker: &mut Worker, grant: ClaimGranted) -> Seen {
    worker.frame(ToPeer::ClaimGranted(grant));
    let persisted = worker.acts().into_iter().find_map(|effect| match effect {
        Effect::Persist(seen) => Some(seen),
        _ => None,
    });
    let seen = persisted.expect("an honoured grant");
    worker.input(Input::FencePersisted(seen.fence));
    worker.effects();
    seen
}

fn status(effect: &Effect) -> String {
    let Effect::Send(FromPeer::UpdateMetadata(update)) = effect else { panic!("{effect:?}") };
    update.metadata.property("status").and_then(Value::as_str).unwrap().to_owned()
}

/// A new estimate, and what the room is told of it.
fn free_at(worker: &mut Worker, at: Time) -> Vec<Value> {
    worker.input(Input::FreeAt { job: job("j1"), at });
    told(worker)
}

fn told(worker: &mut Worker) -> Vec<Value> {
    let sent = worker.sent().into_iter();
    sent.filter_map(|frame| frame["metadata"]["properties"].get("free_at").cloned()).collect()
}
