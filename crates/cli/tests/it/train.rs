//! `train` where it cannot work, and what Ctrl-C says.

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use serde_json::Value;
use sleap_rtc_cli::follow::how_to_go_on;

use crate::sandbox::{Sandbox, Server};

/// A room with nobody in it, and example data in the home.
fn room() -> (Sandbox, Server) {
    let mut sandbox = Sandbox::new();
    for name in ["minimal_instance.pkg.slp", "flies.slp", "centroid.yaml"] {
        fs::copy(example(name), sandbox.path().join(name)).expect("example data");
    }
    let server = Server::with_room(&mut sandbox);
    (sandbox, server)
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

#[test]
fn nobody_to_train() {
    let (sandbox, _server) = room();
    let told = sandbox.told(&["train", "minimal_instance.pkg.slp", "--run-name", "a"]);
    // Job ids are chance.
    let told: Vec<&str> = told.lines().filter(|line| !line.starts_with("Job ")).collect();
    assert_snapshot!(told.join("\n"), @r"
    exit 3
    ---
    Reading minimal_instance.pkg.slp
    To send 1 file, 43.1 kB
    error: no worker is in room <SLEAP_RTC_ROOM_ID>
    cause: no connected worker matches
    hint: on a GPU machine, with this room's settings: sleap-rtc worker --gpu 0
    ");
    assert!(!sandbox.path().join("models/a").exists());
}

#[test]
fn nobody_to_train_for_a_program() {
    let (sandbox, _server) = room();
    let output = sandbox.run(&["--json", "train", "minimal_instance.pkg.slp"]);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).expect("text");
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["reading", "planned", "finding", "error"]);
    assert_eq!(events.last().map(|event| &event["code"]), Some(&Value::from("no_worker")));
}

#[test]
fn labels_that_are_not_there() {
    let (sandbox, _server) = room();
    assert_snapshot!(sandbox.told(&["train", "nosuch.slp"]), @r"
    exit 7
    ---
    Reading nosuch.slp
    error: cannot use nosuch.slp
    cause: it cannot be read: No such file or directory (os error 2)
    hint: check the path
    ");
}

#[test]
fn labels_that_are_cut_off() {
    let (sandbox, _server) = room();
    let whole = fs::read(example("minimal_instance.pkg.slp")).expect("example data");
    fs::write(sandbox.path().join("cut.pkg.slp"), &whole[..20_000]).expect("a file");
    assert_snapshot!(sandbox.told(&["train", "cut.pkg.slp"]), @r"
    exit 7
    ---
    Reading cut.pkg.slp
    error: cannot use cut.pkg.slp
    cause: it is cut short: 20000 of 43128 bytes are there
    hint: the download or copy did not finish: fetch it again, or save it again in SLEAP
    ");
}

#[test]
fn a_video_that_is_missing() {
    let (sandbox, _server) = room();
    assert_snapshot!(sandbox.told(&["train", "flies.slp"]), @r"
    exit 7
    ---
    Reading flies.slp
    error: 1 video of flies.slp cannot be sent
    cause: not found on this machine: clip.mp4
    hint: put it beside flies.slp, or add --video PATH/clip.mp4
    ");
}

#[test]
fn a_configuration_that_is_none() {
    let (sandbox, _server) = room();
    fs::write(sandbox.path().join("bad.yaml"), [0xff, 0xfe]).expect("a file");
    assert_snapshot!(sandbox.told(&["train", "minimal_instance.pkg.slp", "--config", "bad.yaml"]), @r"
    exit 7
    ---
    Reading minimal_instance.pkg.slp
    error: cannot use the configuration bad.yaml
    cause: it is not UTF-8 text: byte 0 is wrong
    hint: give a YAML file of sleap-nn, or leave --config out: the worker's trainer then writes one
    ");
}

#[test]
fn a_job_that_is_not_known() {
    let (sandbox, _server) = room();
    assert_snapshot!(sandbox.told(&["cancel", "7d3f9a"]), @r"
    exit 13
    ---
    cancelling job 7d3f9a …
    error: there is no such job
    cause: no job 7d3f9a is known here
    hint: give the job's id as `sleap-rtc train` printed it, on the machine where it was started
    ");
    assert_snapshot!(sandbox.told(&["watch"]), @r"
    exit 13
    ---
    error: there is no such job
    cause: no job of yours is known here
    hint: give the job's id as `sleap-rtc train` printed it, on the machine where it was started
    ");
}

#[test]
fn the_first_ctrl_c() {
    assert_snapshot!(how_to_go_on("7d3f9a").join("\n"), @r"
    The job goes on, even if you close this terminal. Ctrl-C again cancels it.
      come back to it                sleap-rtc watch 7d3f9a
      end it early, keep the model   sleap-rtc stop 7d3f9a
      end it now, without a model    sleap-rtc cancel 7d3f9a
    ");
}
