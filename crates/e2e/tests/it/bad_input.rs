//! Everything that a user, a disk or a program can do wrong: each a clear error in three parts with its own exit code, no
//! process left behind (every [`House`] looks when it is left), no half file under its final name.

mod disk;
mod transfer;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use sleap_rtc_cli::exit::Exit;

use crate::house::disk::names;
use crate::house::program::Fault;
use crate::house::worker::Worker;
use crate::house::{Desk, Ended, House, example, until};

fn laptop(house: &House) -> Desk {
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    laptop
}

fn train(laptop: &Desk) -> Ended {
    laptop.run(&["train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "2", "--run-name", "r"])
}

/// The training failed so, and left nothing that could be taken for a model.
fn fails(told: &Ended, exit: Exit, laptop: &Desk, words: &[&str]) -> Fault {
    let fault = told.fails(exit);
    for word in words {
        assert!(fault.text.contains(word), "{word:?} is not in\n{}", fault.text);
    }
    let models = names(&laptop.path().join("models"));
    assert!(models.iter().all(|name| name.starts_with('.') || name.starts_with("r.failed")), "{models:?}");
    fault
}

/// Nobody asked the worker for anything.
fn untouched(house: &House, worker: &Worker) {
    assert_eq!(house.status(), "available");
    let events = worker.program().events();
    assert!(events.iter().all(|event| event["event"] == "ready"), "{events:#?}");
}

#[test]
fn a_wrong_room() {
    let mut house = House::with_room();
    house.set("SLEAP_RTC_ROOM_ID", "deadbeef");
    let laptop = laptop(&house);
    fails(&train(&laptop), Exit::RoomRefused, &laptop, &["no room deadbeef", "room create"]);
    house.desk("onlooker").run(&["status"]).fails(Exit::RoomRefused);
    let mut worker = not_started(&house, standin(&house));
    worker.start_only(&["--until-eof"]);
    assert!(worker.end().fails(Exit::RoomRefused).error.contains("deadbeef"));
}

#[test]
fn a_wrong_token() {
    let mut house = House::with_room();
    house.set("SLEAP_RTC_ROOM_TOKEN", "not-the-token");
    let laptop = laptop(&house);
    let fault = fails(&train(&laptop), Exit::RoomRefused, &laptop, &["SLEAP_RTC_ROOM_TOKEN"]);
    assert!(!fault.text.contains("not-the-token"), "a token is not repeated");
    let mut worker = not_started(&house, standin(&house));
    worker.start_only(&["--until-eof"]);
    worker.end().fails(Exit::RoomRefused);
}

#[test]
fn an_expired_room() {
    let mut house = House::with_server();
    // The shortest life that a room may have; whoever is in it keeps it alive, so nobody looks meanwhile.
    let room = house.make_room(&["--name", "short", "--ttl", "60s"]);
    let laptop = laptop(&house);
    let expires = room["expires_at"].as_u64().expect("an end");
    until("the room's time is over", || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
        (now > expires).then_some(())
    });
    // A room that was swept is one that is not there any more.
    let fault = fails(&train(&laptop), Exit::RoomRefused, &laptop, &["room create"]);
    assert!(fault.error.contains("expired") || fault.error.contains("no room"), "{}", fault.text);
}

#[test]
fn no_room_and_no_token() {
    let house = House::with_server();
    let laptop = laptop(&house);
    fails(&train(&laptop), Exit::Usage, &laptop, &["no room is set", "SLEAP_RTC_ROOM_ID"]);
    let desk = laptop.clone().with("SLEAP_RTC_ROOM_ID", "a7f3d2e1");
    fails(&train(&desk), Exit::RoomRefused, &laptop, &["token", "SLEAP_RTC_ROOM_TOKEN"]);
}

#[test]
fn no_worker() {
    let house = House::with_room();
    let laptop = laptop(&house);
    fails(&train(&laptop), Exit::NoWorker, &laptop, &["no worker", "sleap-rtc worker"]);
}

#[test]
fn a_worker_without_a_trainer() {
    let house = House::with_room();
    let nothing = house.path().join("gpu-box/venv/sleap-nn");
    let mut worker = not_started(&house, &nothing);
    worker.start_only(&["--until-eof"]);
    let fault = worker.end().fails(Exit::NoTrainer);
    assert!(fault.text.contains("sleap-rtc trainer install"), "{}", fault.text);
    assert_eq!(house.workers().len(), 0, "it does not offer what it cannot do");
}

#[test]
fn a_trainer_that_is_gone_when_the_job_comes() {
    let house = House::with_room();
    let worker = house.worker();
    fs::remove_dir_all(worker.desk().path().join("venv")).unwrap();
    let laptop = laptop(&house);
    fails(&train(&laptop), Exit::NoTrainer, &laptop, &["sleap-nn"]);
    house.until_status("available");
}

#[test]
fn labels_that_are_none() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    let whole = fs::read(example("flies.pkg.slp")).unwrap();
    fs::write(laptop.path().join("cut.pkg.slp"), &whole[..100_000]).unwrap();
    fs::write(laptop.path().join("noise.slp"), "these are no labels").unwrap();
    fs::write(laptop.path().join("empty.slp"), "").unwrap();
    fs::create_dir(laptop.path().join("folder.slp")).unwrap();
    fs::write(laptop.path().join("flies.csv"), "a,b").unwrap();
    let bad = |name: &str, words: &[&str]| {
        let told = laptop.run(&["train", name, "--config", "centroid.yaml"]);
        fails(&told, Exit::BadInput, &laptop, &[&[name], words].concat());
    };
    bad("cut.pkg.slp", &["cut"]);
    bad("noise.slp", &[]);
    bad("empty.slp", &[]);
    bad("folder.slp", &["folder"]);
    bad("flies.csv", &[".slp"]);
    bad("nowhere.slp", &["No such file"]);
    untouched(&house, &worker);
}

