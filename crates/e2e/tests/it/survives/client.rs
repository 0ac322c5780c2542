//! The client goes: its job does not.

use rustix::process::Signal;
use sleap_rtc_cli::exit::Exit;

use super::{SLOW, is_home, train, until_training, whole};
use crate::house::disk::names;
use crate::house::{House, Story, until};

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
