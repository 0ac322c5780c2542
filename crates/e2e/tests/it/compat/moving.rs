//! A laboratory moves: homes in which the Python programs of the old server have left their credentials, and the README's own lines.

use std::fs;

use serde_json::json;

use super::finding::workers;
use super::home::ended;
use super::jobs::the_ports;
use super::lab::{Member, first_room, log_in};
use super::{Home, Lab, PyWorker, pair_step, step};
use crate::house::Program;

/// What `login`, `key create --save` and `room create-secret` of the old server left behind.
fn leave_credentials_of_the_old_server(home: &Home, is_logged_in: bool) {
    let mut left = json!({
        "account_key": "slp_acct_OfTheOldServerOfTheOldServerOfTheOldServ",
        "private_key": "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
        "public_key_registered": true,
        "default_room": "room-old",
        "tokens": {"room-old": {"api_key": "slp_old", "worker_name": "gpu1"}},
        "room_secrets": {"room-old": "c2VjcmV0"},
    });
    if is_logged_in {
        // {"alg": "HS256"}, {"sub": "1", "exp": 4102444800}
        left["jwt"] = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIiwiZXhwIjo0MTAyNDQ0ODAwfQ.b2xk".into();
        left["user"] = json!({"id": "1", "username": "ada-of-old"});
    }
    fs::write(home.folder.join(".sleap-rtc/credentials.json"), left.to_string()).expect("a file");
}

/// The README's lines on a machine with a GPU, in which `gpu1$` stands, after those that log in.
fn worker_as_the_readme_has_it(machine: Home, room: &str) -> PyWorker {
    step("key create --save", || machine.run(&["key", "create", "--save"]));
    step("room set-default", || machine.run(&["room", "set-default", room]));
    step("worker --name gpu1", || PyWorker::named("gpu1", machine, &[]))
}

fn trains(member: &Member, worker: &PyWorker) {
    let options = worker.training(2, false);
    let job = || -> Program { member.home.start("api.py", &["train", &member.room, &options]) };
    let told = pair_step("run_training after moving", || ended(job()));
    assert_eq!(told.event("result")["success"], true);
}

#[test]
fn the_readmes_own_lines_make_a_worker_that_is_found_and_trains() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let _ports = the_ports();
    let machine = lab.machine("gpu1", &[]);
    log_in(&machine, "ada", &ada.key);
    let worker = worker_as_the_readme_has_it(machine, &ada.room);
    let seen = workers(&ada.home, &ada.room);
    let name = &seen[0]["metadata"]["properties"]["worker_name"];
    assert_eq!((seen.len(), name), (1, &"gpu1".into()), "{seen:#?}");
    trains(&ada, &worker);
}

/// An old home says that its key is registered, and has a key of the old server which comes before the login: both must go, or no
/// worker knows who dials. A machine that was never logged in has nothing that `logout` would take away.
#[test]
fn homes_of_the_old_server_move_by_logging_out_and_in_and_their_jobs_run() {
    let Some(lab) = Lab::open() else { return };
    let account = lab.account("ada");
    let key = account["account_key"].as_str().expect("a key").to_owned();
    let home = lab.home("laptop");
    leave_credentials_of_the_old_server(&home, true);
    let old = home.credentials();
    let told = step("logout from the old server", || home.run(&["logout"]));
    assert!(told.contains("Logged out successfully"), "{told}");
    step("login after the old server", || log_in(&home, "ada", &key));
    let new = home.credentials();
    assert_eq!(new["public_key_registered"], true);
    for name in ["jwt", "private_key", "account_key", "default_room", "room_secrets"] {
        assert_ne!(new[name], old[name], "{name}");
    }
    let room = first_room(&home);
    let _ports = the_ports();
    let machine = lab.machine("gpu1", &[]);
    leave_credentials_of_the_old_server(&machine, false);
    let told = machine.run(&["logout"]);
    assert!(told.contains("Not currently logged in"), "{told}");
    step("credentials clear", || machine.run(&["credentials", "clear", "--yes"]));
    log_in(&machine, "ada", &key);
    let worker = worker_as_the_readme_has_it(machine, &room);
    trains(&Member { home, room, key }, &worker);
}
