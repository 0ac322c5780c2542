//! `examples/pytest` and `examples/ci`: the fixture that people know, with real pytest and a client of the Python world, and
//! what it leaves behind.

use std::path::{Path, PathBuf};
use std::process::Command;

use sleap_rtc_worker::trainer::yaml::{self, Value};

use super::{Operator, root};
use crate::house::binary::sleap_rtc;
use crate::house::{House, Program};

/// A Python with `examples/pytest/requirements.txt` installed; without one the test says how to have it, and in CI it fails.
fn python() -> Option<PathBuf> {
    let path = std::env::var_os("SLEAP_RTC_TEST_PYTHON").map(PathBuf::from);
    if path.is_none() {
        let how = "set SLEAP_RTC_TEST_PYTHON to a Python with examples/pytest/requirements.txt installed";
        assert!(std::env::var("CI").is_err(), "examples/pytest is not tested, and this is CI: {how}");
        eprintln!("SKIPPED: examples/pytest is not tested: {how}");
    }
    path
}

/// A command in the place and the environment of a CI runner of the house.
fn on_the_runner(house: &House, program: &Path, arguments: &[&str]) -> Command {
    let desk = house.desk("ci-runner");
    let like = desk.command(&[]);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(desk.path()).env_clear();
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// pytest over the examples, with signaling at this address.
fn pytest(house: &House, python: &Path, websocket: &str) -> Program {
    let examples = root().join("examples/pytest").display().to_string();
    let mut command = on_the_runner(house, python, &["-m", "pytest", "-p", "no:cacheprovider", &examples]);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("SLEAP_RTC_SIGNALING_WS", websocket);
    Program::start("pytest".to_owned(), command)
}

fn nothing_is_left(house: &House) {
    let operator = Operator::of(house);
    assert_eq!((operator.rooms(), operator.users()), (Vec::<String>::new(), 0));
}

#[test]
fn the_fixture_makes_a_room_and_leaves_neither_room_nor_user() {
    let Some(python) = python() else { return };
    let house = House::with_server();
    let told = pytest(&house, &python, house.ws()).end().good();
    assert!(told.out.last().unwrap().contains("3 passed"), "{told}");
    nothing_is_left(&house);
}

#[test]
fn a_test_that_fails_leaves_nothing_either() {
    let Some(python) = python() else { return };
    let house = House::with_server();
    // Nothing listens there: the tests have their room, and fail.
    let told = pytest(&house, &python, "ws://127.0.0.1:1").end();
    assert_eq!(told.code, 1, "{told}");
    assert!(told.out.last().unwrap().contains("3 failed"), "{told}");
    nothing_is_left(&house);
}

/// The value of a step of the workflow's only job.
fn step<'a>(workflow: &'a Value, name: &str, key: &str) -> &'a str {
    let Some(Value::List(steps)) = workflow.get("jobs.test.steps") else { panic!("no steps: {workflow:?}") };
    let named = |step: &&Value| step.get("name") == Some(&Value::Text(name.to_owned()));
    match steps.iter().find(named).and_then(|step| step.get(key)) {
        Some(Value::Text(text)) => text,
        other => panic!("{name}.{key}: {other:?}"),
    }
}

#[test]
fn the_workflow_runs_the_tests_and_always_cleans_up() {
    let text = std::fs::read_to_string(root().join("examples/ci/test.yml")).unwrap();
    let workflow = yaml::read(&text, yaml::CLIENT).unwrap();
    for key in ["name", "on", "jobs.test.runs-on"] {
        assert!(workflow.get(key).is_some(), "{key}");
    }
    for file in ["examples/pytest/requirements.txt", "examples/pytest"] {
        assert!(step(&workflow, "Run tests", "run").contains(file) && root().join(file).exists(), "{file}");
    }
    assert_eq!(step(&workflow, "Clean up users", "if"), "always()");
    // What it says is what a runner does.
    let house = House::with_server();
    let mut command = on_the_runner(&house, Path::new("sh"), &["-ec", step(&workflow, "Clean up users", "run")]);
    let here = sleap_rtc().parent().and_then(Path::to_str).expect("a folder");
    command.env("PATH", format!("{here}:{}", std::env::var("PATH").expect("a path")));
    let told = Program::start("Clean up users".to_owned(), command).end().good();
    assert_eq!(told.out, ["Deleted 0 old users"]);
}
