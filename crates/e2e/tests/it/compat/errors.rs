//! Whatever the server hands on, the worker's process goes on.

use super::finding::status;
use super::{Lab, step};
use crate::house::until;

/// A Python worker that is not its room's leader ends its process on any `error` frame: so every one is its own leader.
#[test]
fn hazard_02_a_worker_survives_every_error_that_can_reach_it() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    // The second of a room is where it used to end.
    let key = ["--account-key", &ada.key, "--room", &ada.room];
    let workers = ["one", "two"].map(|name| super::PyWorker::start(lab.machine(name, &[]), &key));
    for worker in &workers {
        let told = step("every error frame", || ada.home.start("errors.py", &[&ada.room, &worker.id]).end().good());
        assert_eq!(told.event("sent")["status"], "available");
        // It still answers offers, and so has read all that came before.
        let mut hold = ada.home.start("hold.py", &[&ada.room, &worker.id]);
        hold.event("open");
        hold.close_input();
        hold.end().good();
        assert!(worker.screen.text().contains("received error"), "the errors have reached it");
        assert!(worker.has_never_dropped_its_link());
        until("it is free", || (status(&ada, &worker.id) == "available").then_some(()));
    }
}