#[test]
fn a_video_that_is_missing() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.slp", "centroid.yaml"]);
    let line = ["train", "flies.slp", "--config", "centroid.yaml", "--epochs", "1", "--run-name", "r"];
    fails(&laptop.run(&line), Exit::BadInput, &laptop, &["clip.mp4", "--video"]);
    untouched(&house, &worker);
    // And what the hint says helps.
    fs::create_dir(laptop.path().join("moved")).unwrap();
    fs::copy(example("clip.mp4"), laptop.path().join("moved/clip.mp4")).unwrap();
    laptop.run(&[&line[..], &["--video", "moved"]].concat()).good();
}

#[test]
fn a_configuration_that_is_none() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    let bad = |name: &str, text: &str, words: &[&str]| {
        fs::write(laptop.path().join(name), text).unwrap();
        let told = laptop.run(&["train", "flies.pkg.slp", "--config", name, "--run-name", "r"]);
        fails(&told, Exit::BadInput, &laptop, words);
        house.until_status("available");
    };
    bad("empty.yaml", "\n", &["empty.yaml"]);
    bad("model.json", "{}", &["model.json", ".yaml"]);
    untouched(&house, &worker);
    let good = fs::read_to_string(example("centroid.yaml")).unwrap();
    bad("torn.yaml", "model_config: [1, {", &["torn"]);
    bad("target.yaml", &format!("{good}\n_target_: os.system\n"), &["target"]);
    bad("typo.yaml", &good.replace("max_epochs", "max_epoks"), &["max_epoks"]);
    bad("secrets.yaml", &good.replace("run_name: centroid", "run_name: ${oc.env:HOME}"), &["${"]);
    assert!(worker.program().events().iter().all(|event| event["event"] != "started"), "nothing was started");
    let missing = laptop.run(&["train", "flies.pkg.slp", "--config", "nowhere.yaml"]);
    fails(&missing, Exit::BadInput, &laptop, &["nowhere.yaml"]);
}

#[test]
fn a_name_that_cannot_be_one() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    for name in ["../up", "a/b", "", "con", "x "] {
        let told = laptop.run(&["train", "flies.pkg.slp", "--run-name", name]);
        fails(&told, Exit::Usage, &laptop, &[]);
    }
    untouched(&house, &worker);
}

