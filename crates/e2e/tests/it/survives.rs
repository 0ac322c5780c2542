//! What a lost server, worker, client or link means: the table of lost links, with real processes and real signals.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;
use sleap_rtc_cli::exit::Exit;

use crate::house::disk::{hashes, names};
use crate::house::leftovers::{group, is_alive};
use crate::house::{Desk, House, Program, Story, Worker, until};

/// A job of so many epochs of about a second each.
fn train(laptop: &Desk, epochs: &str) -> Program {
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let line = ["--json", "train", "flies.pkg.slp", "--config", "centroid.yaml", "--run-name", "r", "--epochs", epochs];
    laptop.start(&line)
}

/// The same in words.
fn train_in_words(laptop: &Desk, epochs: &str) -> Program {
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    laptop.start(&["train", "flies.pkg.slp", "--config", "centroid.yaml", "--run-name", "r", "--epochs", epochs])
}

const SLOW: [(&str, &str); 1] = [("STANDIN_SLOW_MS", "50")];

fn job_of(client: &Program) -> String {
    client.event("finding")["job_id"].as_str().expect("an id").to_owned()
}

fn until_training(client: &Program) -> String {
    client.until("an epoch", |event| event["event"] == "epoch");
    job_of(client)
}

/// The one job that a laptop knows of.
fn only_job(laptop: &Desk) -> String {
    let files = names(&laptop.path().join("settings/jobs"));
    let jobs: Vec<&str> = files.iter().filter_map(|name| name.strip_suffix(".json")).collect();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs[0].to_owned()
}

/// Each line of the worker once, in order, and none missing but batches of an epoch that is over.
fn whole(story: &[Value]) {
    let numbers: Vec<u64> = story.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let of = |name: &str| story.iter().filter(|event| event["event"] == name).cloned().collect::<Vec<_>>();
    let epochs: Vec<u64> = of("epoch").iter().filter_map(|event| event["epoch"].as_u64()).collect();
    assert_eq!(epochs, (0..epochs.len() as u64).collect::<Vec<_>>());
    assert_eq!(of("end").len(), 1);
}

/// The model at home is the worker's.
fn is_home(laptop: &Desk, folder: &str, worker: &Worker, job: &str) {
    let there = hashes(&worker.job(job).join("work"));
    let home = hashes(&laptop.path().join("models").join(folder));
    assert!(home.contains_key("best.ckpt"), "{:?}", home.keys());
    for (name, hash) in home {
        assert!(there.values().any(|other| *other == hash), "{name} is not what the worker has");
    }
}

#[test]
fn a_killed_server_leaves_the_job_to_finish_and_the_worker_busy() {
    let mut house = House::with_room();
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "1000");
    let job = until_training(&client);
    assert_eq!(house.status(), "busy");
    house.kill_server();
    let epochs = |client: &Program| client.events().iter().filter(|event| event["event"] == "epoch").count();
    let before = epochs(&client);
    until("training goes on without a server", || (epochs(&client) > before + 1).then_some(()));
    house.restart_server();
    let mut seen_busy = false;
    // As long as the job runs nobody may see its worker as free, back or not.
    while client.is_running() {
        let status = house.status();
        let ended = client.events().iter().any(|event| event["event"] == "end");
        assert!(ended || ["busy", "gone"].contains(&status.as_str()), "the worker is {status} while the job runs");
        if status == "busy" && !ended && !std::mem::replace(&mut seen_busy, true) {
            laptop.run(&["stop", &job]).good();
        }
    }
    assert!(seen_busy, "the worker came back before the job was over");
    Story(client.end().good().events()).has(&["phase training", "phase evaluating", "end", "receiving", "landed"]);
    is_home(&laptop, "r", &worker, &job);
    house.until_status("available");
    // And the room goes on as before.
    let next = train(&house.desk("other"), "1");
    next.end().good();
}

#[test]
fn a_server_that_is_away_at_the_end_is_not_needed_to_bring_the_model_home() {
    let mut house = House::with_room();
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "4");
    let job = until_training(&client);
    house.kill_server();
    client.end().good();
    is_home(&laptop, "r", &worker, &job);
    house.restart_server();
    house.until_status("available");
}

