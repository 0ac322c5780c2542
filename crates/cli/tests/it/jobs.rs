//! The jobs of an installation.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};
use sleap_rtc_cli::jobs::{Row, table, to_json};
use sleap_rtc_client::jobs::{JobFile, State, Waiting};
use sleap_rtc_session::pool_client::Found;
use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::EndState;

use crate::sandbox::Sandbox;

/// 4 h 10 min after the first of them began.
const NOW: Time = Time(15_000_000);

fn file(job: &str, more: &Value) -> JobFile {
    let mut file = json!({
        "job_id": job, "server": "http://admin-box:8001", "room": "a7f3d2e1", "attempt": 1, "labels": "data/flies.pkg.slp",
        "run_name": "run", "models": "models", "started_at": 0,
    });
    let (Some(into), Some(from)) = (file.as_object_mut(), more.as_object()) else { panic!("objects") };
    into.extend(from.clone());
    serde_json::from_value(file).expect("a job's file")
}

/// What a worker's job has beside.
fn held(more: &Value) -> Value {
    let mut held = json!({
        "worker": "worker-gpu-box-gpu0-1", "worker_name": "gpu-box", "worker_key": "A".repeat(43), "claim_id": "c1", "fence": [1, 7],
    });
    let (Some(into), Some(from)) = (held.as_object_mut(), more.as_object()) else { panic!("objects") };
    into.extend(from.clone());
    held
}

fn waits(pid: u32) -> Value {
    json!({"waiting": {
        "pid": pid, "since": 14_815_000, "updated_at": 14_999_000, "place": 2, "reason": "all_matching_busy",
        "matching": 3, "busy": 3, "estimate_ms": 2_401_000,
    }})
}

fn rows() -> Vec<Row> {
    let end = |state: &str, cause: &str| json!({"end": {"state": state, "cause": cause, "ended_at": 14_000_000}});
    let waiting = file("4f1c09d2ab37", &waits(4711));
    let place: Waiting = waiting.waiting.clone().expect("a place");
    let landed = json!({
        "end": {"state": "completed", "ended_at": 14_000_000},
        "landed": {"folder": "models/flies_1", "files": 3, "bytes": 1000},
    });
    let trains = json!({"progress": {"phase": "training", "epoch": 12, "epochs": 200, "at": 14_992_000}});
    vec![
        Row::new(State::Waiting(place), waiting),
        Row::new(State::Gone, file("5a1c09d2ab37", &waits(4712))),
        Row::new(State::Running, file("6b1c09d2ab37", &held(&trains))),
        Row::new(State::Lost, file("7c1c09d2ab37", &held(&json!({"lost_at": 14_400_000})))),
        Row::new(State::Ended(EndState::Completed), file("8d1c09d2ab37", &held(&landed))),
        Row::new(State::Ended(EndState::Failed), file("9e1c", &held(&end("failed", "no \u{1b}[31minstances")))),
        Row::new(
            State::Ended(EndState::Cancelled),
            file("af1c", &end("cancelled", "it was given up before a worker had it")),
        ),
    ]
}

