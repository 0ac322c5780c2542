//! `docs/from-the-original.md`: everything that the table says is ours is there.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory as _;
use serde_json::{Value, json};
use sleap_rtc_cli::args::Cli;
use sleap_rtc_wire::signal::ToPeer;
use sleap_rtc_wire::{DecodeError, FromPeer};

use crate::house::House;
use crate::original_path::Seed;

/// What stands in code spans in the third column of the rows of this kind.
fn ours(kind: &str) -> Vec<String> {
    let table = include_str!("../../../../docs/from-the-original.md");
    let rows = table.lines().filter_map(|line| line.strip_prefix(&format!("| {kind} | ")));
    let cells = rows.map(|row| row.split(" | ").nth(1).expect("a column of ours").to_owned());
    let spans = |cell: String| {
        let found: Vec<String> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(!found.is_empty(), "nothing of ours: {cell}");
        found
    };
    cells.flat_map(spans).collect()
}

/// Every row is of a kind that a test below looks at.
#[test]
fn every_row_is_looked_at() {
    let table = include_str!("../../../../docs/from-the-original.md");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let kinds: BTreeSet<&str> = rows.map(|row| row[2..].split(" | ").next().expect("a kind")).collect();
    assert_eq!(kinds, BTreeSet::from(["command", "end point", "file", "frame", "message", "variable"]));
}

/// Whether a span names a file of the repository.
fn is_file(span: &str) -> bool {
    Path::new(span).extension().is_some_and(|extension| extension == "py" || extension == "yml")
}

#[test]
fn files_exist() {
    let files: Vec<String> = ["file", "command"].into_iter().flat_map(ours).filter(|span| is_file(span)).collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&file).is_file(), "{file}");
    }
}

/// The subcommands are those of the command line, and so are the options.
fn exists(line: &str) {
    let mut words = line.split(' ').peekable();
    assert_eq!(words.next(), Some("sleap-rtc"), "{line}");
    let root = Cli::command();
    let mut at = &root;
    while let Some(next) = words.peek().and_then(|word| at.find_subcommand(word)) {
        at = next;
        words.next();
    }
    assert!(!at.has_subcommands(), "{line}: a subcommand is missing");
    for option in words.filter_map(|word| word.strip_prefix("--")) {
        assert!(at.get_arguments().any(|known| known.get_long() == Some(option)), "{line}: there is no --{option}");
    }
}

#[test]
fn commands_exist() {
    let commands: Vec<String> = ours("command").into_iter().filter(|span| !is_file(span)).collect();
    assert!(commands.len() > 10, "{commands:?}");
    for line in &commands {
        exists(line);
    }
}

#[test]
fn the_openness_of_the_original_can_be_had() {
    exists("sleap-rtc server --open-deletes");
}

#[test]
#[should_panic(expected = "there is no --no-such-option")]
fn a_command_that_does_not_exist_is_noticed() {
    exists("sleap-rtc worker --no-such-option");
}

#[test]
fn variables_are_read() {
    let known = Cli::command().get_after_help().expect("the variables").to_string();
    for variable in ours("variable") {
        assert!(known.contains(&format!("  {variable}  ")), "{variable}");
    }
}

/// Status and body of a call without a credential and with an empty object.
fn ask(house: &House, end_point: &str) -> (u16, Value) {
    let (method, path) = end_point.split_once(' ').expect("a method and a path");
    let url = format!("{}{}", house.http(), path.replace("ID", "00000000"));
    let mut answer = match method {
        "GET" => ureq::get(&url).config().http_status_as_error(false).build().call(),
        "POST" => ureq::post(&url).config().http_status_as_error(false).build().send_json(json!({})),
        other => panic!("{other}"),
    }
    .expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_json().unwrap_or_default())
}

#[test]
fn end_points_answer() {
    let house = House::with_server();
    let missing = |(status, body): &(u16, Value)| *status == 405 || (*status == 404 && body["detail"] == "Not Found");
    assert!(missing(&ask(&house, "GET /no-such-end-point")), "the test would notice");
    assert!(missing(&ask(&house, "GET /create-room")), "the method counts");
    let end_points = ours("end point");
    assert!(end_points.len() >= 12, "{end_points:?}");
    for end_point in end_points {
        let answer = ask(&house, &end_point);
        assert!(!missing(&answer), "{end_point}: {answer:?}");
        assert!(answer.0 < 500, "{end_point}: {answer:?}");
    }
}

/// Whether one of the two ends of a connection reads frames of this type.
fn is_read(kind: &str) -> bool {
    let frame = json!({"type": kind}).to_string();
    let by_server = !matches!(FromPeer::decode(&frame.clone().into()), Err(DecodeError::UnknownType(_)));
    // Without its fields a frame that is known cannot be read, one that is not known can.
    let by_peer = !matches!(serde_json::from_str(&frame), Ok(ToPeer::Unknown));
    by_server || by_peer
}

#[test]
fn frames_are_read() {
    assert!(!is_read("no_such_frame"), "the test would notice");
    let frames = ours("frame");
    assert!(frames.len() > 15, "{frames:?}");
    for frame in frames {
        assert!(is_read(&frame), "{frame}");
    }
}

/// A real worker hears and says every message of the table.
#[tokio::test]
async fn messages_are_exchanged() {
    let house = House::with_room();
    let _worker = house.worker();
    let mut ada = Seed::join(&house).await;
    let gpu_box = ada.available_workers().await[0]["peer_id"].as_str().unwrap().to_owned();
    ada.request(&gpu_box, "job-1").await;
    assert_eq!(ada.response().await["accepted"], true);
    ada.say(&gpu_box, json!({"app_message_type": "job_assignment", "job_id": "job-1", "initiate_connection": true}))
        .await;
    ada.say(&gpu_box, json!({"app_message_type": "job_cancel", "job_id": "job-1", "reason": "a typo"})).await;
    let cancelled = ada.next("peer_message").await;
    assert_eq!(cancelled["payload"]["app_message_type"], "job_cancelled");
    let told = ["job_request", "job_response", "job_assignment", "job_cancel", "job_cancelled"];
    assert_eq!(ours("message"), told);
}
