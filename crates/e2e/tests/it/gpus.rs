//! Slots of GPUs: one peer a GPU, in one process or several. The driver's `nvidia-smi` is stood in for by a script; what is
//! tested is which slot, which peer and which environment.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use sleap_rtc_cli::exit::Exit;

use crate::house::binary::standin;
use crate::house::worker::Worker;
use crate::house::{Desk, House, Program, until};

const CARDS: &str = "0, GPU-8f2c, NVIDIA GeForce RTX 4090, 24564, 23000, 580.65.06, 8.9\n\
                     1, GPU-11aa, Tesla T4, 15360, 15000, 580.65.06, 7.5";

/// A machine with two GPUs.
fn gpu_box(house: &House) -> Desk {
    let desk = house.desk("gpu-box");
    let knobs = [("STANDIN_GPU", "1"), ("STANDIN_ENVIRONMENT", "1"), ("STANDIN_SLOW_MS", "50")];
    let trainer = sleap_rtc_e2e::standin::install(standin(), &desk.path().join("venv"), &knobs).unwrap();
    let tools = desk.path().join("bin");
    fs::create_dir(&tools).unwrap();
    fs::write(tools.join("nvidia-smi"), format!("#!/bin/sh\ncat <<'END'\n{CARDS}\nEND\n")).unwrap();
    fs::set_permissions(tools.join("nvidia-smi"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    desk.with("PATH", &path).with("SLEAP_RTC_TRAINER", trainer.to_str().unwrap())
}

fn train(desk: &Desk, more: &[&str]) -> Program {
    desk.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let line = ["--json", "train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "1000", "--run-name", "r"];
    let client = desk.start(&[&line[..], more].concat());
    client.event("epoch");
    client
}

fn job(client: &Program) -> String {
    client.event("finding")["job_id"].as_str().unwrap().to_owned()
}

#[test]
fn two_gpus_are_two_slots_and_train_two_jobs_at_once() {
    let house = House::with_room();
    let mut worker = Worker::not_started(gpu_box(&house)).on_gpus(&["0", "1"]);
    worker.restart(&["--until-eof"]);
    until("both slots are in the room", || (house.workers().len() == 2).then_some(()));
    let models: Vec<_> = house.workers().iter().map(|peer| peer["gpu_memory_mb"].as_u64().unwrap()).collect();
    assert!(models.contains(&24_564) && models.contains(&15_360), "{models:?}");

    // Whoever needs the large one gets the large one; the other one gets the other.
    let laptop = house.desk("laptop");
    let first = train(&laptop, &["--min-gpu-memory", "24"]);
    let second = train(&laptop, &[]);
    assert!(first.event("found")["device"].as_str().unwrap().contains("4090"));
    assert!(second.event("found")["device"].as_str().unwrap().contains("T4"));
    assert!(house.workers().iter().all(|peer| peer["status"] == "busy"));
    let third = house.desk("eve");
    third.bring(&["flies.pkg.slp"]);
    third.run(&["train", "flies.pkg.slp"]).fails(Exit::NoWorker);
    for (client, uuid) in [(&first, "GPU-8f2c"), (&second, "GPU-11aa")] {
        let environment = fs::read_to_string(worker.job(&job(client)).join("work/environment.txt")).unwrap();
        let line = format!("CUDA_VISIBLE_DEVICES={uuid}");
        assert!(environment.lines().any(|found| found == line), "{line} is not in\n{environment}");
    }
    for (client, folder) in [(second, "models/r"), (first, "models/r-1")] {
        laptop.run(&["stop", &job(&client)]).good();
        client.end().good();
        assert!(laptop.path().join(folder).join("best.ckpt").is_file(), "{folder}");
    }
    until("both are free", || house.workers().iter().all(|peer| peer["status"] == "available").then_some(()));
}

#[test]
fn two_processes_may_share_a_machine_but_not_a_gpu() {
    let house = House::with_room();
    let desk = gpu_box(&house);
    let mut first = Worker::not_started(desk.clone()).on_gpus(&["0"]);
    first.restart(&["--until-eof"]);
    desk.run(&["worker", "--gpu", "0"]).fails(Exit::Taken);
    let mut second = Worker::not_started(desk.clone()).on_gpus(&["1", "1"]);
    second.restart(&["--until-eof"]);
    until("both are in the room", || (house.workers().len() == 2).then_some(()));
    let fault = desk.run(&["worker", "--gpu", "7"]).fails(Exit::Usage);
    assert!(fault.text.contains("0, 1"), "{}", fault.text);
}

/// A GPU was promised: a trainer that falls back to the CPU without a word is a failure.
#[test]
fn a_trainer_that_does_not_find_the_gpu_fails() {
    let house = House::with_room();
    let mut worker = Worker::not_started(gpu_box(&house)).on_gpus(&["0"]);
    worker.set(&[("STANDIN_SLOW_MS", "50")]);
    worker.restart(&["--until-eof"]);
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let line = ["train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "1000", "--run-name", "r"];
    let fault = laptop.run(&line).fails(Exit::JobFailed);
    assert!(fault.text.contains("GPU"), "{}", fault.text);
    until("the trainer is gone", || worker.trainers().is_empty().then_some(()));
    assert_eq!(house.status(), "available");
}
