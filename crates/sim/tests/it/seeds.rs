use sleap_rtc_sim::run_many;

#[test]
fn every_rule_holds_in_two_thousand_worlds() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let sum = run_many(0..2_000, 2_000, threads);
    let failures: Vec<String> =
        sum.failures.iter().map(|failure| format!("seed {}: {}", failure.plan.seed, failure.violation)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(sum.events >= 2_000 * 2_000, "{} events", sum.events);
    assert_eq!(sum.seen.rare(), Vec::<&str>::new(), "what occurs in less than 1 % of the worlds is not proved");
}
