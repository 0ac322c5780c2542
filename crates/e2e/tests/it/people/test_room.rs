//! `test-room`: while it runs there is a room; when it has ended there is none, however it was ended.

use rustix::process::Signal;
use serde_json::Value;
use sleap_rtc_cli::exit::Exit;

use super::{Operator, operator_option};
use crate::house::binary::sleap_rtc;
use crate::house::{House, Program, until};

fn start(house: &House) -> (Program, Value) {
    let program = house.desk("tester").start(&["test-room"]);
    let room = program.event("test_room");
    (program, room)
}

fn nothing_is_left(house: &House) {
    let operator = Operator::of(house);
    assert_eq!((operator.rooms(), operator.users()), (Vec::<String>::new(), 0));
}

#[test]
fn it_prints_a_room_and_a_user_that_are_gone_at_its_end() {
    let house = House::with_server();
    let (mut program, room) = start(&house);
    let text = |name: &str| room[name].as_str().unwrap_or_else(|| panic!("{name}: {room}")).to_owned();
    assert_eq!(text("server"), house.http());
    assert_eq!(text("peer_id"), text("username"));
    let operator = Operator::of(&house);
    assert_eq!((operator.rooms(), operator.users()), (vec![text("room_id")], 1));
    // It is a room like any other: whoever is told of it comes in.
    let friend = house.desk("friend").with("SLEAP_RTC_ROOM_ID", &text("room_id"));
    friend.with("SLEAP_RTC_ROOM_TOKEN", &text("token")).run(&["status"]).good();
    program.close_input();
    let ended = program.end().good();
    assert_eq!(ended.out.len(), 1, "one line, for a program: {ended}");
    nothing_is_left(&house);
}

#[test]
fn signals_end_it_in_order() {
    let house = House::with_server();
    for signal in [Signal::INT, Signal::TERM] {
        let (program, _) = start(&house);
        program.signal(signal);
        program.end().good();
        nothing_is_left(&house);
    }
}

#[test]
fn it_runs_a_command_in_the_room_and_ends_as_the_command_did() {
    let house = House::with_server();
    let tester = house.desk("tester");
    let told = tester.run(&["test-room", "--", sleap_rtc().to_str().unwrap(), "--json", "status"]).good();
    assert!(told.out.is_empty(), "nobody is in it, and what is printed is the command's: {told}");
    let script = "test -n \"$SLEAP_RTC_ROOM_TOKEN\" -a -n \"$SLEAP_RTC_ID_TOKEN\" && echo $SLEAP_RTC_PEER_ID; exit 7";
    let told = tester.run(&["test-room", "--", "sh", "-c", script]);
    assert_eq!((told.code, told.out.len()), (7, 1), "{told}");
    let killed = tester.run(&["test-room", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(killed.code, 128 + 9, "{killed}");
    let fault = tester.run(&["test-room", "--", "/no/such/program"]).fails(Exit::Usage);
    assert!(fault.error.contains("/no/such/program"), "{}", fault.text);
    nothing_is_left(&house);
}

#[test]
fn who_ends_it_ends_the_command_first() {
    let house = House::with_server();
    let script = "trap 'echo told; exit 9' TERM; echo up; while :; do sleep 0.05; done";
    let program = house.desk("tester").start(&["test-room", "--", "sh", "-c", script]);
    program.wait("up", || program.said().contains("up").then_some(()));
    program.signal(Signal::TERM);
    let ended = program.end();
    assert_eq!((ended.code, ended.out.concat().as_str()), (9, "uptold"), "{ended}");
    nothing_is_left(&house);
}

/// What does not listen is killed by the second signal.
#[test]
fn a_second_signal_kills_the_command() {
    let house = House::with_server();
    let script = "trap 'echo told' TERM; echo up; while :; do sleep 0.05; done";
    let program = house.desk("tester").start(&["test-room", "--", "sh", "-c", script]);
    for said in ["up", "told"] {
        program.wait(said, || program.said().contains(said).then_some(()));
        program.signal(Signal::TERM);
    }
    let ended = program.end();
    assert_eq!(ended.code, 128 + 9, "{ended}");
    nothing_is_left(&house);
}

#[test]
fn a_killed_one_leaves_a_room_that_ends_by_itself() {
    let house = House::with_server();
    let (program, room) = start(&house);
    program.kill();
    let id = room["room_id"].as_str().unwrap();
    assert_eq!(Operator::of(&house).rooms(), [id]);
    let shown = house.desk("admin").run(&["--json", "room", "show", id, &operator_option(&house)]).good().event("room");
    assert_eq!((&shown["kind"], &shown["ttl"]), (&"ephemeral".into(), &7200.into()), "{shown}");
    assert_eq!(shown["expires_at"].as_u64(), shown["created_at"].as_u64().map(|made| made + 7200), "{shown}");
}

#[test]
fn without_a_server_it_says_so() {
    let mut house = House::with_server();
    house.end_server();
    house.desk("tester").run(&["test-room"]).fails(Exit::ServerUnreachable);
}

/// The room cannot be deleted: that is said, and that it goes by itself.
#[test]
fn a_server_that_is_gone_at_the_end_is_said() {
    let mut house = House::with_server();
    let (mut program, _) = start(&house);
    house.end_server();
    program.close_input();
    let fault = program.end().fails(Exit::ServerUnreachable);
    assert!(fault.hints.iter().any(|hint| hint.contains("within two hours")), "{}", fault.text);
    house.restart_server();
    until("the server is back", || (Operator::of(&house).rooms().len() == 1).then_some(()));
}
