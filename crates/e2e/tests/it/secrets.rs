//! What must never be said: at the most talkative log level, in arguments, in files of jobs.

use std::fs;
use std::path::Path;

use crate::house::{House, leftovers};

#[test]
fn secrets_are_never_said() {
    let mut house = House::empty();
    house.set("SLEAP_RTC_LOG", "trace");
    house.open();
    let worker = house.worker_with(&[("STANDIN_SLOW_MS", "50"), ("STANDIN_ENVIRONMENT", "1")]);
    let token = house.get("SLEAP_RTC_ROOM_TOKEN").to_owned();
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let client =
        laptop.start(&["train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "2", "--run-name", "r"]);
    client.says("poch 1");
    for process in leftovers::processes(house.path()) {
        assert!(!process.words.contains(&token), "the room's token is an argument: {}", process.words);
    }
    let told = client.end().good();
    for text in [told.out.join("\n"), told.err.join("\n"), worker.program().said(), house.server().said()] {
        assert!(!text.contains(&token), "the room's token was said:\n{text}");
        // An id token has three parts, of which the first is always the same.
        assert!(!text.contains("eyJ"), "an id token was said:\n{text}");
    }
    let secret = fs::read_to_string(house.path().join("server/admin.secret")).unwrap();
    assert!(!house.server().said().contains(secret.trim()));
    // Nor is it in any file of the job, on either side, nor in the trainer's environment.
    search(&worker.data(), &token);
    search(&laptop.path().join("models"), &token);
    search(&laptop.path().join("settings"), &token);
}

fn search(folder: &Path, token: &str) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, token);
        } else {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(token.len()).any(|part| part == token.as_bytes());
            assert!(!found, "the room's token is in {}", path.display());
        }
    }
}
