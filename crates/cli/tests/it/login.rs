//! How a computer is let in.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, another, event, with_server};
use crate::stand_in::StandIn;

/// A login that waits.
struct Login {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Login {
    fn start(sandbox: &Sandbox) -> Self {
        let mut command = sandbox.command(&["--json", "login"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        Self { process, lines }
    }

    /// What it says next.
    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().expect("a line").expect("text")).expect("an event")
    }

    /// The code that it shows next.
    fn code(&mut self) -> String {
        let waiting = self.next();
        assert_eq!(waiting["event"], "login_waiting");
        waiting["code"].as_str().expect("a code").to_owned()
    }

    #[cfg(unix)]
    fn interrupt(&self) {
        let ended = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status().expect("a program");
        assert!(ended.success());
    }

    /// Its exit code, and what it said to whoever typed it.
    fn end(self) -> (Option<i32>, String) {
        let output = self.process.wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    }
}

/// Makes a computer one of the account's that another one has.
pub(crate) fn log_in(computer: &Sandbox, by: &Sandbox) {
    let mut login = Login::start(computer);
    event(by, &["login", "--allow", &login.code(), "--yes"]);
    assert_eq!(login.next()["event"], "logged_in");
    assert_eq!(login.end().0, Some(0));
}

#[test]
fn a_computer_is_let_in_by_another() {
    let (ada, _server) = with_server();
    event(&ada, &["account", "create", "ada"]);
    let gpu = another(&ada);
    let mut login = Login::start(&gpu);
    let waiting = login.next();
    assert_eq!((&waiting["event"], &waiting["limit_s"]), (&"login_waiting".into(), &600.into()));
    assert!(waiting["page"].as_str().expect("a page").starts_with(&ada.value("SLEAP_RTC_SERVER")));
    let code = waiting["code"].as_str().expect("a code");
    // Nobody could be asked, and it was not said that nobody need be.
    let refused = ada.told(&["login", "--allow", code]);
    let refused = refused.replace(code, "ABCD-2345").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let (told, since) = refused.rsplit_once(", for ").expect("since when");
    assert!(since.contains(" s now"), "{since}");
    assert_snapshot!(format!("{told}\n{}", since.lines().skip(1).collect::<Vec<_>>().join("\n")), @r"
    exit 2
    ---
    error: the login ABCD-2345 is not allowed
    cause: this needs a yes, and there is no terminal to ask on
    cause: The computer at 127.0.0.1 asks with sleap-rtc/VERSION
    hint: sleap-rtc login --allow ABCD-2345 --yes
    ");
    let allowed = event(&ada, &["login", "--allow", &code.to_lowercase(), "--yes"]);
    assert_eq!((&allowed["event"], &allowed["address"]), (&"login_allowed".into(), &"127.0.0.1".into()));
    assert!(allowed["program"].as_str().expect("a name").starts_with("sleap-rtc/"));
    let logged_in = login.next();
    assert_eq!((&logged_in["event"], &logged_in["user"]["username"]), (&"logged_in".into(), &"ada".into()));
    assert_eq!(login.end().0, Some(0));
    assert_eq!(event(&gpu, &["account", "show"])["devices"].as_array().map(Vec::len), Some(2));
    assert_snapshot!(ada.told(&["login", "--allow", "AAAA-AAAA"]), @r"
    exit 6
    ---
    error: no computer was let in by AAAA-AAAA
    cause: the server at http://<SLEAP_RTC_SERVER> says: no computer asks for this login, or no longer
    hint: codes live as long as the other computer waits; it shows another when asked again: sleap-rtc login
    ");
}

#[cfg(unix)]
#[test]
fn a_login_that_is_ended_ends_cleanly() {
    let (ada, _server) = with_server();
    let mut login = Login::start(&ada);
    login.code();
    login.interrupt();
    let (code, told) = login.end();
    assert_eq!(code, Some(130));
    assert!(told.ends_with("Not logged in: ended before anybody allowed it\n"), "{told}");
}

#[test]
fn a_login_is_shown_anew_when_the_server_has_begun_another() {
    let (ada, server) = with_server();
    event(&ada, &["account", "create", "ada"]);
    let gpu = another(&ada);
    let mut login = Login::start(&gpu);
    let first = login.code();
    let _server = server.again(&ada);
    let second = login.code();
    assert_ne!(first, second);
    assert_eq!(ada.run(&["login", "--allow", &first, "--yes"]).status.code(), Some(6), "that one is over");
    event(&ada, &["login", "--allow", &second, "--yes"]);
    assert_eq!(login.next()["event"], "logged_in");
    assert_eq!(login.end().0, Some(0));
}

#[test]
fn who_has_another_address_now_is_told_so() {
    let mut asked = 0;
    let server = StandIn::start(move |path| match path {
        "/api/auth/cli/poll" => {
            asked += 1;
            match asked {
                1 => Some((202, json!({"status": "pending", "code": "ABCD-2345"}))),
                2 | 3 => Some((202, json!({"status": "pending", "code": null}))),
                _ => Some((400, json!({"error": "no more"}))),
            }
        }
        path => signing_in(path),
    });
    let (code, told) = Login::start(&server.sandbox()).end();
    assert_eq!(code, Some(2));
    assert_eq!(told.matches("warning: the server sees this computer at another address").count(), 1, "{told}");
}

/// How the stand-in answers a computer without an account.
fn signing_in(path: &str) -> Option<(u16, Value)> {
    let signed_in = json!({"nonce": "n", "id_token": "t", "member": "m", "expires_in": 3600});
    Some(match path {
        "/key-signin" => (200, signed_in),
        "/api/auth/key-login" => (404, json!({"error": "no account", "code": "NOT_FOUND"})),
        _ => return None,
    })
}

#[cfg(unix)]
#[test]
fn a_login_can_be_ended_before_the_server_has_answered() {
    let server = StandIn::start(|_| None);
    let login = Login::start(&server.sandbox());
    server.wait_for("/key-signin");
    login.interrupt();
    let (code, told) = login.end();
    assert_eq!(code, Some(130), "{told}");
}

#[cfg(unix)]
#[test]
fn a_login_can_be_ended_after_somebody_has_allowed_it() {
    let mut asked = 0;
    let server = StandIn::start(move |path| match path {
        "/api/auth/cli/poll" => {
            asked += 1;
            let user = json!({"id": "u_1", "user_id": "u_1", "username": "ada", "avatar_url": null});
            let allowed = json!({"jwt": "j", "user": user});
            Some(if asked == 1 { (202, json!({"status": "pending", "code": "ABCD-2345"})) } else { (200, allowed) })
        }
        path => signing_in(path),
    });
    let login = Login::start(&server.sandbox());
    server.wait_for("/api/auth/device");
    login.interrupt();
    let (code, told) = login.end();
    assert_eq!(code, Some(130), "{told}");
    assert!(told.ends_with("Whether it was: sleap-rtc account show\n"), "{told}");
}
