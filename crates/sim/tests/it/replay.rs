use sleap_rtc_sim::{Plan, read_plan, run, write_plan};

#[test]
fn the_same_plan_gives_the_same_world() {
    for seed in 0..50 {
        let plan = Plan::new(seed, 1_000);
        let (one, other) = (run(&plan).0, run(&plan).0);
        assert_eq!((one.hash(), one.steps()), (other.hash(), other.steps()), "seed {seed}");
        assert_eq!(one.seen().table(), other.seen().table(), "seed {seed}");
    }
}

#[test]
fn another_seed_gives_another_world() {
    assert_ne!(run(&Plan::new(1, 1_000)).0.hash(), run(&Plan::new(2, 1_000)).0.hash());
}

#[test]
fn a_plan_that_was_written_is_read_as_it_was() {
    for seed in 0..200 {
        let plan = Plan::new(seed, 2_000);
        assert_eq!(read_plan(&write_plan(&plan)), Ok(plan), "seed {seed}");
    }
}

#[test]
fn what_is_no_plan_is_refused_with_its_line() {
    let bad = read_plan("seed 1 2000\n# a remark\nroom nowhere\n").unwrap_err();
    assert_eq!((bad.line, bad.text.as_str()), (3, "room nowhere"));
}
