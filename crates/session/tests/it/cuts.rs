//! A link may be cut after any message: the job still ends once, and the files are the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sleap_rtc_session::Plan;
use sleap_rtc_wire::peer::PeerFrame;

use crate::fixtures::{noise, some_files};
use crate::world::{Late, World};

#[test]
fn a_cut_after_any_message_loses_nothing() {
    let mut whole = World::usual();
    whole.assert_completed();
    for at in 1..=whole.delivered {
        let mut world = World::usual();
        world.cuts.push_back(at);
        world.assert_completed();
        assert!(world.cuts.is_empty() || at == whole.delivered, "the cut at {at} was made");
    }
}

#[test]
fn a_cut_two_stage_job_ends_once() {
    let mut whole = World::new(some_files(), 2);
    whole.assert_completed();
    for at in (1..=whole.delivered).step_by(3) {
        let mut world = World::new(some_files(), 2);
        world.cuts.push_back(at);
        world.assert_completed();
    }
}

#[test]
fn resume_sends_only_the_chunks_that_are_missing() {
    let files = || [("big".to_owned(), noise(3, 6 << 20))].into();
    let mut world = World::new(files(), 1);
    world.until("half of it is there", |world| world.worker_disk.written.len() == 3);
    world.cut();
    world.assert_completed();
    assert_eq!(world.connects, 2);
    let mut written: BTreeMap<_, u32> = BTreeMap::new();
    for hash in &world.worker_disk.written {
        *written.entry(*hash).or_default() += 1;
    }
    assert_eq!((written.len(), written.values().max()), (6, Some(&1)), "each chunk is stored once");
    let wants: Vec<usize> = world
        .frames(false)
        .into_iter()
        .filter_map(|frame| if let PeerFrame::Want { missing, .. } = frame { Some(missing.len()) } else { None })
        .collect();
    assert_eq!(wants, [6, 3]);
}

#[test]
fn a_cut_costs_at_most_the_chunks_in_flight() {
    let files = || [("big".to_owned(), noise(4, 4 << 20))].into();
    let mut whole = World::new(files(), 1);
    whole.assert_completed();
    for at in (1..whole.delivered).step_by(7) {
        let mut world = World::new(files(), 1);
        world.cuts.push_back(at);
        world.assert_completed();
        assert_eq!(world.worker_disk.written.len(), 4);
    }
}

#[test]
fn chunks_of_an_earlier_job_are_not_sent_again() {
    let mut first = World::usual();
    first.assert_completed();
    let mut world = World::usual();
    world.worker_disk.store = first.worker_disk.store;
    world.assert_completed();
    assert_eq!(world.worker_disk.written, []);
}

#[test]
fn a_cut_while_the_results_come_home_resumes_there_too() {
    let mut world = World::usual();
    world.worker_disk.source = [("best.ckpt".to_owned(), noise(5, 3 << 20))].into();
    world.until("a chunk is home", |world| world.client_disk.written.len() == 1);
    world.cut();
    world.assert_completed();
    assert_eq!(world.client_disk.written.len(), 3);
}

#[test]
fn the_worker_restarts_after_the_end_and_the_results_still_come() {
    let mut world = World::usual();
    world.until("it has ended", |world| world.ends.len() == 1);
    world.restart_worker();
    world.until("the client is home", |world| world.outcome.is_some());
    assert_eq!(world.client_disk.made, world.worker_disk.source);
    assert_eq!(world.recorded_ends(), 1);
    assert_eq!(world.shown_ends(), 1);
    world.replace_client(Plan::Attach { from_seq: 1, results: false });
    world.finish();
    assert_eq!(world.shown_ends(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_number_of_cuts_loses_nothing(gaps in prop::collection::vec(1u64..40, 0..12)) {
        let mut world = World::usual();
        let mut at = 0;
        for gap in gaps {
            at += gap;
            world.cuts.push_back(at);
        }
        world.assert_completed();
    }
}

#[test]
fn an_acknowledgement_waits_for_the_proof() {
    let mut world = World::usual();
    // An event is taken and not yet acknowledged when the link goes, and the next one goes during its proof.
    world.cuts.extend([8, 9]);
    world.assert_completed();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn answers_of_the_disks_may_come_late_and_in_any_order(
        seed in any::<u64>(), gaps in prop::collection::vec(1u64..60, 0..6), many in any::<bool>(),
    ) {
        let files = if many { (0..600).map(|n| (format!("f{n}"), noise(n % 500, 40))).collect() } else { some_files() };
        let mut world = World::new(files, 2);
        world.late = Some(Late::new(seed));
        let mut at = 0;
        for gap in gaps {
            at += gap;
            world.cuts.push_back(at);
        }
        world.assert_completed();
    }
}
