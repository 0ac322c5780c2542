//! What a storm came to.

use std::time::Duration;

use crate::Race;
use crate::rig::Error;
use crate::storm::Records;

/// A hand-over may take so many bare round trips.
const ROUND_TRIPS: f64 = 20.0;
/// What a room that was loaded may wait for its workers, and one second.
const GRACE: Duration = Duration::from_secs(6);

/// Prints all of it; an error if anything is not as it must be.
pub(crate) fn print(race: &Race, records: &Records) -> Result<(), Error> {
    let mut faults = Vec::new();
    println!("violations: {}", records.violations.len());
    for violation in records.violations.iter().take(20) {
        println!("  {violation}");
    }
    if !records.violations.is_empty() {
        faults.push("two on one slot, or a rule broken");
    }
    waits(race, records, &mut faults);
    if race.kill_every.is_some() {
        restarts(records, &mut faults);
    } else {
        hand_overs(records, &mut faults);
    }
    println!("why they waited, as told: {:?}", records.reasons);
    println!("setbacks: {:#?}", records.setbacks);
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ").into()) }
}

fn waits(race: &Race, records: &Records, faults: &mut Vec<&'static str>) {
    let plan = &race.plan;
    let served: Vec<usize> = records.waits.values().map(Vec::len).collect();
    let all: Vec<Duration> = records.waits.values().flatten().copied().collect();
    let fair = plan.hold.as_secs_f64() * (plan.clients as f64 / plan.workers as f64 - 1.0);
    let total: usize = served.iter().sum();
    let possible = race.time.as_secs_f64() / plan.hold.as_secs_f64() * plan.workers as f64;
    println!("jobs: {total}, {:.0} % of what {} slots can hold", total as f64 / possible * 100.0, plan.workers);
    println!(
        "clients served: {} of {}, each {} to {} times",
        served.len(),
        plan.clients,
        served.iter().min().unwrap_or(&0),
        served.iter().max().unwrap_or(&0),
    );
    println!("wait for a slot: {} (fair share {fair:.1} s)", spread(&all, 1.0, "s"));
    if served.len() < plan.clients {
        faults.push("somebody was never served");
    }
}

fn hand_overs(records: &Records, faults: &mut Vec<&'static str>) {
    let bare = at(&records.round_trips, 0.5).as_secs_f64();
    let p99 = at(&records.hand_overs, 0.99).as_secs_f64();
    println!("bare round trip: {}", spread(&records.round_trips, 1e6, "us"));
    println!("from a release to the next grant: {}", spread(&records.hand_overs, 1e6, "us"));
    println!("p99 is {:.1} bare round trips (aim: at most {ROUND_TRIPS})", p99 / bare);
    if p99 > ROUND_TRIPS * bare {
        faults.push("a hand-over took too long");
    }
}

fn restarts(records: &Records, faults: &mut Vec<&'static str>) {
    let first: Vec<Duration> = records.restarts.iter().filter_map(|one| one.grants.values().min().copied()).collect();
    let all: Vec<Duration> = records.restarts.iter().flat_map(|one| one.grants.values().copied()).collect();
    println!("restarts: {}, with grants before the next: {}", records.restarts.len(), first.len());
    println!("from listening to the first grant: {}", spread(&first, 1.0, "s"));
    println!("from listening to the first grant on each worker: {}", spread(&all, 1.0, "s"));
    if first.len() < records.restarts.len() || at(&first, 1.0) > GRACE {
        faults.push("grants did not go on within the grace and one second");
    }
}

/// Sorted anew each time: there are few calls.
fn at(all: &[Duration], share: f64) -> Duration {
    let mut all = all.to_vec();
    all.sort();
    let last = all.len().saturating_sub(1);
    all.get((last as f64 * share) as usize).copied().unwrap_or_default()
}

fn spread(all: &[Duration], factor: f64, unit: &str) -> String {
    let of = |share| at(all, share).as_secs_f64() * factor;
    format!("p50 {:.1}, p90 {:.1}, p99 {:.1}, most {:.1} {unit}", of(0.5), of(0.9), of(0.99), of(1.0))
}
