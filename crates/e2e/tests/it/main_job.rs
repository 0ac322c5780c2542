//! The main job: one line typed on a laptop, and a model comes home.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::house::disk::{hashes, names};
use crate::house::{Desk, Ended, House, Story, Worker, example, until};

const TRAIN: [&str; 6] = ["train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "2"];

/// A laptop with the example data.
fn laptop(house: &House) -> Desk {
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    laptop
}

fn train(laptop: &Desk, more: &[&str]) -> Story {
    Story(laptop.run(&[&["--json"], &TRAIN[..], more].concat()).good().events())
}

/// The files in `models/<name>` on the laptop, which must be those of the worker's trainer, byte by byte.
fn same_as_on_the_worker(laptop: &Desk, name: &str, worker: &Worker, job: &str) -> BTreeMap<String, blake3::Hash> {
    let home = hashes(&laptop.path().join("models").join(name));
    let there: Vec<blake3::Hash> = hashes(&worker.job(job).join("work")).into_values().collect();
    for (file, hash) in &home {
        assert!(there.contains(hash), "{file} is not what the worker has");
    }
    home
}

fn has_model(home: &BTreeMap<String, blake3::Hash>, folder: &str) {
    for file in ["best.ckpt", "training_config.yaml", "training_log.csv", "trainer.log"] {
        let path = format!("{folder}{file}");
        assert!(home.contains_key(&path), "{path} is not among {:?}", home.keys());
    }
}

#[test]
fn a_model_comes_home_byte_for_byte() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    let story = train(&laptop, &["--run-name", "flies"]);
    let home = same_as_on_the_worker(&laptop, "flies", &worker, &story.job());
    has_model(&home, "");
    let terminal = worker.ended(&story.job());
    assert_eq!(terminal["state"], "completed", "{terminal}");
    worker.program().event("delivered");
    assert_eq!(
        names(&laptop.path().join("models")).into_iter().collect::<Vec<_>>(),
        ["flies"],
        "nothing but the model"
    );
    house.until_status("available");
    assert_eq!(worker.trainers().len(), 0);
}

#[test]
fn a_program_reads_one_event_a_line_with_the_phases_in_order() {
    let house = House::with_room();
    let _worker = house.worker();
    let story = train(&laptop(&house), &["--run-name", "flies"]);
    story.has(&[
        "reading",
        "finding",
        "found",
        "connecting",
        "connected",
        "sending",
        "phase importing",
        "phase training",
        "epoch",
        "phase evaluating",
        "end",
        "receiving",
        "landed",
    ]);
    let numbers: Vec<u64> = story.0.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "every line of the worker once, in order");
    let epochs: Vec<u64> = story.all("epoch").iter().filter_map(|event| event["epoch"].as_u64()).collect();
    assert_eq!(epochs, [0, 1]);
    for epoch in story.all("epoch") {
        assert!(epoch["train_loss"].is_number() && epoch["val_loss"].is_number(), "{epoch}");
    }
    for name in ["sending", "receiving"] {
        let last = story.last(name);
        assert_eq!(last["done"], last["total"], "{last}");
    }
    assert_eq!(story.last("end")["end"]["state"], "completed");
}

#[test]
fn in_a_pipe_there_are_plain_lines() {
    let house = House::with_room();
    let _worker = house.worker();
    let told = laptop(&house).run(&[&TRAIN[..], &["--run-name", "flies"]].concat()).good();
    let text = told.err.join("\n");
    assert!(!text.contains(['\r', '\x1b']), "no terminal's words in a pipe: {text:?}");
    for words in ["gpu-box", "poch 1/2", "poch 2/2", "models/flies"] {
        assert!(text.contains(words) || told.out.join("\n").contains(words), "{words}: {told}");
    }
}

#[test]
fn two_configurations_are_two_stages_of_one_job() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    laptop.bring(&["bottomup.yaml"]);
    let story = train(&laptop, &["--config", "bottomup.yaml", "--run-name", "flies"]);
    let stages: Vec<&str> = story.all("stage").iter().filter_map(|stage| stage["name"].as_str()).collect();
    assert_eq!(stages, ["centroid", "bottomup"]);
    assert_eq!((story.all("end").len(), story.all("finding").len()), (1, 1), "one claim, one end");
    let home = same_as_on_the_worker(&laptop, "flies", &worker, &story.job());
    for folder in ["centroid/", "bottomup/"] {
        has_model(&home, folder);
    }
}

