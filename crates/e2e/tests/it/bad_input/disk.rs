//! Disks that are full, at home and on the worker, from the start and in the middle.

use std::fs;
use std::process::Command;

use sleap_rtc_cli::exit::Exit;

use super::{fails, laptop, large_video, standin, train};
use crate::house::worker::Worker;
use crate::house::{Desk, House};

#[test]
fn a_full_disk_at_home() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    fs::create_dir(laptop.path().join("models")).unwrap();
    let Some(small) = on_a_small_disk(&laptop, "models", "1m") else { return };
    fails(&train(&small), Exit::LocalDisk, &laptop, &["models"]);
    assert_eq!(
        fs::read_to_string(laptop.path().join("listing")).unwrap().trim(),
        "",
        "nothing is left on the full disk"
    );
    house.until_status("available");
    // The results are with the worker.
    let events = worker.program().events();
    let ended = events.iter().find(|event| event["event"] == "ended").expect("an end");
    assert_eq!(ended["end"]["state"], "completed");
}

#[test]
fn a_full_disk_on_the_worker() {
    let house = House::with_room();
    let desk = house.desk("gpu-box").with("SLEAP_RTC_TRAINER", &standin(&house));
    fs::create_dir(desk.path().join("data")).unwrap();
    let Some(small) = on_a_small_disk(&desk, "data", "16m") else { return };
    let mut worker = Worker::not_started(small);
    worker.restart(&["--until-eof"]);
    let laptop = laptop(&house);
    let fault = fails(&train(&laptop), Exit::JobFailed, &laptop, &["MB free"]);
    assert!(
        fault.error.contains("gpu-box") || fault.causes.iter().any(|cause| cause.contains("disk")),
        "{}",
        fault.text
    );
    house.until_status("available");
}

/// The disk looks large enough, and is not: files can be made no more in the middle.
#[test]
fn a_disk_that_fills_up_on_the_worker() {
    let house = House::with_room();
    let desk = house.desk("gpu-box").with("SLEAP_RTC_TRAINER", &standin(&house));
    fs::create_dir(desk.path().join("data")).unwrap();
    let Some(small) = on_a_small_disk(&desk, "data", "4g,nr_inodes=24") else { return };
    let mut worker = Worker::not_started(small);
    worker.restart(&["--until-eof"]);
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.slp", "centroid.yaml"]);
    large_video(&laptop, 40);
    let told = laptop.run(&["train", "flies.slp", "--config", "centroid.yaml", "--epochs", "1", "--run-name", "r"]);
    let fault = fails(&told, Exit::JobFailed, &laptop, &["gpu-box"]);
    assert!(fault.causes.iter().any(|cause| cause.contains("space") || cause.contains("full")), "{}", fault.text);
    house.until_status("available");
}

#[test]
fn a_disk_that_fills_up_at_home() {
    let house = House::with_room();
    let worker = house.worker();
    let laptop = laptop(&house);
    fs::create_dir(laptop.path().join("models")).unwrap();
    let Some(small) = on_a_small_disk(&laptop, "models", "100m,nr_inodes=8") else { return };
    let fault = fails(&train(&small), Exit::LocalDisk, &laptop, &[]);
    assert!(fault.causes.iter().any(|cause| cause.contains("space") || cause.contains("full")), "{}", fault.text);
    let listing = fs::read_to_string(laptop.path().join("listing")).unwrap();
    assert!(listing.lines().all(|name| name.starts_with('.')), "no half file under its final name: {listing}");
    house.until_status("available");
    assert_eq!(worker.program().event("ended")["end"]["state"], "completed");
}

/// The same desk, with one of its folders on a file system of so many bytes, which only its own programs see; what is left in
/// it at the end is written into `listing`. `None`, said clearly, where such file systems cannot be made.
fn on_a_small_disk(desk: &Desk, folder: &str, size: &str) -> Option<Desk> {
    let mount = format!("mount -t tmpfs -o size={size} none {folder}");
    let can = Command::new("unshare")
        .args(["-Urm", "sh", "-c", &mount])
        .current_dir(desk.path())
        .output()
        .is_ok_and(|made| made.status.success());
    if !can {
        assert!(
            std::env::var_os("CI").is_none(),
            "in CI a full disk must be tried: `unshare -Urm` must be allowed to mount a tmpfs"
        );
        eprintln!("SKIPPED: a full disk cannot be tried here: this system does not let `unshare -Urm` mount a tmpfs");
        return None;
    }
    // `exec` where signals and process ids matter; the listing where the end matters.
    let script = format!("{mount} && cd . && {{ \"$0\" \"$@\"; code=$?; ls -A {folder} > listing; exit $code; }}");
    Some(desk.clone().by(&["unshare", "-Urm", "sh", "-c", &script]))
}
