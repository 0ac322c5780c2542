//! A worker's files, seen and sent over the data channel.

use std::fs;

use super::home::ended;
use super::{Lab, PyWorker, pair_step, step};
use crate::house::example;

#[test]
fn a_folder_is_listed_and_a_file_is_sent() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let worker = lab.worker(&ada);
    let folder = worker.home.data().join("sent");
    fs::create_dir_all(&folder).expect("a folder");
    let (source, target) = (example("flies.slp").display().to_string(), folder.display().to_string());
    let words = [&ada.room, &worker.id, &target, &source].map(String::as_str);
    let told = pair_step("file listing and upload", || ended(ada.home.start("files.py", &words)));
    let files = told.event("files");
    assert_eq!(files["mounts"][0]["label"], "data", "{files}");
    assert_eq!(files["entries"][0]["name"], "flies.slp", "{files}");
    assert_eq!(fs::read(folder.join("flies.slp")).unwrap(), fs::read(example("flies.slp")).unwrap());
}

/// The wheel's own file browser: a page on this machine, over a data channel to the worker. Unlike everything else it needs a
/// secret that both sides have (`room create-secret`).
#[test]
fn the_file_browser_of_the_command_line_opens() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U";
    let machine = lab.machine("gpu-box", &[]).with("SLEAP_ROOM_SECRET", secret);
    let _worker = PyWorker::start(machine, &["--account-key", &ada.key, "--room", &ada.room]);
    let home = ada.home.clone().with("SLEAP_ROOM_SECRET", secret);
    step("test browse", || {
        let mut browse = home.cli(&["test", "browse", "--room", &ada.room, "--no-browser", "--port", "0"]);
        browse.shows("Select worker to connect");
        browse.press("\r");
        browse.shows("Filesystem browser started at:");
    });
}