#[test]
fn a_client_killed_while_training_leaves_the_job_to_its_end() {
    let house = House::with_room();
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "6");
    let job = until_training(&client);
    client.kill();
    assert_eq!(house.status(), "busy");
    assert_eq!(worker.ended(&job)["state"], "completed");
    assert!(worker.job(&job).join("work/models/r/best.ckpt").is_file(), "the results are kept");
    house.until_status("available");
    let next = train(&house.desk("other"), "1");
    next.end().good();
    let left = names(&laptop.path().join("models"));
    assert!(left.iter().all(|name| name.starts_with('.')), "no half file under its final name: {left:?}");
}

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
fn a_closed_terminal_leaves_the_job_and_watch_brings_it_home() {
    let house = House::with_room();
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "6");
    let job = until_training(&client);
    client.signal(Signal::HUP);
    let left = client.end();
    assert_eq!(left.code, i32::from(Exit::Interrupted.number()), "{left}");
    assert_eq!(left.event("left")["job_id"], job.as_str());
    let back = Story(laptop.run(&["--json", "watch", &job]).good().events());
    // Over both programs.
    whole(&[left.events(), back.0.clone()].concat());
    back.has(&["connecting", "connected", "phase evaluating", "end", "receiving", "landed"]);
    is_home(&laptop, "r", &worker, &job);
}

/// What came while nobody watched is not lost either.
#[test]
fn a_job_that_ended_alone_is_fetched_later() {
    let house = House::with_room();
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "2");
    let job = until_training(&client);
    client.kill();
    worker.ended(&job);
    let back = laptop.run(&["watch", &job]).good();
    assert!(back.out.iter().any(|line| line.ends_with("models/r")), "{back}");
    is_home(&laptop, "r", &worker, &job);
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

#[test]
fn an_idle_worker_that_is_asked_to_end_leaves_at_once() {
    let house = House::with_room();
    let mut worker = house.worker();
    worker.signal(Signal::TERM);
    assert_eq!(worker.end().code, 0);
    assert_eq!(house.workers().len(), 0, "not even a trace of it");
}

#[test]
fn a_worker_that_is_asked_to_end_finishes_its_job_first() {
    let house = House::with_room();
    let mut worker = house.worker_with(&SLOW);
    // With `--until-eof` whoever started it waits for nothing; without, SIGTERM lets a job finish.
    worker.kill();
    until("the room has noticed", || house.workers().is_empty().then_some(()));
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

/// A laptop that sleeps while its job trains: the link is lost, the job goes on, and not a line is missed.
#[test]
fn a_laptop_that_sleeps_misses_nothing() {
    let mut house = House::with_room();
    house.set("SLEAP_RTC_LOG", "info");
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "1000");
    let job = until_training(&client);
    client.signal(Signal::STOP);
    worker.program().says("link down");
    client.signal(Signal::CONT);
    client.event("reconnecting");
    until("the link is back", || {
        (client.events().iter().filter(|event| event["event"] == "connected").count() == 2).then_some(())
    });
    laptop.run(&["stop", &job]).good();
    let story = Story(client.end().good().events());
    whole(&story.0);
    is_home(&laptop, "r", &worker, &job);
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

#[test]
fn a_server_that_ends_in_order_comes_back_in_order() {
    let mut house = House::with_room();
    let worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "5");
    let job = until_training(&client);
    house.end_server();
    worker.program().event("away");
    house.restart_server();
    worker.program().event("back");
    client.end().good();
    is_home(&laptop, "r", &worker, &job);
    house.until_status("available");
}

/// A running job depends on no server and no room.
#[test]
fn a_room_that_is_deleted_leaves_the_job_to_finish() {
    let house = House::with_room();
    let mut worker = house.worker_with(&SLOW);
    let laptop = house.desk("laptop");
    let client = train(&laptop, "5");
    let job = until_training(&client);
    let body = serde_json::json!({
        "room_id": house.get("SLEAP_RTC_ROOM_ID"), "token": house.get("SLEAP_RTC_ROOM_TOKEN"),
    });
    ureq::post(format!("{}/delete-peers-and-room", house.http())).send_json(body).unwrap();
    house.desk("onlooker").run(&["status"]).fails(Exit::RoomRefused);
    client.end().good();
    is_home(&laptop, "r", &worker, &job);
    // Then there is nothing more to do for the worker.
    worker.end().fails(Exit::RoomRefused);
}