#[test]
fn state_and_reason_are_in_one_row() {
    assert_snapshot!(table(&rows(), NOW).join("\n"), @r"
    JOB           STATE      WORKER   LABELS         SINCE        REASON
    4f1c09d2ab37  WAITING             flies.pkg.slp  3 min 05 s   place 2, all 3 that match are busy, at most 40 min
    5a1c09d2ab37  GONE                flies.pkg.slp  1 s          its program ended while it waited
    6b1c09d2ab37  RUNNING    gpu-box  flies.pkg.slp  4 h 10 min   epoch 12/200, 8 s ago
    7c1c09d2ab37  LOST       gpu-box  flies.pkg.slp  10 min 00 s  it may still run there: sleap-rtc watch 7c1c09d2ab37
    8d1c09d2ab37  COMPLETED  gpu-box  flies.pkg.slp  16 min 40 s  models/flies_1
    9e1c          FAILED     gpu-box  flies.pkg.slp  16 min 40 s  no instances
    af1c          CANCELLED           flies.pkg.slp  16 min 40 s  it was given up before a worker had it
    ");
}

#[test]
fn the_room_knows_more_of_jobs_that_run() {
    let here = |status: &str, job: Option<&str>| {
        let peer = json!({"peer_id": "worker-gpu-box-gpu0-1", "role": "worker", "connected_at": 0.0, "metadata": {"properties":
            {"status": status, "current_job_id": job}}});
        Found { peers: vec![serde_json::from_value(peer).expect("a peer")], total: 1, absent: Vec::new() }
    };
    let absent = |status: &str| {
        let worker = json!({"peer_id": "worker-gpu-box-gpu0-1", "seen_at": 14_960.0, "metadata": {"properties": {"status": status}}});
        Found { absent: vec![serde_json::from_value(worker).expect("a worker")], ..Found::default() }
    };
    let looks = [
        here("busy", Some("6b1c09d2ab37")),
        here("available", None),
        absent("silent"),
        absent("lost"),
        Found::default(),
        // More are there than the answer holds.
        Found { total: 1, ..Found::default() },
    ];
    let rows: Vec<Row> = looks
        .iter()
        .map(|found| {
            let mut row = rows().remove(2);
            row.look(found, NOW);
            row
        })
        .collect();
    assert_snapshot!(table(&rows, NOW).join("\n"), @r"
    JOB           STATE    WORKER   LABELS         SINCE       REASON
    6b1c09d2ab37  RUNNING  gpu-box  flies.pkg.slp  4 h 10 min  epoch 12/200, 8 s ago
    6b1c09d2ab37  RUNNING  gpu-box  flies.pkg.slp  4 h 10 min  epoch 12/200, 8 s ago; gpu-box is done with it: sleap-rtc watch 6b1c09d2ab37
    6b1c09d2ab37  RUNNING  gpu-box  flies.pkg.slp  4 h 10 min  epoch 12/200, 8 s ago; gpu-box has been silent for 40 s
    6b1c09d2ab37  LOST     gpu-box  flies.pkg.slp  40 s        it may still run there: sleap-rtc watch 6b1c09d2ab37
    6b1c09d2ab37  RUNNING  gpu-box  flies.pkg.slp  4 h 10 min  epoch 12/200, 8 s ago; gpu-box is not in the room
    6b1c09d2ab37  RUNNING  gpu-box  flies.pkg.slp  4 h 10 min  epoch 12/200, 8 s ago
    ");
}

#[test]
fn jobs_for_a_program() {
    assert_snapshot!(to_json(&rows()[0]), @r#"{"attempt":1,"earlier":[],"end":null,"event":"job","folder":null,"job_id":"4f1c09d2ab37","labels":"data/flies.pkg.slp","progress":null,"room":"a7f3d2e1","seen":null,"since_ms":14815000,"state":"WAITING","waiting":{"busy":3,"draining":0,"estimate_ms":2401000,"held":0,"matching":3,"pid":4711,"place":2,"reason":"all_matching_busy","silent":0,"since":14815000,"updated_at":14999000},"worker":null,"worker_name":null}"#);
    assert_snapshot!(to_json(&rows()[2]), @r#"{"attempt":1,"earlier":[],"end":null,"event":"job","folder":null,"job_id":"6b1c09d2ab37","labels":"data/flies.pkg.slp","progress":{"at":14992000,"epoch":12,"epochs":200,"phase":"training"},"room":"a7f3d2e1","seen":null,"since_ms":0,"state":"RUNNING","waiting":null,"worker":"worker-gpu-box-gpu0-1","worker_name":"gpu-box"}"#);
}

#[test]
fn nothing_was_started_yet() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.told(&["jobs"]), @r"
    exit 0
    ---
    No job was started here yet: sleap-rtc train data.slp
    ");
}

#[test]
fn files_of_earlier_versions_are_read_and_a_dead_program_is_gone() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path().join(".sleap-rtc/jobs");
    fs::create_dir_all(&folder).expect("a folder");
    // As a version before the line wrote it.
    let old = json!({
        "job_id": "6b1c09d2ab37", "server": "http://admin-box:8001", "room": "a7f3d2e1", "worker": "worker-1",
        "worker_name": "gpu-box", "worker_key": "A".repeat(43), "attempt": 1, "claim_id": "c1", "fence": [1, 7],
        "labels": "flies.slp", "run_name": "run", "models": "models", "started_at": 5, "last_seq": 3, "end": {
            "state": "completed", "ended_at": 9}, "landed": null,
    });
    fs::write(folder.join("6b1c09d2ab37.json"), old.to_string()).expect("a file");
    let waiting = serde_json::to_string(&file("4f1c09d2ab37", &waits(4711))).expect("JSON");
    fs::write(folder.join("4f1c09d2ab37.json"), waiting).expect("a file");
    let output = sandbox.run(&["--json", "jobs"]);
    let text = String::from_utf8(output.stdout).expect("text");
    let states: Vec<(String, String)> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an object"))
        .map(|job| (job["job_id"].as_str().unwrap_or_default().to_owned(), job["state"].to_string()))
        .collect();
    let expected = [("6b1c09d2ab37", "\"COMPLETED\""), ("4f1c09d2ab37", "\"GONE\"")];
    assert_eq!(states, expected.map(|(job, state)| (job.to_owned(), state.to_owned())));
}

#[test]
fn a_waiting_job_without_its_program_cannot_be_watched_or_cancelled() {
    let mut sandbox = Sandbox::new();
    sandbox.set("SLEAP_RTC_ROOM_ID", "a7f3d2e1");
    sandbox.set("SLEAP_RTC_ROOM_TOKEN", "secret");
    let folder = sandbox.path().join(".sleap-rtc/jobs");
    fs::create_dir_all(&folder).expect("a folder");
    let waiting = serde_json::to_string(&file("4f1c09d2ab37", &waits(4711))).expect("JSON");
    fs::write(folder.join("4f1c09d2ab37.json"), waiting).expect("a file");
    assert_snapshot!(sandbox.told(&["watch", "4f1c09d2ab37"]), @r"
    exit 3
    ---
    error: job 4f1c09d2ab37 has never had a worker
    cause: its program ended while it waited in line
    hint: start it again: sleap-rtc train data/flies.pkg.slp
    ");
    assert_snapshot!(sandbox.told(&["cancel", "4f1c09d2ab37"]), @r"
    exit 3
    ---
    cancelling job 4f1c09d2ab37 …
    error: job 4f1c09d2ab37 has never had a worker
    cause: its program ended while it waited in line
    hint: start it again: sleap-rtc train data/flies.pkg.slp
    ");
}
