//! Accounts, logins, keys and members as processes, against a real server.

use insta::assert_snapshot;
use serde_json::Value;

use crate::login::log_in;
use crate::sandbox::{another, event, with_server};

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
    assert_eq!(
        ada.run(&["room", "members", &room, "--operator"]).status.code(),
        Some(2),
        "the operator has no part in it"
    );
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
fn who_belongs_to_a_room_is_not_told_to_its_servers_operator() {
    let (ada, _server) = with_server();
    event(&ada, &["account", "create", "ada"]);
    let room = event(&ada, &["room", "create", "--name", "lab"])["room_id"].as_str().expect("an id").to_owned();
    assert_eq!(event(&ada, &["room", "show", &room])["members"][0]["username"], "ada");
    assert_eq!(event(&ada, &["room", "show", &room, "--operator"])["members"], Value::Null, "which is not none");
}

#[test]
fn a_computer_that_is_lost_is_taken_from_the_account() {
    let (ada, _server) = with_server();
    event(&ada, &["account", "create", "ada"]);
    let room = event(&ada, &["room", "create", "--name", "lab"])["room_id"].as_str().expect("an id").to_owned();
    let (mut lost, other) = (another(&ada), another(&ada));
    log_in(&lost, &ada);
    log_in(&other, &ada);
    lost.set("SLEAP_RTC_ROOM_ID", &room);
    assert_eq!(lost.run(&["status"]).status.code(), Some(0));
    let id = event(&lost, &["account", "show"])["devices"]
        .as_array()
        .expect("computers")
        .iter()
        .find_map(|device| (device["this"] == true).then(|| device["key_id"].as_str().expect("an id").to_owned()));
    let id = id.expect("it is listed");
    let name = sleap_rtc_worker::host_name();
    let told = ada.told(&["account", "remove", &name]);
    assert!(told.starts_with("exit 2") && told.contains("cause: 3 computers have this name: "), "{told}");
    assert!(told.ends_with("hint: name it by its id, as this prints it: sleap-rtc account show"), "{told}");
    let blurred = |text: String| text.replace(&id, "<ID>").replace(&name, "<HOST>");
    assert_snapshot!(blurred(ada.told(&["account", "remove", &id])), @r"
    exit 2
    ---
    error: <ID> was not taken from the account
    cause: this needs a yes, and there is no terminal to ask on
    hint: sleap-rtc account remove <ID> --yes
    ");
    assert_snapshot!(blurred(ada.told(&["account", "remove", &id, "--yes"])), @r"
    exit 0
    <HOST> (<ID>) is no longer ada's on http://<SLEAP_RTC_SERVER>
    ---
    Is it lost? Keys of the account that are saved there open it still: sleap-rtc key list, key revoke KEY
    ");
    assert_eq!(lost.run(&["account", "show"]).status.code(), Some(6), "it belongs to no account");
    assert_eq!(lost.run(&["status"]).status.code(), Some(6), "nor to the account's room");
    assert_eq!(event(&other, &["account", "show"])["devices"].as_array().map(Vec::len), Some(2));
    assert_snapshot!(blurred(ada.told(&["account", "remove", &id, "--yes"])), @r"
    exit 2
    ---
    error: <ID> was not taken from the account
    cause: the account has no computer of this id or name
    hint: name it by its id, as this prints it: sleap-rtc account show
    ");
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
    // It has no --operator: its hint names none.
    let told = another(&ada).told(&["token", "create", "--room", &room, "--name", "gpu2"]);
    assert_snapshot!(told.replace(&room, "ROOM"), @r"
    exit 6
    ---
    error: you are not a member of room ROOM
    cause: the server at http://<SLEAP_RTC_SERVER> says: You don't have access to this room
    hint: ask its owner for a code: sleap-rtc room join CODE
    ");
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
