//! Accounts, logins, keys and members as processes, against a real server.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use serde_json::Value;

use crate::sandbox::{Sandbox, Server};

/// Another computer with the same server.
fn another(sandbox: &Sandbox) -> Sandbox {
    let mut other = Sandbox::new();
    other.set("SLEAP_RTC_SERVER", &sandbox.value("SLEAP_RTC_SERVER"));
    other
}

fn with_server() -> (Sandbox, Server) {
    let mut sandbox = Sandbox::new();
    let server = Server::start(&sandbox);
    sandbox.set("SLEAP_RTC_SERVER", &server.url);
    sandbox.hide_host();
    (sandbox, server)
}

/// The only event of a command.
fn event(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = sandbox.run(&[&["--json"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one event")
}

#[test]
fn an_account_of_ones_own() {
    let (ada, _server) = with_server();
    assert_snapshot!(ada.told(&["account", "show"]), @r"
    exit 6
    ---
    error: this computer belongs to no account
    cause: http://<SLEAP_RTC_SERVER> knows its key, and no account that has it
    hint: you have an account: sleap-rtc login
    hint: you have none yet: sleap-rtc account create NAME
    ");
    assert_snapshot!(ada.told(&["account", "create", "ada"]), @r"
    exit 0
    Account ada is made on http://<SLEAP_RTC_SERVER>
    ---
    This computer, <HOST>, is its first. On your others: sleap-rtc login
    For the Python package: sleap-rtc key create --name NAME
    ");
    assert_snapshot!(ada.told(&["login"]), @r"
    exit 0
    This computer, <HOST>, is already ada's on http://<SLEAP_RTC_SERVER>
    ---
    In the account's rooms it needs no token. Which they are: sleap-rtc room list
    ");
    assert_snapshot!(ada.told(&["account", "create", "ada"]), @r"
    exit 12
    ---
    error: the account was not made
    cause: the server at http://<SLEAP_RTC_SERVER> says: this computer belongs to the account ada already
    hint: whose this computer is: sleap-rtc account show
    hint: is ada your own account? sleap-rtc login; else take another name
    ");
    let shown = event(&ada, &["account", "show"]);
    assert_eq!((&shown["user"]["username"], &shown["devices"][0]["this"]), (&"ada".into(), &true.into()));
    let bob = another(&ada);
    assert_snapshot!(bob.told(&["account", "create", "Ada"]), @r"
    exit 12
    ---
    error: the account was not made
    cause: the server at http://<SLEAP_RTC_SERVER> says: the name Ada is taken
    hint: whose this computer is: sleap-rtc account show
    hint: is Ada your own account? sleap-rtc login; else take another name
    ");
    assert_snapshot!(ada.told(&["logout"]), @r"
    exit 0
    This computer is no longer ada's on http://<SLEAP_RTC_SERVER>
    ");
    assert_eq!(ada.run(&["account", "show"]).status.code(), Some(6));
}

#[test]
fn a_key_is_shown_once_and_alone() {
    let (ada, _server) = with_server();
    event(&ada, &["account", "create", "ada"]);
    let output = ada.run(&["key", "create", "--name", "hpc"]);
    let key = String::from_utf8(output.stdout).expect("text");
    let told = String::from_utf8(output.stderr).expect("text");
    assert!(key.starts_with("slp_acct_") && key.ends_with('\n') && key.lines().count() == 1);
    assert!(!told.contains(key.trim()), "{told}");
    let listed = event(&ada, &["key", "list"]);
    let id = listed["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("key_") && told.contains(&id));
    assert_eq!((&listed["name"], &listed["revoked_at"]), (&"hpc".into(), &Value::Null));
    let refused = ada.told(&["key", "revoke", key.trim()]);
    assert_snapshot!(refused, @r"
    exit 2
    ---
    error: a key is not taken from the command line
    cause: others on this machine can read a program's arguments
    hint: name it as this prints it: sleap-rtc key list
    ");
    assert_eq!(event(&ada, &["key", "revoke", &id])["id"], id.as_str());
    assert!(event(&ada, &["key", "list"])["revoked_at"].is_string());
    assert_snapshot!(ada.told(&["key", "revoke", "key_0000000000000000"]), @r"
    exit 2
    ---
    error: key key_0000000000000000 was not revoked
    cause: the server at http://<SLEAP_RTC_SERVER> says: Account key not found
    hint: sleap-rtc key list
    ");
}

#[test]
fn an_account_for_somebody_else() {
    let (admin, _server) = with_server();
    let output = admin.run(&["account", "create", "bob", "--operator"]);
    let key = String::from_utf8(output.stdout).expect("text");
    assert!(key.starts_with("slp_acct_") && key.lines().count() == 1, "{key}");
    let told = String::from_utf8(output.stderr).expect("text");
    assert_snapshot!(told.replace(&admin.value("SLEAP_RTC_SERVER"), "http://SERVER"), @r"
    Account bob is made on http://SERVER. Its key, shown this once:
    It is bob's password: for the login page, and as SLEAP_RTC_ACCOUNT_KEY for the Python package
    ");
    assert_eq!(admin.run(&["account", "show"]).status.code(), Some(6), "the operator's computer has no part in it");
}

#[test]
fn a_computer_is_let_in_by_another() {
    let (ada, _server) = with_server();
    event(&ada, &["account", "create", "ada"]);
    let gpu = another(&ada);
    let mut login = gpu.command(&["--json", "login"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(login.stdout.take().expect("a pipe")).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().expect("a line").expect("text")).expect("an event");
    let waiting = next();
    assert_eq!(waiting["event"], "login_waiting");
    assert!(waiting["page"].as_str().expect("a page").starts_with(&ada.value("SLEAP_RTC_SERVER")));
    let code = waiting["code"].as_str().expect("a code");
    let allowed = event(&ada, &["login", "--allow", &code.to_lowercase()]);
    assert_eq!((&allowed["event"], &allowed["address"]), (&"login_allowed".into(), &"127.0.0.1".into()));
    assert!(allowed["program"].as_str().expect("a name").starts_with("sleap-rtc/"));
    let logged_in = next();
    assert_eq!((&logged_in["event"], &logged_in["user"]["username"]), (&"logged_in".into(), &"ada".into()));
    assert!(login.wait().expect("it ends").success());
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
    let mut login = ada.command(&["--json", "login"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(login.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let ended = Command::new("kill").args(["-INT", &login.id().to_string()]).status().expect("a program");
    assert!(ended.success());
    assert_eq!(login.wait().expect("it ends").code(), Some(130));
}

#[test]
fn a_room_by_invitation() {
    let (ada, _server) = with_server();
    event(&ada, &["account", "create", "ada"]);
    let room = event(&ada, &["room", "create", "--name", "lab"])["room_id"].as_str().expect("an id").to_owned();
    let mut bob = another(&ada);
    event(&bob, &["account", "create", "bob"]);
    bob.set("SLEAP_RTC_ROOM_ID", &room);
    assert_eq!(bob.run(&["status"]).status.code(), Some(6), "no member yet");
    let code = String::from_utf8(ada.run(&["room", "invite", &room]).stdout).expect("text");
    assert_eq!(code.trim().len(), 8);
    assert_snapshot!(bob.told(&["room", "join", code.trim()]), @r#"
    exit 0
    You are a member of room <SLEAP_RTC_ROOM_ID>

    Add this to your worker/client configs; a member needs no token:
      SLEAP_RTC_ROOM_ID="<SLEAP_RTC_ROOM_ID>"
      SLEAP_RTC_SERVER="http://<SLEAP_RTC_SERVER>"
    "#);
    assert_eq!(bob.run(&["status"]).status.code(), Some(0), "a member needs no token");
    let members = ada.told(&["room", "members", &room]);
    assert!(members.contains("ada") && members.contains("bob"), "{members}");
    assert!(ada.told(&["room", "show", &room]).contains("Members: ada (owner), bob"));
    assert_snapshot!(bob.told(&["room", "invite"]), @r"
    exit 6
    ---
    error: there is no invite
    cause: the server at http://<SLEAP_RTC_SERVER> says: Only room owners can create invites
    hint: whose it is: sleap-rtc room members <SLEAP_RTC_ROOM_ID>
    ");
    assert_snapshot!(bob.told(&["room", "join", "ABCDEFGH"]), @r"
    exit 6
    ---
    error: you did not become a member
    cause: the server at http://<SLEAP_RTC_SERVER> says: Invalid invite code
    hint: ask the room's owner for a fresh code: sleap-rtc room invite
    ");
    event(&ada, &["room", "remove", "bob", "--room", &room]);
    assert_eq!(bob.run(&["status"]).status.code(), Some(6), "no member any more");
    assert_eq!(ada.run(&["room", "remove", "bob", "--room", &room]).status.code(), Some(2));
}

#[test]
fn a_token_for_a_worker_of_the_python_package() {
    let (mut ada, _server) = with_server();
    event(&ada, &["account", "create", "ada"]);
    let room = event(&ada, &["room", "create", "--name", "lab"])["room_id"].as_str().expect("an id").to_owned();
    ada.set("SLEAP_RTC_ROOM_ID", &room);
    let output = ada.run(&["token", "create", "--name", "gpu1", "--expires", "never"]);
    let token = String::from_utf8(output.stdout).expect("text");
    assert!(token.starts_with("slp_") && !token.starts_with("slp_acct_") && token.lines().count() == 1, "{token}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains(token.trim()));
    let listed = event(&ada, &["token", "list"]);
    assert_eq!((&listed["worker_name"], &listed["is_active"]), (&"gpu1".into(), &true.into()));
    let id = listed["id"].as_str().expect("an id").to_owned();
    assert_eq!(event(&ada, &["token", "revoke", &id])["id"], id.as_str());
    assert_eq!(event(&ada, &["token", "list"])["is_active"], false);
    assert_eq!(ada.run(&["token", "revoke", token.trim()]).status.code(), Some(2));
}

#[test]
fn a_room_is_changed_by_its_owner() {
    let (mut ada, _server) = with_server();
    let room = event(&ada, &["room", "create", "--name", "lab"])["room_id"].as_str().expect("an id").to_owned();
    ada.set("SLEAP_RTC_ROOM_ID", &room);
    assert_snapshot!(ada.told(&["room", "set", "--name", "pool", "--strict-offers", "off"]), @r"
    exit 0
    Room <SLEAP_RTC_ROOM_ID> (pool): mesh off, strict offers off
    ");
    let changed = event(&ada, &["room", "set", "--mesh", "reference", "--strict-offers", "on"]);
    assert_eq!(
        (&changed["mesh"], &changed["strict_offers"], &changed["name"]),
        (&"reference".into(), &true.into(), &"pool".into())
    );
    let bob = another(&ada);
    assert_snapshot!(bob.told(&["room", "set", &room, "--mesh", "off"]).replace(&room, "ROOM"), @r"
    exit 6
    ---
    error: there is no room ROOM
    cause: the server at http://<SLEAP_RTC_SERVER> says: Room not found or you don't have access
    hint: sleap-rtc room list
    ");
}