#[test]
fn without_a_configuration_the_workers_trainer_writes_it() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    let told = laptop.run(&["--json", "train", "flies.pkg.slp", "--epochs", "1", "--run-name", "auto"]).good();
    let story = Story(told.events());
    story.has(&["sending", "phase configuring", "stage", "phase importing", "phase training", "end", "landed"]);
    let home = same_as_on_the_worker(&laptop, "auto", &worker, &story.job());
    for folder in ["centroid/", "centered_instance/"] {
        has_model(&home, folder);
    }
}

#[test]
fn a_plain_slp_brings_its_video() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.slp", "clip.mp4", "centroid.yaml"]);
    let before = hashes(laptop.path());
    let told = laptop
        .run(&["--json", "train", "flies.slp", "--config", "centroid.yaml", "--epochs", "1", "--run-name", "flies"])
        .good();
    let story = Story(told.events());
    let there = hashes(&worker.job(&story.job()).join("work"));
    let video = blake3::hash(&std::fs::read(example("clip.mp4")).unwrap());
    assert!(there.iter().any(|(name, hash)| name.starts_with("videos/") && *hash == video), "{:?}", there.keys());
    has_model(&same_as_on_the_worker(&laptop, "flies", &worker, &story.job()), "");
    let after = hashes(laptop.path());
    for (name, hash) in before {
        assert_eq!(after.get(&name), Some(&hash), "{name} of the user was changed");
    }
}

#[test]
fn what_the_worker_has_is_not_sent_again() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    train(&laptop, &["--run-name", "one"]);
    let chunks = |worker: &Worker| hashes(&worker.data().join("chunks")).len();
    let before = chunks(&worker);
    let again = train(&laptop, &["--run-name", "two"]);
    let first = again.all("sending").first().map(|event| (event["done"].as_u64(), event["total"].as_u64()));
    if let Some((done, total)) = first {
        assert_eq!(done, total, "all of it is there from the first word on");
    }
    assert_eq!(chunks(&worker), before, "the same data is the same chunks");
    assert_eq!(names(&laptop.path().join("models")).into_iter().collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn nothing_is_ever_overwritten() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    let first = train(&laptop, &["--run-name", "flies"]);
    let old = hashes(&laptop.path().join("models/flies"));
    let second = train(&laptop, &["--run-name", "flies"]);
    assert_eq!(hashes(&laptop.path().join("models/flies")), old);
    has_model(&same_as_on_the_worker(&laptop, "flies-1", &worker, &second.job()), "");
    assert_ne!(first.job(), second.job());
    let folder = second.last("landed")["folder"].as_str().expect("a folder").to_owned();
    assert!(Path::new(&folder).ends_with("models/flies-1"), "{folder}");
}

