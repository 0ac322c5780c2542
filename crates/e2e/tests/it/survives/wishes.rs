//! Stop and cancel, from this terminal and from another.

use rustix::process::Signal;
use sleap_rtc_cli::exit::Exit;

use super::{SLOW, is_home, only_job, train, train_in_words, until_training};
use crate::house::{House, Story, until};

#[test]
fn ctrl_c_says_how_to_go_on_and_the_second_one_cancels() {
    let house = House::with_room();
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train_in_words(&laptop, "1000");
    client.says("poch 1");
    let job = only_job(&laptop);
    client.signal(Signal::INT);
    client.says(&format!("sleap-rtc watch {job}"));
    client.says(&format!("sleap-rtc stop {job}"));
    let line = client.says("poch 3/");
    assert!(client.is_running() && !worker.trainers().is_empty(), "the job goes on: {line}");
    client.signal(Signal::INT);
    let told = client.end();
    assert_eq!(told.code, i32::from(Exit::Cancelled.number()), "{told}");
    assert_eq!(worker.ended(&job)["state"], "cancelled");
    until("the trainer is gone", || worker.trainers().is_empty().then_some(()));
    house.until_status("available");
    assert!(!laptop.path().join("models/r").exists());
}

#[test]
fn stop_from_another_terminal_keeps_the_model() {
    let house = House::with_room();
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "1000");
    let job = until_training(&client);
    let said = laptop.run(&["stop", &job]).good();
    assert!(said.err.iter().chain(&said.out).any(|line| line.contains(&job)), "{said}");
    let story = Story(client.end().good().events());
    let end = &story.last("end")["end"];
    assert_eq!((&end["state"], &end["stopped_early"]), (&"completed".into(), &true.into()), "{end}");
    is_home(&laptop, "r", &worker, &job);
    house.until_status("available");
}

#[test]
fn cancel_from_another_terminal_leaves_no_model() {
    let house = House::with_room();
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "1000");
    let job = until_training(&client);
    laptop.run(&["cancel", &job]).good();
    let told = client.end();
    assert_eq!(told.code, i32::from(Exit::Cancelled.number()), "{told}");
    assert_eq!(worker.ended(&job)["state"], "cancelled");
    until("the trainer is gone", || worker.trainers().is_empty().then_some(()));
    house.until_status("available");
    assert!(!laptop.path().join("models/r").exists());
    // Once more: it is over, and said so.
    let again = laptop.run(&["cancel", &job]);
    assert!(again.err.iter().chain(&again.out).any(|line| line.contains(&job)), "{again}");
}

#[test]
fn a_trainer_that_ignores_sigterm_is_cancelled_all_the_same() {
    let house = House::with_room();
    let worker = house.worker_with(&[("STANDIN_SLOW_MS", "50"), ("STANDIN_IGNORE_SIGTERM", "1")]);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "1000");
    let job = until_training(&client);
    laptop.run(&["cancel", &job]).good();
    assert_eq!(worker.ended(&job)["state"], "cancelled");
    assert_eq!(client.end().code, i32::from(Exit::Cancelled.number()));
    assert!(worker.trainers().is_empty(), "the slot is free only when the group is dead");
}

#[test]
fn nobody_elses_job_can_be_stopped() {
    let house = House::with_room();
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "1000");
    let job = until_training(&client);
    let stranger = house.desk("stranger");
    let fault = stranger.run(&["cancel", &job]).fails(Exit::NoSuchJob);
    assert!(fault.text.contains(&job), "{}", fault.text);
    assert!(!worker.trainers().is_empty());
    laptop.run(&["cancel", &job]).good();
    client.end();
}
