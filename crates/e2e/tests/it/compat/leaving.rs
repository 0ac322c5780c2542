//! Clients that leave, in order and not.

use std::time::Instant;

use rustix::process::Signal;

use super::finding::{status, until_free};
use super::{Lab, step};

#[test]
fn hazard_14_a_worker_is_taken_while_a_client_is_there_and_free_when_it_has_left() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    assert_eq!(status(&ada, &worker.id), "available");
    let mut hold = step("connect", || {
        let hold = ada.home.start("hold.py", &[&ada.room, &worker.id]);
        hold.event("open");
        hold
    });
    assert_ne!(status(&ada, &worker.id), "available", "its client is there");
    hold.close_input();
    hold.end().good();
    let left = Instant::now();
    step("free after the client has left", || until_free(&ada, &worker.id));
    println!("free {:.2} s after its client has left", left.elapsed().as_secs_f64());
}

#[test]
fn a_client_that_is_killed_frees_its_worker_in_the_end() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    let hold = ada.home.start("hold.py", &[&ada.room, &worker.id]);
    hold.event("open");
    hold.signal(Signal::KILL);
    assert_ne!(hold.end().code, 0);
    let killed = Instant::now();
    assert_ne!(status(&ada, &worker.id), "available", "the worker does not know it yet");
    step("free after a client was killed", || until_free(&ada, &worker.id));
    println!("free {:.2} s after its client was killed", killed.elapsed().as_secs_f64());
}
