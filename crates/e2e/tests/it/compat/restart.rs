//! The server's machine loses power and comes back, with the same data on the same ports.

use std::time::Instant;

use super::finding::{status, until_free, workers};
use super::jobs::{the_ports, train};
use super::{Lab, step};
use crate::house::until;

#[test]
fn a_worker_comes_back_after_a_restart_of_the_server_and_trains() {
    let Some(mut lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let _ports = the_ports();
    let worker = lab.worker(&ada);
    assert!(worker.has_never_dropped_its_link());
    lab.house.kill_server();
    until("the worker says so", || (!worker.has_never_dropped_its_link()).then_some(()));
    lab.house.restart_server();
    let back = Instant::now();
    step("reconnect after a restart of the server", || worker.screen.shows("reconnected!"));
    println!("the worker is back {:.2} s after the server", back.elapsed().as_secs_f64());
    until_free(&ada, &worker.id);
    let told = train("run_training after a restart", &ada, &worker);
    assert_eq!(told.event("result")["success"], true);
}

/// What a client is told of a worker after it came back is all that it was told before, and the worker's parts still answer.
#[test]
fn reconnect_restores_all_of_register() {
    let Some(mut lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    let before = workers(&ada.home, &ada.room);
    assert_eq!(before.len(), 1);
    lab.house.kill_server();
    lab.house.restart_server();
    worker.screen.shows(" reconnected! (");
    step("all is there after a restart of the server", || {
        let after = until("it is free again", || {
            let after = workers(&ada.home, &ada.room);
            after.iter().any(|worker| worker["status"] == "available").then_some(after)
        });
        assert_eq!(after, before);
        let mut hold = ada.home.start("hold.py", &[&ada.room, &worker.id]);
        hold.event("open");
        hold.close_input();
        // It has listed the worker's folders.
        hold.end().good().event("held");
    });
}

/// A worker that registers anew says `available`, whomever it serves.
#[test]
fn hazard_01_a_worker_that_registers_anew_while_it_serves_a_client_is_not_shown_as_free() {
    let Some(mut lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    let mut hold = ada.home.start("hold.py", &[&ada.room, &worker.id]);
    hold.event("open");
    lab.house.kill_server();
    lab.house.restart_server();
    worker.screen.shows("reconnected!");
    step("taken after a restart of the server", || {
        until("it is back", || Some(status(&ada, &worker.id)).filter(|status| status != "gone"));
        assert_ne!(status(&ada, &worker.id), "available", "its client is still there");
    });
    hold.close_input();
    hold.until("it was there all the time", |event| event["event"] == "held");
    drop(hold);
    step("free after the client has left", || until_free(&ada, &worker.id));
}
