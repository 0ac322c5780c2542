//! Commands as processes: what they print and how they end.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::sandbox::{Sandbox, Server};

#[test]
fn no_server() {
    let sandbox = Sandbox::new();
    // Nothing listens on the reserved port 1.
    assert_snapshot!(sandbox.told(&["room", "create", "--name", "lab", "--server", "http://127.0.0.1:1"]), @r"
    exit 5
    ---
    error: the server at http://127.0.0.1:1 cannot be reached
    cause: the connection was refused
    hint: is it running, and is its port open? On its machine: sleap-rtc doctor
    ");
}

#[test]
fn an_address_that_is_none() {
    assert_snapshot!(Sandbox::new().told(&["room", "create", "--name", "lab", "--server", "ftp://admin-box"]), @r#"
    exit 2
    ---
    error: cannot use the server's address
    cause: --server: "ftp://admin-box" is not an address like http://admin-box:8001: it must begin with http:// or https://
    hint: write it as http://admin-box:8001
    "#);
}

#[test]
fn no_room_is_set() {
    assert_snapshot!(Sandbox::new().told(&["status"]), @r"
    exit 2
    ---
    error: no room is set
    cause: neither --room nor SLEAP_RTC_ROOM_ID nor a configuration file names one
    hint: export SLEAP_RTC_ROOM_ID=… SLEAP_RTC_ROOM_TOKEN=…, as `sleap-rtc room create` printed them
    ");
}

#[test]
fn a_room_that_needs_a_token() {
    let mut sandbox = Sandbox::new();
    let _server = Server::with_room(&mut sandbox);
    let room = sandbox.value("SLEAP_RTC_ROOM_ID");
    let mut stranger = Sandbox::new();
    stranger.set("SLEAP_RTC_SERVER", &sandbox.value("SLEAP_RTC_SERVER"));
    stranger.set("SLEAP_RTC_ROOM_ID", &room);
    assert_snapshot!(stranger.told(&["status"]), @r"
    exit 6
    ---
    error: room <SLEAP_RTC_ROOM_ID> did not let you in
    cause: no token of the room is set, and you are not a member, or there is no such room; the server at http://<SLEAP_RTC_SERVER> says: Missing required fields during registration.
    hint: which rooms are yours: sleap-rtc room list; for another, ask its owner for a code: sleap-rtc room join CODE; or set SLEAP_RTC_ROOM_TOKEN
    ");
}

#[test]
fn who_made_a_room_needs_no_token() {
    let mut sandbox = Sandbox::new();
    let _server = Server::with_room(&mut sandbox);
    sandbox.set("SLEAP_RTC_ROOM_TOKEN", "");
    assert_eq!(sandbox.run(&["status"]).status.code(), Some(0));
}

#[test]
fn a_token_file_that_is_not_there() {
    assert_snapshot!(Sandbox::new().told(&["status", "--room", "a7f3d2e1", "--token-file", "nosuch"]), @r"
    exit 2
    ---
    error: cannot read the room's token
    cause: nosuch: No such file or directory (os error 2)
    hint: --token-file FILE, with the token alone in it
    ");
}

#[test]
fn an_empty_room() {
    let mut sandbox = Sandbox::new();
    let server = Server::with_room(&mut sandbox);
    assert_snapshot!(sandbox.told(&["status"]), @r"
    exit 0
    ---
    <SLEAP_RTC_ROOM_ID> on http://<SLEAP_RTC_SERVER>: 0 workers (0 available), 0 others
    Nobody is there. On a GPU machine: sleap-rtc worker --gpu 0
    ");
    assert_eq!(server.end(), Some(0));
}

#[test]
fn a_token_comes_from_a_file_too() {
    let mut sandbox = Sandbox::new();
    let _server = Server::with_room(&mut sandbox);
    fs::write(sandbox.path().join("token"), "wrong\n").expect("a file");
    assert_snapshot!(sandbox.told(&["status", "--token-file", "token"]), @r"
    exit 6
    ---
    error: room <SLEAP_RTC_ROOM_ID> did not let you in
    cause: the server at http://<SLEAP_RTC_SERVER> says: Invalid token
    hint: check SLEAP_RTC_ROOM_TOKEN: it must be the one that `sleap-rtc room create` printed for this room
    ");
}

#[test]
fn a_wrong_room() {
    let mut sandbox = Sandbox::new();
    let _server = Server::with_room(&mut sandbox);
    let file = sandbox.path().join("token");
    fs::write(file, sandbox.value("SLEAP_RTC_ROOM_TOKEN")).expect("a file");
    assert_snapshot!(sandbox.told(&["status", "--room", "00000000", "--token-file", "token"]), @r"
    exit 6
    ---
    error: there is no room 00000000
    cause: the server at http://<SLEAP_RTC_SERVER> says: Room not found
    hint: check SLEAP_RTC_ROOM_ID, or make a room: sleap-rtc room create --name NAME
    ");
    // The token that is set belongs to the room that is set, and is not shown for another one.
    assert_snapshot!(sandbox.told(&["status", "--room", "00000000"]), @r"
    exit 6
    ---
    error: room 00000000 did not let you in
    cause: no token of the room is set, and you are not a member, or there is no such room; the server at http://<SLEAP_RTC_SERVER> says: Missing required fields during registration.
    hint: which rooms are yours: sleap-rtc room list; for another, ask its owner for a code: sleap-rtc room join CODE; or set SLEAP_RTC_ROOM_TOKEN
    ");
}

#[test]
fn a_room_for_a_program_names_everything() {
    let mut sandbox = Sandbox::new();
    let server = Server::start(&sandbox);
    sandbox.set("SLEAP_RTC_SERVER", &server.url);
    let output = sandbox.run(&["--json", "room", "create", "--name", "lab", "--ttl", "never"]);
    let room: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(
        (&room["event"], &room["name"], &room["server"]),
        (&"room_created".into(), &"lab".into(), &server.url.as_str().into())
    );
    assert!(room["expires_at"].is_null() && room["token"].as_str().is_some_and(|token| token.len() >= 16));
}

#[test]
fn a_second_server_in_one_folder() {
    let sandbox = Sandbox::new();
    let _server = Server::start(&sandbox);
    assert_snapshot!(sandbox.told(&["server", "--listen", "127.0.0.1", "--http-port", "0", "--ws-port", "0"]), @r"
    exit 12
    ---
    error: the server did not start
    cause: HOME/.local/share/sleap-rtc/server is in use by another server
    hint: one server a folder: end the other, or name another folder: sleap-rtc server --data DIR
    ");
}

#[test]
fn a_port_that_is_in_use() {
    let mut sandbox = Sandbox::new();
    let server = Server::start(&sandbox);
    let port = server.url.rsplit(':').next().expect("a port").to_owned();
    sandbox.set("PORT", &port);
    let arguments = [
        "server",
        "--listen",
        "127.0.0.1",
        "--http-port",
        &port,
        "--ws-port",
        "0",
        "--stun-port",
        "off",
        "--data",
        "other",
    ];
    assert_snapshot!(sandbox.told(&arguments), @r"
    exit 12
    ---
    error: the server did not start
    cause: port <PORT> is in use by another program
    hint: is a server running already? Else take others: sleap-rtc server --http-port 8011 --ws-port 8090
    ");
}

#[test]
fn a_relay_port_that_is_in_use() {
    let mut sandbox = Sandbox::new();
    let server = Server::start(&sandbox);
    let port = server.url.rsplit(':').next().expect("a port").to_owned();
    sandbox.set("PORT", &port);
    let ports = ["--http-port", "0", "--ws-port", "0", "--stun-port", "off", "--relay-port", &port];
    let arguments = [&["server", "--listen", "127.0.0.1", "--data", "other"], &ports[..]].concat();
    assert_snapshot!(sandbox.told(&arguments), @r"
    exit 12
    ---
    error: the server did not start
    cause: port <PORT> is in use by another program
    hint: take another, or none: sleap-rtc server --relay-port off
    ");
}

#[test]
fn doctor_ends_with_a_code_of_its_own() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["--json", "doctor", "--server", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(11));
    let checks: Vec<Value> = String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    let server = checks.iter().find(|check| check["name"] == "server").expect("the server was looked at");
    assert_eq!(server["verdict"], "fail");
    assert!(checks.iter().any(|check| check["name"] == "disk"), "it goes on after a failure");
}

#[test]
fn nothing_is_installed_without_a_yes() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["trainer", "install"]);
    // Without a Python that fits it does not even come to the question.
    assert_eq!(output.status.code(), Some(10));
    assert!(!sandbox.path().join(".local/share/sleap-rtc/trainer").exists());
}

#[test]
fn a_folder_with_other_files_is_never_replaced() {
    let sandbox = Sandbox::new();
    let precious = sandbox.path().join("precious");
    fs::create_dir(&precious).expect("a folder");
    fs::write(precious.join("data.slp"), "mine").expect("a file");
    let output = sandbox.run(&["trainer", "install", "--yes", "--dir", "precious"]);
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(fs::read_to_string(precious.join("data.slp")).expect("it is there"), "mine");
}

#[test]
fn a_trainer_that_is_not_there_is_no_reason_to_take_another() {
    let mut sandbox = Sandbox::new();
    sandbox.set("SLEAP_RTC_TRAINER", "/nosuch/sleap-nn");
    assert_snapshot!(sandbox.told(&["demo", "--yes"]), @r"
    exit 10
    ---
    error: cannot use the trainer that SLEAP_RTC_TRAINER names
    cause: <SLEAP_RTC_TRAINER> is not a program
    hint: export SLEAP_RTC_TRAINER=/path/to/sleap-nn, or unset it and run: sleap-rtc trainer install
    ");
}
