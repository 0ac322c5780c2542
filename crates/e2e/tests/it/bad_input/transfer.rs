//! Transfers that are cut: nothing is lost but what was on its way.

use rustix::process::Signal;
use sleap_rtc_cli::exit::Exit;

use super::large_video;
use crate::house::{Desk, House, Program};

/// A job whose sending can be met in the middle.
fn sending(laptop: &Desk) -> Program {
    laptop.bring(&["flies.slp", "centroid.yaml"]);
    large_video(laptop, 300);
    let client = laptop.start(&LARGE);
    client.until("bytes on their way", |event| event["event"] == "sending" && event["done"].as_u64() > Some(0));
    client
}

const LARGE: [&str; 9] =
    ["--json", "train", "flies.slp", "--config", "centroid.yaml", "--epochs", "1", "--run-name", "r"];

/// The same once more goes on from what the worker has, and leads to a model.
fn goes_on(laptop: &Desk) {
    let again = laptop.run(&LARGE).good();
    let first = again.event("sending");
    assert!(first["done"].as_u64() > Some(0), "{first}");
    assert!(laptop.path().join("models/r/best.ckpt").is_file());
}

#[test]
fn a_client_killed_while_sending() {
    let house = House::with_room();
    // Ten minutes if nobody says otherwise: a laptop may sleep.
    let worker = house.worker_that(&[], &["--patience", "2s"]);
    let laptop = house.desk("laptop");
    sending(&laptop).kill();
    house.until_status("available");
    let end = worker.program().event("ended")["end"].clone();
    assert_eq!((&end["state"], &end["code"]), (&"failed".into(), &"TRANSFER_FAILED".into()), "{end}");
    assert!(worker.trainers().is_empty(), "nothing was trained");
    goes_on(&laptop);
}

#[test]
fn a_client_that_is_closed_while_sending() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = house.desk("laptop");
    let client = sending(&laptop);
    // Without it the worker would wait for files that do not come: the job is given up, and the worker free at once.
    client.signal(Signal::HUP);
    assert_eq!(client.end().code, i32::from(Exit::Cancelled.number()));
    assert_eq!(worker.program().event("ended")["end"]["state"], "cancelled");
    house.until_status("available");
    goes_on(&laptop);
}

#[test]
fn a_worker_killed_while_it_receives() {
    let house = House::with_room();
    let mut worker = house.worker();
    let laptop = house.desk("laptop");
    let client = sending(&laptop);
    worker.kill();
    worker.restart(&["--until-eof"]);
    let told = client.end();
    assert_eq!(told.code, i32::from(Exit::WorkerUnreachable.number()), "{told}");
    assert!(told.event("error")["causes"][0].as_str().unwrap().contains("started again"), "{told}");
    house.until_status("available");
    goes_on(&laptop);
}

/// The link does not need the server.
#[test]
fn a_server_killed_while_files_are_sent() {
    let mut house = House::with_room();
    let _worker = house.worker();
    let laptop = house.desk("laptop");
    let client = sending(&laptop);
    house.kill_server();
    client.end().good();
    assert!(laptop.path().join("models/r/best.ckpt").is_file());
    house.restart_server();
    house.until_status("available");
}
