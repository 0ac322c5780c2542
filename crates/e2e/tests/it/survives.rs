//! What a lost server, worker, client or link means: the table of lost links, with real processes and real signals.

mod client;
mod server;
mod wishes;
mod worker;

use serde_json::Value;

use crate::house::disk::{hashes, names};
use crate::house::{Desk, Program, Worker};

/// A job of so many epochs of about a second each.
pub(crate) fn train(laptop: &Desk, epochs: &str) -> Program {
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let line = ["--json", "train", "flies.pkg.slp", "--config", "centroid.yaml", "--run-name", "r", "--epochs", epochs];
    laptop.start(&line)
}

/// The same in words.
fn train_in_words(laptop: &Desk, epochs: &str) -> Program {
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    laptop.start(&["train", "flies.pkg.slp", "--config", "centroid.yaml", "--run-name", "r", "--epochs", epochs])
}

pub(crate) const SLOW: [(&str, &str); 1] = [("STANDIN_SLOW_MS", "50")];

fn job_of(client: &Program) -> String {
    client.event("finding")["job_id"].as_str().expect("an id").to_owned()
}

pub(crate) fn until_training(client: &Program) -> String {
    client.until("an epoch", |event| event["event"] == "epoch");
    job_of(client)
}

/// The one job that a laptop knows of.
fn only_job(laptop: &Desk) -> String {
    let files = names(&laptop.path().join("settings/jobs"));
    let jobs: Vec<&str> = files.iter().filter_map(|name| name.strip_suffix(".json")).collect();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs[0].to_owned()
}

/// Each line of the worker once, in order, and none missing but batches of an epoch that is over.
fn whole(story: &[Value]) {
    let numbers: Vec<u64> = story.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let of = |name: &str| story.iter().filter(|event| event["event"] == name).cloned().collect::<Vec<_>>();
    let epochs: Vec<u64> = of("epoch").iter().filter_map(|event| event["epoch"].as_u64()).collect();
    assert_eq!(epochs, (0..epochs.len() as u64).collect::<Vec<_>>());
    assert_eq!(of("end").len(), 1);
}

/// The model at home is the worker's.
fn is_home(laptop: &Desk, folder: &str, worker: &Worker, job: &str) {
    let there = hashes(&worker.job(job).join("work"));
    let home = hashes(&laptop.path().join("models").join(folder));
    assert!(home.contains_key("best.ckpt"), "{:?}", home.keys());
    for (name, hash) in home {
        assert!(there.values().any(|other| *other == hash), "{name} is not what the worker has");
    }
}
