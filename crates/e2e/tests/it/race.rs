//! Nobody books a worker twice. The 200 rounds over real sockets are in `crates/server/tests/it/claims.rs`; here are whole
//! processes.

use rustix::process::Signal;
use sleap_rtc_cli::exit::Exit;

use crate::house::{Desk, House, Program, Story};

const ROUNDS: usize = 10;

fn train(desk: &Desk, round: usize) -> Program {
    let name = format!("round-{round}");
    desk.start(&["train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "1", "--run-name", &name])
}

#[test]
fn of_two_that_train_at_once_on_one_free_worker_one_does() {
    let house = House::with_room();
    // Long enough that the slower of the two meets a worker that is taken.
    let worker = house.worker_with(&[("STANDIN_SLOW_MS", "60")]);
    let desks = ["ada", "bob"].map(|name| house.desk(name));
    for desk in &desks {
        desk.bring(&["flies.pkg.slp", "centroid.yaml"]);
    }
    let mut won = [0, 0];
    for round in 0..ROUNDS {
        let programs = desks.each_ref().map(|desk| train(desk, round));
        let ended = programs.map(Program::end);
        let winner = usize::from(ended[0].code != 0);
        let (winners, losers) = (&ended[winner], &ended[1 - winner]);
        assert_eq!(winners.code, 0, "round {round}: {winners}\n{losers}");
        let fault = losers.fails(Exit::NoWorker);
        assert!(fault.error.contains("free"), "round {round}: {}", fault.text);
        assert!(fault.causes.iter().any(|cause| cause.contains("taken")), "round {round}: {}", fault.text);
        let model = format!("models/round-{round}");
        assert!(desks[winner].path().join(&model).join("best.ckpt").is_file());
        assert!(!desks[1 - winner].path().join(&model).exists(), "the loser has no model");
        won[winner] += 1;
        house.until_status("available");
    }
    eprintln!("of {ROUNDS} rounds ada won {} and bob {}", won[0], won[1]);
    let started = worker.program().events().iter().filter(|event| event["event"] == "started").count();
    assert_eq!(started, ROUNDS, "one job a round");
}

#[test]
fn who_waits_gets_the_worker_when_it_is_free() {
    let house = House::with_room();
    let _worker = house.worker_with(&[("STANDIN_SLOW_MS", "50")]);
    let (ada, bob) = (house.desk("ada"), house.desk("bob"));
    for desk in [&ada, &bob] {
        desk.bring(&["flies.pkg.slp", "centroid.yaml"]);
    }
    let line = ["--json", "train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "1", "--run-name", "r"];
    let first = ada.start(&line);
    first.until("training", |event| event["phase"] == "training");
    let second = bob.start(&[&line[..], &["--wait", "10m"]].concat());
    let waiting = second.event("waiting");
    assert_eq!(waiting["reason"], "all_matching_busy", "{waiting}");
    first.end().good();
    Story(second.end().good().events()).has(&["finding", "found", "phase training", "end", "landed"]);
}

#[test]
fn who_waits_may_go() {
    let house = House::with_room();
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp"]);
    let _worker = house.worker_with(&[("STANDIN_SLOW_MS", "50")]);
    let first = train_long(&house.desk("ada"));
    let second = laptop.start(&["--json", "train", "flies.pkg.slp", "--run-name", "r", "--wait", "10m"]);
    second.event("waiting");
    second.signal(Signal::INT);
    assert_eq!(second.end().code, i32::from(Exit::Cancelled.number()));
    assert_eq!(house.status(), "busy", "the other one trains on");
    let job = first.event("finding")["job_id"].as_str().unwrap().to_owned();
    house.desk("ada").run(&["stop", &job]).good();
    first.end().good();
    house.until_status("available");
}

/// A claim that nobody can use any more is given back, although its lease runs on.
#[test]
fn a_client_killed_before_it_reached_its_worker_does_not_keep_it() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp"]);
    worker.signal(Signal::STOP);
    let client = laptop.start(&["--json", "train", "flies.pkg.slp", "--run-name", "r"]);
    client.event("connecting");
    assert_eq!(house.status(), "reserved");
    client.kill();
    house.until_status("available");
    worker.signal(Signal::CONT);
}

fn train_long(desk: &Desk) -> Program {
    desk.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let line = ["--json", "train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "1000", "--run-name", "r"];
    let client = desk.start(&line);
    client.until("training", |event| event["phase"] == "training");
    client
}
