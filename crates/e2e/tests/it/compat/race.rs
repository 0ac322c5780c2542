//! Two Python clients want one Python worker.

use std::collections::BTreeMap;

use super::steps::at_length;
use super::{Lab, step};

/// A Python worker answers every offer that it gets: the second one must not get there.
#[test]
fn two_clients_never_both_reach_one_worker() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    let rounds = if at_length() { 100 } else { 5 };
    let told = step("race for one worker", || {
        ada.home.start("race.py", &[&ada.room, &worker.id, &rounds.to_string()]).end().good()
    });
    let mut counts = BTreeMap::<String, u32>::new();
    for round in told.events().iter().filter(|event| event["event"] == "round") {
        let mut outcomes: Vec<&str> =
            round["outcomes"].as_array().expect("two").iter().filter_map(|one| one.as_str()).collect();
        outcomes.sort_unstable();
        assert!(round["open"].as_u64() <= Some(1), "{round}");
        assert_ne!(outcomes, ["connected", "connected"], "{round}");
        *counts.entry(outcomes.join(", ")).or_default() += 1;
    }
    println!("{rounds} rounds: {counts:?}");
    assert_eq!(counts.values().sum::<u32>(), rounds);
    assert!(counts.get("busy, connected").is_some_and(|count| *count > rounds / 2), "{counts:?}");
    assert!(worker.has_never_dropped_its_link());
}
