//! Random peers, workers, claims, liars, failing stores and restarts against named invariants.

mod invariants;
mod seen;
mod steps;
mod world;

use proptest::prelude::*;

use seen::Seen;
use steps::{Step, step};
use world::World;

proptest! {

    #[test]
    fn the_invariants_hold_whatever_comes(steps in prop::collection::vec(step(), 1..200)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check();
        }
        world.check_liveness();
    }
}

/// The premises of the invariants occur: a test of nothing would hold as well.
#[test]
fn the_steps_reach_what_the_invariants_are_about() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = Seen::default();
    for _ in 0..200 {
        let steps: Vec<Step> = prop::collection::vec(step(), 150..200).new_tree(&mut runner).unwrap().current();
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check();
        }
        seen.add(world.seen());
    }
    for (what, times) in seen.list() {
        assert!(times >= 5, "{what}: {times} times");
    }
}
