//! Jobs over the data channel, with the stand-in for the trainer and once with the real one.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use serde_json::{Value, json};

use super::finding::until_free;
use super::home::ended;
use super::lab::Member;
use super::steps::{PairFault, count};
use super::{Lab, PyWorker, pair_step, step};
use crate::house::{Ended, until};

/// Python workers bind the ports 9000 and 9001 for their trainers' messages: one job at a time on a machine.
pub(crate) struct ThePorts(#[expect(dead_code, reason = "locked while it is open")] File);

/// The right to run a job, among all tests on this machine. Taken before the worker is started, and so given back when it is gone.
pub(crate) fn the_ports() -> ThePorts {
    let path = std::env::temp_dir().join("sleap-rtc-compat-ports.lock");
    let file = File::options().create(true).append(true).open(path).expect("a file");
    file.lock().expect("its lock");
    for port in [9000, 9001] {
        until(&format!("port {port} is free"), || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    }
    ThePorts(file)
}

/// A training of the flies to its end, with the inference that follows it.
pub(crate) fn train(name: &str, member: &Member, worker: &PyWorker) -> Ended {
    let options = worker.training(2, true);
    pair_step(name, || ended(member.home.start("api.py", &["train", &member.room, &options])))
}

fn events<'a>(all: &'a [Value], name: &str) -> Vec<&'a Value> {
    all.iter().filter(|event| event["event"] == name).collect()
}

#[test]
fn the_api_trains_to_the_end_and_the_worker_is_free_again() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let _ports = the_ports();
    // All epochs are counted, and the first message must not be lost on a busy machine.
    let worker = lab.worker_with(&ada, &[("STANDIN_JOIN_MS", "500")]);
    let told = train("run_training", &ada, &worker);
    assert_eq!(told.event("result")["success"], true);
    let all = told.events();
    let epochs = events(&all, "progress").into_iter().filter(|event| event["name"] == "epoch_end").count();
    assert_eq!(epochs, 2, "{told}");
    let inference: Vec<&Value> = events(&all, "inference").into_iter().map(|event| &event["name"]).collect();
    assert_eq!(inference.last(), Some(&&json!("INFERENCE_COMPLETE")), "{inference:?}");
    assert!(worker.home.data().join("flies.predictions.slp").exists());
    step("the worker is free again", || until_free(&ada, &worker.id));
    assert!(worker.has_never_dropped_its_link());
}

#[test]
fn a_job_is_stopped_early_and_another_is_cancelled() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let _ports = the_ports();
    let worker = lab.worker_with(&ada, &[("STANDIN_SLOW_MS", "100")]);
    let options = worker.training(200, true);
    let begun = |name: &str, command: &str| {
        pair_step(name, || {
            let mut job = ada.home.start("api.py", &["train", &ada.room, &options]);
            let training = until("it trains", || {
                let trains = job.events().iter().any(|event| event["name"] == "batch_end");
                (trains || !job.is_running()).then_some(trains)
            });
            if training {
                job.tell(command);
            }
            let ended = job.end();
            PairFault::of(&ended.out.join("\n")).map_or(Ok(ended), Err)
        })
    };
    let stopped = begun("stop", r#"CONTROL_COMMAND::{"command": "stop"}"#);
    assert_eq!(stopped.event("result")["success"], true, "a stopped job has its model: {stopped}");
    let cancelled = begun("cancel", "JOB_CANCEL");
    // The api reads the reason from a form of the message that the worker does not send; that it failed is what it can tell.
    assert_eq!(cancelled.event("failed")["kind"], "JobError", "{cancelled}");
    let all = cancelled.events();
    let reason = events(&all, "inference").pop().map(|event| event["data"]["reason"].clone());
    // The worker kills its trainer in the moment in which it asks it to end, and takes its end for a failure.
    assert!(reason == Some(json!("cancelled")) || reason == Some(json!("training_failed")), "{reason:?}");
    if reason == Some(json!("training_failed")) {
        count("cancel is told as a cancel", PairFault::KillsWhatItCancels);
    }
    until_free(&ada, &worker.id);
}

#[test]
fn ten_jobs_in_a_row_run_on_one_worker_process() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let _ports = the_ports();
    let worker = lab.worker(&ada);
    for _ in 0..10 {
        let told = train("one of ten jobs in a row", &ada, &worker);
        assert_eq!(told.event("result")["success"], true);
    }
    assert!(worker.has_never_dropped_its_link());
}

