//! The scripts that people know by name: they run the program and say nothing of their own.

use std::path::Path;
use std::process::Command;

use sleap_rtc_cli::exit::Exit;

use super::root;
use crate::house::binary::sleap_rtc;
use crate::house::{Desk, Ended, House, Program};

/// The script in the place of the program, with the same environment.
fn command(desk: &Desk, script: &str, arguments: &[&str]) -> Command {
    let like = desk.command(arguments);
    let mut command = Command::new("python3");
    command.arg(root().join("scripts").join(script)).args(arguments).current_dir(desk.path()).env_clear();
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

fn run(desk: &Desk, script: &str, arguments: &[&str]) -> Ended {
    let mut command = command(desk, script, arguments);
    command.env("SLEAP_RTC_BIN", sleap_rtc());
    Program::start(script.to_owned(), command).end()
}

#[test]
fn create_lab_room_makes_a_room() {
    let mut house = House::with_server();
    let told = run(&house.desk("admin"), "create_lab_room.py", &["--name", "my-lab-gpu-pool", "--ttl", "90d"]).good();
    assert_eq!(told.out[0], "Room created successfully!", "{told}");
    assert!(told.out.iter().any(|line| line.starts_with("Expires: ") && line.ends_with("(90 days)")), "{told}");
    let told = run(&house.desk("admin"), "create_lab_room.py", &[]);
    assert_eq!(told.code, i32::from(Exit::Usage.number()), "its exit code is the program's: {told}");
    house.end_server();
    run(&house.desk("admin"), "create_lab_room.py", &["--name", "x"]).fails(Exit::ServerUnreachable);
}

#[test]
fn cleanup_cognito_users_cleans_up() {
    let house = House::with_server();
    super::anonymous(&house);
    let admin = house.desk("admin");
    let told = run(&admin, "cleanup_cognito_users.py", &["--older-than", "24h"]).good();
    assert_eq!(told.out, ["Deleted 0 old users"], "{told}");
    let told = run(&admin, "cleanup_cognito_users.py", &["--older-than", "0s"]).good();
    assert_eq!(told.out.last().unwrap(), "Deleted 1 old users", "{told}");
}

#[test]
fn the_program_is_found_on_the_path_or_missed() {
    let house = House::with_server();
    let admin = house.desk("admin");
    let mut found = command(&admin, "create_lab_room.py", &["--name", "lab"]);
    let here = sleap_rtc().parent().and_then(Path::to_str).expect("a folder");
    found.env("PATH", format!("{here}:{}", std::env::var("PATH").expect("a path")));
    Program::start("create_lab_room.py".to_owned(), found).end().good();
    let mut missed = command(&admin, "create_lab_room.py", &["--name", "lab"]);
    missed.env("SLEAP_RTC_BIN", "/no/such/program");
    let told = Program::start("create_lab_room.py".to_owned(), missed).end();
    assert_eq!(told.code, 127, "{told}");
    assert!(told.err.concat().contains("SLEAP_RTC_BIN"), "{told}");
}