#[test]
fn a_trainer_that_fails() {
    let house = House::with_room();
    let error = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB";
    let worker = house.worker_with(&[("STANDIN_FAIL_AFTER_EPOCHS", "1"), ("STANDIN_ERROR", error)]);
    let laptop = laptop(&house);
    let fault = fails(&train(&laptop), Exit::JobFailed, &laptop, &[]);
    assert!(fault.causes.iter().any(|cause| cause.contains(error)), "its last error line is the cause: {}", fault.text);
    house.until_status("available");
    // The log is there to read.
    let log = fs::read_to_string(laptop.path().join("models/r.failed/trainer.log")).unwrap();
    assert!(log.contains(error));
    worker.set(&[("STANDIN_CRASH_AFTER_EPOCHS", "1")]);
    let fault = fails(&train(&laptop), Exit::JobFailed, &laptop, &[]);
    assert!(fault.text.contains("signal 6") || fault.text.contains("SIGABRT"), "{}", fault.text);
    worker.set(&[("STANDIN_NO_MODEL", "1")]);
    fails(&train(&laptop), Exit::JobFailed, &laptop, &["best.ckpt"]);
    // Exit code 0 is not enough.
    worker.set(&[("STANDIN_TERMINATE_AFTER_EPOCHS", "1")]);
    fails(&train(&laptop), Exit::JobFailed, &laptop, &[]);
    // The worker is none the worse for all that.
    worker.set(&[]);
    train(&laptop).good();
}

#[test]
fn nobody_answers_at_the_servers_address() {
    let mut house = House::with_room();
    house.kill_server();
    let laptop = laptop(&house);
    let address = house.http().trim_start_matches("http://").to_owned();
    fails(&train(&laptop), Exit::ServerUnreachable, &laptop, &["cannot be reached", &address]);
    laptop.run(&["status"]).fails(Exit::ServerUnreachable);
    let mut worker = not_started(&house, standin(&house));
    worker.start_only(&["--until-eof"]);
    worker.end().fails(Exit::ServerUnreachable);
}

#[test]
fn a_server_that_is_asked_too_much() {
    let house = House::with_room();
    let laptop = laptop(&house);
    let url = format!("{}/anonymous-signin", house.http());
    // Every sign-in of this address counts, whoever makes it.
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    assert!((0..5000).any(|_| agent.post(&url).send_empty().unwrap().status() == 429), "there is no limit");
    fails(&train(&laptop), Exit::ServerUnreachable, &laptop, &["too many requests", "wait a minute"]);
}

#[test]
fn a_server_that_goes_while_a_worker_is_being_reached() {
    let mut house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    worker.signal(Signal::STOP);
    let client = laptop.start(&["--json", "train", "flies.pkg.slp", "--config", "centroid.yaml", "--run-name", "r"]);
    client.event("connecting");
    house.kill_server();
    let told = client.end();
    worker.signal(Signal::CONT);
    assert_eq!(told.code, i32::from(Exit::ServerUnreachable.number()), "{told}");
    let error = told.event("error");
    assert!(error["causes"][0].is_string() && error["hints"][0].is_string(), "{error}");
    assert_eq!(names(&laptop.path().join("models")).len(), 0);
    // The worker comes back to the room, where its claim runs out by itself.
    house.restart_server();
    worker.program().event("back");
}

#[test]
fn a_worker_that_does_not_answer() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    worker.signal(Signal::STOP);
    let told = train(&laptop);
    worker.signal(Signal::CONT);
    fails(&told, Exit::WorkerUnreachable, &laptop, &["gpu-box"]);
    house.until_status("available");
    train(&laptop).good();
}

/// A `clip.mp4` of so many MiB; no two chunks are the same.
fn large_video(laptop: &Desk, mib: u64) {
    let mut video = std::io::BufWriter::new(fs::File::create(laptop.path().join("clip.mp4")).unwrap());
    for number in 0..(mib << 20) / 8 {
        video.write_all(&number.to_le_bytes()).unwrap();
    }
    video.flush().unwrap();
}

/// The path of a stand-in.
fn standin(house: &House) -> String {
    let folder = house.desk("gpu-box").path().join("venv");
    let program = sleap_rtc_e2e::standin::install(crate::house::binary::standin(), &folder, &[]).unwrap();
    program.to_str().unwrap().to_owned()
}

fn not_started(house: &House, trainer: impl AsRef<Path>) -> Worker {
    let trainer = trainer.as_ref().to_str().unwrap().to_owned();
    Worker::not_started(house.desk("gpu-box").with("SLEAP_RTC_TRAINER", &trainer))
}
