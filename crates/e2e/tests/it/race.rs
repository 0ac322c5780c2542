//! Nobody books a worker twice. The 200 rounds over real sockets are in `crates/server/tests/it/claims.rs`; here are whole
//! processes.

use rustix::process::Signal;
use sleap_rtc_cli::exit::Exit;

use crate::house::{Desk, House, Program, Story, until};

const ROUNDS: usize = 10;

/// A job that runs until somebody ends it.
fn train(desk: &Desk, name: &str, more: &[&str]) -> Program {
    desk.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let line =
        ["--json", "train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "1000", "--run-name", name];
    desk.start(&[&line[..], more].concat())
}

fn stop(desk: &Desk, client: Program) -> Story {
    let job = client.event("finding")["job_id"].as_str().expect("an id").to_owned();
    desk.run(&["stop", &job]).good();
    Story(client.end().good().events())
}

#[test]
fn of_two_that_train_at_once_on_one_free_worker_one_does() {
    let house = House::with_room();
    let worker = house.worker_with(&[("STANDIN_SLOW_MS", "20")]);
    let desks = ["ada", "bob"].map(|name| house.desk(name));
    let mut won = [0, 0];
    for round in 0..ROUNDS {
        let name = format!("round-{round}");
        let mut programs = desks.each_ref().map(|desk| Some(train(desk, &name, &[])));
        let loser = until("one of the two is turned away", || {
            programs.iter().position(|program| program.as_ref().is_some_and(|program| !program.is_running()))
        });
        let winner = 1 - loser;
        let lost = programs[loser].take().expect("the loser").end();
        assert_eq!(lost.code, i32::from(Exit::NoWorker.number()), "round {round}: {lost}");
        let fault = lost.fails(Exit::NoWorker);
        assert!(fault.error.contains("free"), "round {round}: {}", fault.text);
        assert!(fault.causes.iter().any(|cause| cause.contains("is busy")), "round {round}: {}", fault.text);
        let client = programs[winner].take().expect("the winner");
        client.until("an epoch", |event| event["event"] == "epoch");
        stop(&desks[winner], client);
        let model = format!("models/{name}");
        assert!(desks[winner].path().join(&model).join("best.ckpt").is_file());
        assert!(!desks[loser].path().join(&model).exists(), "the loser has no model");
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
    let _worker = house.worker_with(&[("STANDIN_SLOW_MS", "20")]);
    let (ada, bob) = (house.desk("ada"), house.desk("bob"));
    let first = train(&ada, "r", &[]);
    first.event("epoch");
    let second = train(&bob, "r", &["--wait", "10m"]);
    let waiting = second.event("waiting");
    assert_eq!(waiting["reason"], "all_matching_busy", "{waiting}");
    stop(&ada, first);
    second.event("epoch");
    stop(&bob, second).has(&["finding", "found", "phase training", "end", "landed"]);
}

#[test]
fn who_waits_may_go() {
    let house = House::with_room();
    let _worker = house.worker_with(&[("STANDIN_SLOW_MS", "20")]);
    let (ada, bob) = (house.desk("ada"), house.desk("bob"));
    let first = train(&ada, "r", &[]);
    first.event("epoch");
    let second = train(&bob, "r", &["--wait", "10m"]);
    second.event("waiting");
    second.signal(Signal::INT);
    assert_eq!(second.end().code, i32::from(Exit::Cancelled.number()));
    assert_eq!(house.status(), "busy", "the other one trains on");
    stop(&ada, first);
    house.until_status("available");
}

#[test]
fn a_job_in_line_is_seen_and_cancelled_from_another_terminal() {
    let house = House::with_room();
    let _worker = house.worker_with(&[("STANDIN_SLOW_MS", "20")]);
    let (ada, bob) = (house.desk("ada"), house.desk("bob"));
    let first = train(&ada, "r", &[]);
    first.event("epoch");
    let second = train(&bob, "r", &["--wait", "10m"]);
    second.event("waiting");
    let job = second.event("finding")["job_id"].as_str().expect("an id").to_owned();
    let shown = bob.run(&["--json", "jobs"]).good().events();
    assert_eq!((shown[0]["job_id"].as_str(), shown[0]["state"].as_str()), (Some(&*job), Some("WAITING")));
    assert_eq!((&shown[0]["waiting"]["place"], &shown[0]["waiting"]["busy"]), (&1.into(), &1.into()));
    assert_eq!(bob.run(&["watch", &job]).fails(Exit::NoWorker).error, format!("job {job} still waits for a worker"));
    bob.run(&["cancel", &job]).good();
    assert_eq!(second.end().code, i32::from(Exit::Cancelled.number()));
    stop(&ada, first);
    house.until_status("available");
}

/// A claim that nobody can use any more is given back, although its lease runs on.
#[test]
fn a_client_killed_before_it_reached_its_worker_does_not_keep_it() {
    let house = House::with_room();
    let worker = house.worker();
    worker.signal(Signal::STOP);
    let client = train(&house.desk("laptop"), "r", &[]);
    client.event("connecting");
    assert_eq!(house.status(), "reserved");
    client.kill();
    house.until_status("available");
    worker.signal(Signal::CONT);
}
