//! The three parts of an error, and the table of exit codes.

use insta::assert_snapshot;
use sleap_rtc_cli::errors::CliError;
use sleap_rtc_cli::exit::Exit;

use crate::sandbox::Sandbox;

#[test]
fn an_error_has_three_parts() {
    let error = CliError::new(Exit::NoWorker, "no worker in talmolab-gpu-pool is free")
        .cause("2 workers match, both are busy")
        .hint("sleap-rtc status");
    assert_snapshot!(error.render(false), @r"
    error: no worker in talmolab-gpu-pool is free
    cause: 2 workers match, both are busy
    hint: sleap-rtc status
    ");
    assert_snapshot!(error.to_json(), @r#"{"causes":["2 workers match, both are busy"],"code":"no_worker","error":"no worker in talmolab-gpu-pool is free","event":"error","exit":3,"hints":["sleap-rtc status"]}"#);
}

#[test]
fn names_of_strangers_cannot_steer_the_terminal() {
    let error = CliError::new(Exit::JobFailed, "gpu\x1b]52;c;ZXZpbA==\x07-box failed").cause("a\x1b[2Jb\x08c\u{202e}d");
    assert_snapshot!(error.render(false), @r"
    error: gpu-box failed
    cause: ab�c�d
    ");
}

#[test]
fn the_table_in_the_docs_is_the_enum() {
    let table = include_str!("../../../../docs/exit-codes.md");
    let rows: Vec<(String, String)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| {
            let mut cells = line.split(" | ");
            Some((cells.next()?.to_owned(), cells.next()?.trim_matches('`').to_owned()))
        })
        .filter(|(number, _)| number.chars().all(|c| c.is_ascii_digit()))
        .collect();
    let ours: Vec<(String, String)> =
        Exit::ALL.iter().map(|exit| (exit.number().to_string(), exit.name().to_owned())).collect();
    assert_eq!(rows, ours);
}

#[test]
fn a_program_hears_of_a_command_line_that_is_not_understood() {
    let sandbox = Sandbox::new();
    for (arguments, words) in [
        (["--json", "tran"].as_slice(), "unrecognized subcommand 'tran'"),
        (&["--json", "room", "create"], "the following required arguments were not provided: --name <NAME>"),
    ] {
        let output = sandbox.run(arguments);
        assert_eq!(output.status.code(), Some(2));
        let event: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one event");
        assert_eq!((&event["event"], &event["code"]), (&"error".into(), &"usage".into()));
        assert_eq!(event["error"], words);
    }
    assert!(sandbox.run(&["--json", "--help"]).stdout.starts_with(b"One pool"), "help is no error");
}
