//! `sleap-rtc demo`: everything at once, and nothing left behind.

use std::path::Path;

use sleap_rtc_cli::exit::Exit;

use crate::house::binary::standin;
use crate::house::{Desk, House, leftovers, until};

/// A desk in an empty home, with the stand-in for the trainer.
fn desk(house: &House, knobs: &[(&str, &str)]) -> Desk {
    let desk = house.desk("anybody");
    let trainer = sleap_rtc_e2e::standin::install(standin(), &desk.path().join("venv"), knobs).unwrap();
    let temporary = desk.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    desk.with("SLEAP_RTC_TRAINER", trainer.to_str().unwrap()).with("TMPDIR", temporary.to_str().unwrap())
}

#[test]
fn the_demo_ends_with_the_path_of_a_model() {
    let house = House::empty();
    let told = desk(&house, &[]).run(&["demo", "--yes"]).good();
    let path = Path::new(told.out.last().expect("a path"));
    assert!(path.ends_with("best.ckpt") && path.is_file(), "{told}");
    assert_eq!(told.out.len(), 1, "standard output is the result and nothing else: {told}");
    for typed in
        ["sleap-rtc server", "sleap-rtc room create", "sleap-rtc worker --cpu", "sleap-rtc train flies.pkg.slp"]
    {
        assert!(told.err.iter().any(|line| line.contains(typed)), "{typed}: {told}");
    }
    assert!(told.err.iter().any(|line| line.contains("byte for byte")), "{told}");
}

/// However it ends: the processes that it started end with it. The house looks for them.
#[test]
fn a_killed_demo_leaves_nothing_behind() {
    let house = House::empty();
    let demo = desk(&house, &[("STANDIN_SLOW_MS", "200")]).start(&["demo", "--yes"]);
    let trainer = until("the demo trains", || {
        leftovers::trainers(house.path()).into_iter().find(|p| p.words.contains(" train "))
    });
    assert!(leftovers::processes(house.path()).len() >= 5, "demo, server, worker, client, trainer");
    demo.kill();
    until("the trainer is gone", || (!leftovers::is_alive(trainer.pid)).then_some(()));
}

#[test]
fn a_demo_whose_trainer_fails_says_so() {
    let house = House::empty();
    let told = desk(&house, &[("STANDIN_FAIL_AFTER_EPOCHS", "1")]).run(&["demo", "--yes"]);
    assert_eq!(told.code, i32::from(Exit::JobFailed.number()), "{told}");
    assert!(told.err.iter().any(|line| line.contains("a fault that a test has asked for")), "{told}");
}