/// The Python command line asks for a confirmation on its terminal, and does not end by itself after its job.
fn on_the_command_line(member: &Member, worker: &PyWorker, arguments: &[&str], success: &str) {
    let mut screen = member.home.cli(&[arguments, &["--room", &member.room, "--worker-id", &worker.id]].concat());
    screen.shows("Confirm Job Paths");
    screen.press("s");
    screen.shows(success);
    // Dropped, and so killed.
}

#[test]
fn the_command_line_trains_and_tracks() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let _ports = the_ports();
    let worker = lab.worker(&ada);
    let (config, labels) = (worker.home.at("centroid.yaml"), worker.home.at("flies.pkg.slp"));
    let words = ["train", "--config", &config, "--labels", &labels, "--max-epochs", "2", "--run-name", "flies"];
    step("train", || on_the_command_line(&ada, &worker, &words, "Remote Training Completed Successfully!"));
    // Its process was killed: the worker notices by itself that nobody is there any more.
    step("free after a killed client", || until_free(&ada, &worker.id));
    let (model, output) = (worker.home.at("models/flies"), worker.home.at("tracked.slp"));
    let words = ["track", "--data-path", &labels, "--model-paths", &model, "--output", &output];
    step("track", || on_the_command_line(&ada, &worker, &words, "Remote Inference Completed Successfully!"));
    assert!(Path::new(&output).exists());
}

/// The command line's peer id is the name of its user: two windows of one person, at the same time, on two workers.
#[test]
fn hazard_15_two_windows_of_one_person_each_reach_a_worker_of_their_own() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let key = ["--account-key", &ada.key, "--room", &ada.room];
    let workers = ["one", "two"].map(|name| PyWorker::start(lab.machine(name, &[("STANDIN_TRACK_MS", "3000")]), &key));
    let screens = workers.each_ref().map(|worker| {
        model(worker);
        let (data, model) = (worker.home.at("flies.pkg.slp"), worker.home.at("model"));
        let output = worker.home.at("tracked.slp");
        let words = ["track", "--data-path", &data, "--model-paths", &model, "--output", &output];
        ada.home.cli(&[&words[..], &["--room", &ada.room, "--worker-id", &worker.id]].concat())
    });
    step("two windows of one person", || {
        let mut screens = screens;
        for screen in &screens {
            screen.shows("Confirm Job Paths");
        }
        for screen in &mut screens {
            screen.press("s");
        }
        for screen in &screens {
            screen.shows("Remote Inference Completed Successfully!");
        }
    });
    for worker in &workers {
        assert!(worker.home.data().join("tracked.slp").exists());
    }
}

/// A folder that the stand-in takes for a model.
fn model(worker: &PyWorker) {
    let folder = worker.home.data().join("model");
    fs::create_dir_all(&folder).expect("a folder");
    for name in ["training_config.yaml", "best.ckpt"] {
        fs::write(folder.join(name), "a model").expect("a file");
    }
}

#[test]
fn the_real_trainer_trains_for_a_python_worker() {
    let Some(lab) = Lab::open() else { return };
    let Some(trainer) = std::env::var_os("SLEAP_RTC_TEST_TRAINER") else {
        assert!(std::env::var("CI").is_err(), "the real trainer is not tested, and this is CI");
        eprintln!("SKIPPED: set SLEAP_RTC_TEST_TRAINER to a sleap-nn");
        return;
    };
    let ada = lab.member("ada");
    let machine = lab.machine("gpu-box", &[]);
    let bin = machine.folder.join("real");
    fs::create_dir_all(&bin).expect("a folder");
    std::os::unix::fs::symlink(trainer, bin.join("sleap-nn")).expect("a link");
    // The worker's own packages are not the trainer's.
    let machine = machine.finding_first(&bin).with("OMP_NUM_THREADS", "2");
    let _ports = the_ports();
    let worker = PyWorker::start(machine, &["--account-key", &ada.key, "--room", &ada.room]);
    let told = pair_step("the real trainer", || {
        let options = worker.training(1, false);
        ended(ada.home.start("api.py", &["train", &ada.room, &options]))
    });
    assert_eq!(told.event("result")["success"], true);
    let models = fs::read_dir(worker.home.data().join("models")).expect("models");
    assert!(models.flatten().any(|model| model.path().join("best.ckpt").exists()));
}