#[test]
fn status_shows_who_is_busy_with_what() {
    let house = House::with_room();
    let _worker = house.worker_with(&[("STANDIN_SLOW_MS", "20")]);
    assert_eq!(house.status(), "available");
    let laptop = laptop(&house);
    let line = ["--json", "train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "1000", "--run-name", "r"];
    let client = laptop.start(&line);
    client.until("training", |event| event["phase"] == "training");
    let seen = &house.workers()[0];
    let job = client.event("finding")["job_id"].clone();
    assert_eq!((&seen["status"], &seen["job_id"]), (&Value::from("busy"), &job), "{seen}");
    assert!(seen["job_start_time"].is_number() && seen["name"] == "gpu-box", "{seen}");
    // Words for people say the same.
    let words = house.desk("onlooker").run(&["status"]).good();
    let line = words.out.iter().find(|line| line.contains("gpu-box")).expect("a line");
    assert!(line.contains("busy") && line.contains(job.as_str().unwrap()), "{line}");
    laptop.run(&["stop", job.as_str().unwrap()]).good();
    client.end().good();
    house.until_status("available");
    assert_eq!(house.workers()[0]["job_id"], Value::Null);
}

/// What the README shows: four commands, each typed once, and a model.
#[test]
fn four_commands_from_nothing_to_a_model() {
    let start = std::time::Instant::now();
    let house = House::with_room(); // 1: server, 2: room create
    let _worker = house.worker(); // 3: worker
    let laptop = laptop(&house);
    let typed = now_ms();
    let client = laptop.start(&[&["--json"], &TRAIN[..]].concat()); // 4: train
    let trainer = client.until("the trainer", |event| event["phase"] == "importing")["at"].as_u64().unwrap();
    client.event("epoch");
    eprintln!("from `train` to the trainer's start: {} ms with 3.4 MB to send", trainer - typed);
    eprintln!("four commands to the first epoch with the stand-in: {:.2} s", start.elapsed().as_secs_f64());
    let story = Story(client.end().good().events());
    let folder = Path::new(story.last("landed")["folder"].as_str().unwrap()).to_owned();
    assert!(folder.starts_with(laptop.path().join("models")) && folder.join("best.ckpt").is_file(), "{folder:?}");
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis() as u64
}

#[test]
fn results_land_where_the_user_says() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    let told = laptop.run(&[&TRAIN[..], &["--output", "elsewhere/deep", "--run-name", "r"]].concat()).good();
    assert!(told.out.join("\n").contains("elsewhere/deep/r"), "{told}");
    assert!(laptop.path().join("elsewhere/deep/r/best.ckpt").is_file());
    assert!(!laptop.path().join("models").exists());
    until("the worker has noted it", || {
        worker.program().events().iter().any(|e| e["event"] == "delivered").then_some(())
    });
}

#[test]
fn typed_options_reach_the_trainer() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    let story = train(&laptop, &["--batch-size", "3", "--lr", "0.0005", "--run-name", "opts"]);
    let config = std::fs::read_to_string(laptop.path().join("models/opts/training_config.yaml")).unwrap();
    for line in ["batch_size: 3", "lr: 0.0005", "max_epochs: 2"] {
        assert!(config.contains(line), "{line} is not in {config}");
    }
    assert_eq!(worker.ended(&story.job())["state"], "completed");
}

#[test]
fn a_training_asks_for_what_it_needs() {
    let house = House::with_room();
    let _worker = house.worker();
    let laptop = laptop(&house);
    let refused = |more: &[&str]| -> Ended { laptop.run(&[&TRAIN[..], more].concat()) };
    for more in [&["--min-gpu-memory", "8"][..], &["--tag", "a100"]] {
        let fault = refused(more).fails(sleap_rtc_cli::exit::Exit::NoWorker);
        assert!(fault.error.contains("no worker"), "{}", fault.text);
    }
    assert!(!laptop.path().join("models").exists() || names(&laptop.path().join("models")).is_empty());
}

/// Names as people give them.
#[test]
fn names_of_every_kind() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    let name = "-my flies' \u{fc}ber$(id) {1}.pkg.slp";
    std::fs::rename(laptop.path().join("flies.pkg.slp"), laptop.path().join(name)).unwrap();
    std::fs::rename(laptop.path().join("centroid.yaml"), laptop.path().join("my $HOME=1.yaml")).unwrap();
    let line = ["--json", "train", "--epochs", "1", "--run-name", "a+b.c=1", "--config", "my $HOME=1.yaml", "--", name];
    let story = Story(laptop.run(&line).good().events());
    has_model(&same_as_on_the_worker(&laptop, "a+b.c=1", &worker, &story.job()), "");
}

/// A trainer that says more than anybody can read holds nobody up.
#[test]
fn a_trainer_that_talks_a_lot() {
    let house = House::with_room();
    let worker = house.worker_with(&[("STANDIN_FILL_LINES", "50000")]);
    let laptop = laptop(&house);
    let story = train(&laptop, &["--run-name", "flies"]);
    let home = same_as_on_the_worker(&laptop, "flies", &worker, &story.job());
    has_model(&home, "");
    let log = std::fs::read_to_string(laptop.path().join("models/flies/trainer.log")).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains(" line ")).count(), 50_000, "the log has every line");
}

#[test]
fn a_tag_finds_its_worker() {
    let house = House::with_room();
    let _worker = house.worker_that(&[], &["--tag", "quiet"]);
    train(&laptop(&house), &["--run-name", "r", "--tag", "loud", "--tag", "quiet"]);
}
