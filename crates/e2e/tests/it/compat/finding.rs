//! A Python worker registers, and a Python client finds it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::lab::{Member, word_after};
use super::{Home, Lab, PyWorker, step};
use crate::house::until;

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

/// Waits until a client would be sent to it.
pub(crate) fn until_free(member: &Member, worker: &str) {
    until("the worker is free", || (status(member, worker) == "available").then_some(()));
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// How long that takes from the start of the worker's process the example `compat_rounds` judges.
#[test]
fn a_client_that_looks_all_the_time_finds_a_worker_with_an_account_key() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let mut watch = ada.home.start("api.py", &["watch", &ada.room]);
    watch.event("watching");
    let machine = lab.machine("gpu-box", &[]);
    let start = now();
    let (_worker, seen) = step("from the start of a worker to being found", || {
        let worker = PyWorker::start(machine, &["--account-key", &ada.key, "--room", &ada.room]);
        let seen = watch.until("the worker", |seen| {
            seen["workers"].as_array().is_some_and(|all| all.iter().any(|w| w["id"] == *worker.id))
        });
        (worker, seen)
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

/// The worker has sent `{"properties": {"status": "reserved"}}` alone. What the server knows of its key is nobody's business.
#[test]
fn hazard_07_a_worker_that_has_changed_its_status_is_still_found_by_its_tags() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    let mut hold = ada.home.start("hold.py", &[&ada.room, &worker.id]);
    hold.event("open");
    // The api asks with a tag.
    let seen = workers(&ada.home, &ada.room);
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!(seen[0]["metadata"]["tags"], serde_json::json!(["sleap-rtc", "training-worker", "inference-worker"]));
    assert_ne!(seen[0]["status"], "available");
    let text = seen[0]["metadata"].to_string();
    assert!(!text.contains("slp_") && !text.contains("_account_key_id") && !text.contains("_token_id"), "{text}");
    hold.close_input();
    hold.end().good();
}

/// The api puts `room_id` among its filters, and no worker has a property of that name.
#[test]
fn hazard_09_a_room_among_the_filters_hides_nobody_and_shows_nobody_elses() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let _worker = lab.worker(&ada);
    let other = step("a second room", || {
        let mut made = ada.home.cli(&["room", "create", "--name", "other"]);
        let text = made.shows("Replace your current default room");
        made.press("n\n");
        assert_eq!(made.end().0, 0, "{text}");
        word_after(&text, "Room ID:")
    });
    assert_eq!(workers(&ada.home, &ada.room).len(), 1);
    assert!(workers(&ada.home, &other).is_empty());
}

/// The worker makes objects of what it is told with exactly the keys that it knows; with any other it never answers.
#[test]
fn hazard_06_a_worker_takes_the_ice_servers_that_it_is_told_of() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    let mut hold = step("connect", || {
        let hold = ada.home.start("hold.py", &[&ada.room, &worker.id]);
        hold.event("open");
        hold
    });
    worker.screen.shows("Creating client PC with 1 ICE server(s)");
    assert!(!worker.screen.text().contains("using public STUN"));
    hold.close_input();
    hold.end().good();
}

/// Only a worker that leads no mesh reads the confirmation, and drops its connection without `properties` in it.
#[test]
fn hazard_08_a_worker_that_leads_no_mesh_reads_the_confirmation_of_its_status() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let jwt = ada.home.credentials()["jwt"].as_str().expect("a token").to_owned();
    let changed = ureq::patch(format!("{}/api/auth/rooms/{}", lab.house.http(), ada.room))
        .header("Authorization", format!("Bearer {jwt}"))
        .send_json(serde_json::json!({"mesh": "reference"}));
    assert_eq!(changed.expect("an answer").status(), 200);
    let key = ["--account-key", &ada.key, "--room", &ada.room];
    let [leader, second] = ["one", "two"].map(|name| PyWorker::start(lab.machine(name, &[]), &key));
    assert!(second.screen.text().contains(&format!("Discovered admin from signaling server: {}", leader.id)));
    let _hold = ada.home.start("hold.py", &[&ada.room, &second.id]);
    step("status of a worker in a mesh", || second.screen.shows("Status updated to: reserved"));
    assert!(second.has_never_dropped_its_link());
}
