//! The worker goes: nothing of it stays behind, and everybody hears how the job ended.

use std::fs;

use rustix::process::Signal;
use sleap_rtc_cli::exit::Exit;

use super::{SLOW, is_home, only_job, train, train_in_words, until_training};
use crate::house::disk::names;
use crate::house::leftovers::{group, is_alive};
use crate::house::{House, until};

#[test]
fn a_worker_killed_while_training_ends_the_trainer_and_the_job() {
    let house = House::with_room();
    let mut worker = house.worker_with(&[("STANDIN_SLOW_MS", "50"), ("STANDIN_CHILD", "1")]);
    let laptop = house.desk("laptop");
    let client = train_in_words(&laptop, "1000");
    let trainer = worker.trainer();
    client.says("poch 1");
    let job = only_job(&laptop);
    let child: u32 = until("the trainer has a child", || {
        fs::read_to_string(worker.job(&job).join("work/child.pid")).ok()?.trim().parse().ok()
    });
    worker.kill();
    until("the trainer is gone", || (!is_alive(trainer.pid) && !is_alive(child)).then_some(()));
    until("its whole group is gone", || group(trainer.group).is_empty().then_some(()));
    worker.restart(&["--until-eof"]);
    let terminal = worker.ended(&job);
    assert_eq!((&terminal["state"], &terminal["code"]), (&"failed".into(), &"WORKER_LOST".into()), "{terminal}");
    house.until_status("available");
    let told = client.end();
    let fault = told.fails(Exit::WorkerUnreachable);
    assert!(fault.causes.iter().any(|cause| cause.contains("worker was started again")), "{}", fault.text);
    let left = names(&laptop.path().join("models"));
    assert!(!left.contains("r"), "no half model under its final name: {left:?}");
    worker.set(&[]);
    train(&house.desk("other"), "1").end().good();
}

#[test]
fn a_worker_that_is_gone_for_good_is_said_to_be_lost_only_then() {
    let house = House::with_room();
    let mut worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let line = ["train", "flies.pkg.slp", "--config", "centroid.yaml", "--run-name", "r", "--epochs", "1000"];
    let client = laptop.start(&[&line[..], &["--patience", "4s"]].concat());
    client.says("poch 1");
    let job = only_job(&laptop);
    worker.kill();
    client.says("most likely still running");
    let told = client.end();
    let fault = told.fails(Exit::WorkerUnreachable);
    assert!(fault.error.contains("gpu-box") && fault.hints.iter().any(|hint| hint.contains(&job)), "{}", fault.text);
    until("the trainer is gone", || worker.trainers().is_empty().then_some(()));
    // What the hint says works: once the worker is back it tells how the job ended.
    worker.restart(&["--until-eof"]);
    let fault = laptop.run(&["watch", &job]).fails(Exit::WorkerUnreachable);
    assert!(fault.text.contains("started again"), "{}", fault.text);
}

#[test]
fn an_idle_worker_that_is_asked_to_end_leaves_at_once() {
    let house = House::with_room();
    let mut worker = house.worker();
    worker.signal(Signal::TERM);
    assert_eq!(worker.end().code, 0);
    assert_eq!(house.workers().len(), 0, "not even a trace of it");
}

#[test]
fn a_worker_is_ended_while_the_server_is_away() {
    let mut house = House::with_room();
    let mut worker = house.worker();
    house.kill_server();
    worker.program().event("away");
    worker.signal(Signal::INT);
    assert_eq!(worker.end().code, 0);
}

#[test]
fn a_worker_that_is_asked_to_end_finishes_its_job_first() {
    let house = House::with_room();
    let mut worker = house.worker_with(&SLOW);
    // With `--until-eof` whoever started it waits for nothing; without, SIGTERM lets a job finish.
    worker.kill();
    house.until_status("silent");
    worker.restart(&[]);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "3");
    let job = until_training(&client);
    worker.signal(Signal::TERM);
    worker.program().says("Ending");
    // It takes nothing more, and says so.
    assert_ne!(house.status(), "available");
    client.end().good();
    is_home(&laptop, "r", &worker, &job);
    assert_eq!(worker.end().code, 0);
    assert_eq!(house.workers().len(), 0);
}

/// With `--until-eof`, as the demo starts it.
#[test]
fn a_worker_whose_starter_is_gone_ends_with_its_trainer() {
    let house = House::with_room();
    let mut worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "1000");
    let job = until_training(&client);
    worker.close_input();
    assert_eq!(worker.end().code, 0);
    assert!(worker.trainers().is_empty());
    assert_eq!(worker.ended(&job)["code"], "WORKER_LOST");
    assert_eq!(client.end().code, i32::from(Exit::WorkerUnreachable.number()));
    assert_eq!(house.workers().len(), 0);
}

#[test]
fn a_worker_that_must_end_now_takes_its_trainer_with_it_and_says_so() {
    let house = House::with_room();
    let mut worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train_in_words(&laptop, "1000");
    client.says("poch 1");
    let job = only_job(&laptop);
    // Twice: the second one does not wait.
    worker.signal(Signal::TERM);
    let told = client.end();
    assert_eq!(worker.end().code, 0);
    assert!(worker.trainers().is_empty());
    let fault = told.fails(Exit::WorkerUnreachable);
    assert!(fault.text.contains("ended by its owner"), "{}", fault.text);
    assert_eq!(worker.ended(&job)["code"], "WORKER_LOST");
    assert_eq!(house.workers().len(), 0);
}

#[test]
fn a_worker_that_was_started_again_still_has_the_results() {
    let house = House::with_room();
    let mut worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "2");
    let job = until_training(&client);
    client.kill();
    worker.ended(&job);
    worker.kill();
    worker.restart(&["--until-eof"]);
    laptop.run(&["watch", &job]).good();
    is_home(&laptop, "r", &worker, &job);
}

/// Two workers of one installation may not share a device, wherever their data is.
#[test]
fn the_same_device_is_not_offered_twice() {
    let house = House::with_room();
    let worker = house.worker();
    let again = worker.desk().run(&["worker", "--cpu", "--data", worker.data().to_str().unwrap()]);
    again.fails(Exit::Taken);
    let elsewhere = worker.desk().start(&["worker", "--cpu", "--data", "elsewhere", "--until-eof"]).end();
    elsewhere.fails(Exit::Taken);
    assert_eq!(house.workers().len(), 1);
    assert_eq!(house.status(), "available");
}
