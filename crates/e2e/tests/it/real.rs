//! The main job with the real trainer, where the environment names one: from `server` to a model that `sleap-nn predict` loads.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::house::disk::hashes;
use crate::house::worker::Worker;
use crate::house::{Desk, House, Program, Story};

/// The path of a `sleap-nn`; without one the test says how to have it, and in CI it fails.
fn trainer() -> Option<PathBuf> {
    let path = std::env::var_os("SLEAP_RTC_TEST_TRAINER").map(PathBuf::from);
    if path.is_none() {
        let how =
            "set SLEAP_RTC_TEST_TRAINER to a sleap-nn; `scripts/install-trainer-cpu.sh DIR` makes DIR/bin/sleap-nn";
        assert!(std::env::var("CI").is_err(), "the real trainer is not tested, and this is CI: {how}");
        eprintln!("SKIPPED: the real trainer is not tested: {how}");
    }
    path
}

/// Says how long each step of a test took.
struct Watch {
    what: &'static str,
    start: Instant,
    last: Instant,
}

impl Watch {
    fn start(what: &'static str) -> Self {
        let now = Instant::now();
        Self { what, start: now, last: now }
    }

    fn lap(&mut self, step: &str) {
        let seconds = self.last.elapsed().as_secs_f64();
        eprintln!("{}: {step} {seconds:.1} s ({:.1} s since the start)", self.what, self.start.elapsed().as_secs_f64());
        self.last = Instant::now();
    }
}

fn worker(house: &House, trainer: &Path) -> Worker {
    let desk = house.desk("gpu-box").with("SLEAP_RTC_TRAINER", trainer.to_str().expect("a path of text"));
    let mut worker = Worker::not_started(desk);
    worker.restart(&["--until-eof"]);
    worker
}

/// Whether an event is the one that is waited for.
type Fits = fn(&Value) -> bool;

const FIRST_EPOCH: &str = "first epoch";

/// Waits for the steps of a training and says how long each took.
fn follow(client: &Program, watch: &mut Watch, mut first_epoch: impl FnMut(&Watch)) {
    let steps: [(&str, Fits); 4] = [
        ("to a worker that has the job's files", |event| event["phase"] == "importing"),
        ("importing", |event| event["phase"] == "training"),
        (FIRST_EPOCH, |event| event["event"] == "epoch"),
        ("to the last epoch", |event| event["phase"] == "evaluating"),
    ];
    for (step, fits) in steps {
        client.until(step, fits);
        if step == FIRST_EPOCH {
            first_epoch(watch);
        }
        watch.lap(step);
    }
}

/// `sleap-nn predict` loads the models and finds something.
fn predicts(trainer: &Path, laptop: &Desk, labels: &str, models: &[&str]) {
    let mut command = Command::new(trainer);
    command.current_dir(laptop.path()).args(["predict", "--data_path", labels, "--device", "cpu", "-o", "found.slp"]);
    command.env("OMP_NUM_THREADS", "1");
    for model in models {
        command.args(["--model_paths", model]);
    }
    let told = command.output().expect("the trainer starts");
    let words = String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success() && laptop.path().join("found.slp").is_file(), "{words}");
}

fn is_home(laptop: &Desk, worker: &Worker, job: &str, name: &str) {
    let there = hashes(&worker.job(job).join("work"));
    let home = hashes(&laptop.path().join("models").join(name));
    assert!(home.keys().any(|file| file.ends_with("best.ckpt")), "{:?}", home.keys());
    for (file, hash) in home {
        assert!(there.values().any(|other| *other == hash), "{file} is not what the worker has");
    }
}

#[test]
fn four_commands_and_the_real_trainer() {
    let Some(trainer) = trainer() else { return };
    let mut watch = Watch::start("flies.pkg.slp with centroid.yaml");
    let house = House::with_room(); // one: server; two: room create
    watch.lap("`server`, `room create`");
    let worker = worker(&house, &trainer); // three: worker
    watch.lap("`worker` is ready");
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let line =
        ["--json", "train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "2", "--run-name", "flies"];
    let client = laptop.start(&line); // four: train
    let mut seconds = 0.0;
    follow(&client, &mut watch, |watch| seconds = watch.start.elapsed().as_secs_f64());
    eprintln!("from `server` to the first epoch's line: {seconds:.1} s in four commands");
    let story = Story(client.end().good().events());
    watch.lap("to the model at home");
    story.has(&[
        "sending",
        "phase importing",
        "phase training",
        "epoch",
        "phase evaluating",
        "end",
        "receiving",
        "landed",
    ]);
    assert_eq!(story.all("epoch").len(), 2);
    is_home(&laptop, &worker, &story.job(), "flies");
    predicts(&trainer, &laptop, "flies.pkg.slp", &["models/flies"]);
    watch.lap("`sleap-nn predict` with it");
    assert!(seconds < 60.0, "the promise is a first epoch in under 60 s");
}

/// The smallest package, since the configuration that the trainer writes has 200 steps an epoch.
#[test]
fn without_a_configuration_the_real_trainer_writes_two() {
    let Some(trainer) = trainer() else { return };
    let mut watch = Watch::start("minimal_instance.pkg.slp without a configuration");
    let house = House::with_room();
    let worker = worker(&house, &trainer);
    watch.lap("server, room, worker");
    let laptop = house.desk("laptop");
    laptop.bring(&["minimal_instance.pkg.slp"]);
    let labels = "minimal_instance.pkg.slp";
    let line = ["--json", "train", labels, "--epochs", "2", "--batch-size", "1", "--run-name", "auto"];
    let client = laptop.start(&line);
    client.until("configuring", |event| event["phase"] == "configuring");
    follow(&client, &mut watch, |_| {});
    let story = Story(client.end().good().events());
    watch.lap("second stage, to the models at home");
    let stages: Vec<&str> = story.all("stage").iter().filter_map(|stage| stage["name"].as_str()).collect();
    assert_eq!(stages, ["centroid", "centered_instance"]);
    is_home(&laptop, &worker, &story.job(), "auto");
    predicts(&trainer, &laptop, labels, &["models/auto/centroid", "models/auto/centered_instance"]);
    watch.lap("`sleap-nn predict` with both");
}
