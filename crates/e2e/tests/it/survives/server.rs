//! The server goes, and comes back: jobs do not notice.

use sleap_rtc_cli::exit::Exit;

use super::{SLOW, is_home, train, until_training};
use crate::house::{House, Program, Story, until};

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
        assert!(
            ended || ["busy", "gone", "silent"].contains(&status.as_str()),
            "the worker is {status} while the job runs"
        );
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
