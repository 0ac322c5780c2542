//! Workers that have nothing to do.

use std::time::{Duration, Instant};

use super::finding::status;
use super::steps::at_length;
use super::{Lab, step};
use crate::house::until;

/// A Python worker that hears no `ping` of the server for 90 s drops its link. It looks every 30 s.
#[test]
fn hazard_01_an_idle_worker_hears_the_servers_pings_and_keeps_its_link() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    let pings = || worker.screen.text().matches("Received signaling server ping").count();
    if at_length() {
        let start = Instant::now();
        while start.elapsed() < Duration::from_mins(10) {
            std::thread::sleep(Duration::from_secs(5));
            assert!(worker.has_never_dropped_its_link(), "after {:?}", start.elapsed());
        }
        println!("{} pings in ten minutes, and no link was dropped", pings());
    }
    step("idle", || until("it was pinged", || (pings() > 0).then_some(())));
    assert!(worker.has_never_dropped_its_link());
    assert_eq!(status(&ada, &worker.id), "available");
}

/// Three of the Python clients read one frame after each thing that they send, and end on anything else.
#[test]
fn hazard_03_a_client_hears_nothing_that_it_did_not_ask_for() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let mut quiet = ada.home.start("quiet.py", &[&ada.room]);
    quiet.event("listening");
    // Workers and clients come, are busy and go, and the worker is pinged.
    let worker = lab.worker(&ada);
    let mut hold = ada.home.start("hold.py", &[&ada.room, &worker.id]);
    hold.event("open");
    hold.close_input();
    hold.end().good();
    step("a client in a busy room", || worker.screen.shows("Received signaling server ping"));
    let id = worker.id.clone();
    drop(worker);
    until("the worker has gone", || (status(&ada, &id) == "gone").then_some(()));
    quiet.close_input();
    let heard = quiet.event("heard");
    assert_eq!((&heard["frames"], &heard["open"]), (&serde_json::json!([]), &true.into()), "{heard}");
}
