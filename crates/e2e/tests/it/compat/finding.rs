//! A Python worker registers, and a Python client finds it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::lab::{Member, word_after};
use super::{Home, Lab, PyWorker, step};

/// What the api's `list_workers` shows to somebody.
pub(crate) fn workers(home: &Home, room: &str) -> Vec<Value> {
    let told = home.start("api.py", &["workers", room]).end().good();
    told.event("workers")["workers"].as_array().expect("workers").clone()
}

/// The status of a worker there; `gone` if it is not.
pub(crate) fn status(member: &Member, worker: &str) -> String {
    let found = workers(&member.home, &member.room).into_iter().find(|seen| seen["id"] == worker);
    found.map_or("gone".to_owned(), |worker| worker["status"].as_str().unwrap_or("none").to_owned())
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// From the start of the worker's process to the moment when a client that looks all the time sees it.
#[test]
fn a_worker_with_an_account_key_is_found_within_seconds() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let mut watch = ada.home.start("api.py", &["watch", &ada.room]);
    watch.event("watching");
    let machine = lab.machine("gpu-box", &[]);
    let start = now();
    let worker = step("worker with an account key", || {
        PyWorker::start(machine, &["--account-key", &ada.key, "--room", &ada.room])
    });
    let seen = step("discovery", || {
        watch.until("the worker", |seen| {
            seen["workers"].as_array().is_some_and(|all| all.iter().any(|w| w["id"] == *worker.id))
        })
    });
    println!("found {:.2} s after the start of the worker's process", seen["at"].as_f64().expect("a time") - start);
    assert_eq!(seen["workers"][0]["status"], "available");
    watch.close_input();
}

#[test]
fn a_worker_with_a_worker_token_is_found_and_leaves_in_order() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let told = ada.home.run(&["token", "create", "--room", &ada.room, "--name", "gpu-box"]);
    let token = word_after(&told, "API Key:");
    let worker = step("worker with a token", || PyWorker::start(lab.machine("gpu-box", &[]), &["--api-key", &token]));
    let seen = step("list_workers", || workers(&ada.home, &ada.room));
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!(seen[0]["id"], worker.id);
    let start = Instant::now();
    worker.screen.signal(rustix::process::Signal::INT);
    step("a worker ends on SIGINT", || worker.screen.end());
    println!("a worker ends {:.2} s after SIGINT", start.elapsed().as_secs_f64());
    assert!(workers(&ada.home, &ada.room).is_empty());
}

/// Tags, `filters.room_id` and what the server keeps to itself: a worker that has changed its status is still found by its tags,
/// and nothing of its key or token is shown.
#[test]
fn hazard_07_and_09_a_worker_that_has_changed_its_status_is_found_by_its_tags_in_its_room() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    let mut hold = ada.home.start("hold.py", &[&ada.room, &worker.id]);
    hold.event("open");
    // The worker has sent `{"properties": {"status": "reserved"}}`; the api asks with a tag and with `room_id` in its filters.
    let seen = workers(&ada.home, &ada.room);
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!(seen[0]["metadata"]["tags"][0], "sleap-rtc");
    assert_ne!(seen[0]["status"], "available");
    let text = seen[0]["metadata"].to_string();
    assert!(!text.contains("slp_") && !text.contains("_account_key_id") && !text.contains("_token_id"), "{text}");
    hold.close_input();
    hold.end().good();
}
