use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sleap_rtc_sim::{hunt, write_plan};
use sleap_rtc_wire::mutation::Mutation;

/// Within so many worlds each broken rule must be found.
const WITHIN: u64 = 1_000;

#[test]
fn each_rule_that_is_broken_on_purpose_is_found() {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(mutation) = Mutation::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let line = match hunt(*mutation, 0..WITHIN, 2_000) {
                        Some(failure) => (
                            true,
                            format!("{mutation:?}: seed {}, {}", failure.plan.seed, failure.violation.rule.name()),
                        ),
                        None => (false, format!("{mutation:?}: not found")),
                    };
                    found.lock().unwrap().push(line);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    let list: Vec<&str> = found.iter().map(|(_, line)| line.as_str()).collect();
    println!("{}", list.join("\n"));
    assert!(found.len() >= 10 && found.iter().all(|(found, _)| *found), "{}", list.join("\n"));
}

#[test]
fn what_breaks_is_made_smaller_and_still_breaks() {
    let failure = hunt(Mutation::LineNotServed, 0..WITHIN, 2_000).expect("found");
    let small = sleap_rtc_sim::with_broken(Mutation::LineNotServed, || sleap_rtc_sim::shrink(&failure));
    assert_eq!(small.violation.rule, failure.violation.rule);
    let lines = |text: String| text.lines().count();
    assert!(lines(write_plan(&small.plan)) < lines(write_plan(&failure.plan)) && small.events <= failure.events);
    let again = sleap_rtc_sim::with_broken(Mutation::LineNotServed, || sleap_rtc_sim::run(&small.plan).1);
    assert_eq!(again.expect("it breaks again").violation, small.violation);
    assert!(sleap_rtc_sim::run(&small.plan).1.is_none(), "without the broken rule it holds");
}
