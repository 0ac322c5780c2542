//! The Python command line's own ways in: `login`, `room`, `token`, `key`, `doctor`.

use super::lab::{key_in, word_after};
use super::{Lab, step};

#[test]
fn the_command_line_logs_in_and_makes_rooms_tokens_and_keys() {
    let Some(lab) = Lab::open() else { return };
    let ada = step("login", || lab.logged_in("ada"));
    assert_eq!(ada.credentials()["public_key_registered"], true, "login registers the key that proves who dials");
    let told = step("whoami", || ada.run(&["whoami"]));
    assert!(told.contains("Username: ada") && told.contains("User ID:  u_"), "{told}");
    let room = step("room create", || {
        let mut made = ada.cli(&["room", "create", "--name", "fly lab"]);
        let text = made.shows("Set this as your default room?");
        made.press("y\n");
        assert_eq!(made.end().0, 0);
        word_after(&text, "Room ID:")
    });
    let listed = step("room list", || ada.run(&["room", "list"]));
    assert!(listed.contains(&room) && listed.contains("fly lab") && listed.contains("owner"), "{listed}");
    let token = step("token create", || ada.run(&["token", "create", "--room", &room, "--name", "gpu-box"]));
    let token = word_after(&token, "API Key:");
    assert!(token.starts_with("slp_") && !token.starts_with("slp_acct_"), "{token}");
    let listed = step("token list", || ada.run(&["token", "list", "--room", &room]));
    assert!(listed.contains("gpu-box") && listed.contains("active"), "{listed}");
    let made = step("key create", || ada.run(&["key", "create", "--name", "cluster", "--save"]));
    assert_eq!(ada.credentials()["account_key"], key_in(&made));
    let listed = step("key list", || ada.run(&["key", "list", "--full"]));
    assert!(listed.contains("cluster"), "{listed}");
    let told = step("doctor", || ada.run(&["doctor"]));
    assert!(told.contains("Health check: ✓ reachable") && told.contains("Logged in: ✓"), "{told}");
    let told = step("token revoke", || ada.run(&["token", "revoke", &token, "--yes"]));
    assert!(told.contains("Token revoked successfully"), "{told}");
    let told = step("room delete", || ada.run(&["room", "delete", &room, "--force"]));
    assert!(told.to_lowercase().contains("deleted"), "{told}");
}

#[test]
fn a_colleague_joins_with_an_invitation() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let bob = lab.logged_in("bob");
    let told = step("room invite", || ada.home.run(&["room", "invite", &ada.room]));
    let code = told
        .split_whitespace()
        .find(|word| word.len() == 8 && word.chars().all(|c| !c.is_lowercase() && c.is_alphanumeric()));
    let code = code.unwrap_or_else(|| panic!("no code in {told}"));
    step("room join", || {
        let mut joined = bob.cli(&["room", "join", "--code", code]);
        joined.shows("Set this as your default room?");
        joined.press("y\n");
        assert_eq!(joined.end().0, 0);
    });
    let listed = bob.run(&["room", "list"]);
    assert!(listed.contains(&ada.room) && listed.contains("member"), "{listed}");
}

/// The command line takes a 401 for "this key is revoked" and forgets the key: so a server that cannot answer says something else.
#[test]
fn hazard_10_a_key_that_is_good_is_kept_whatever_happens_and_a_revoked_one_is_forgotten() {
    let Some(mut lab) = Lab::open() else { return };
    let ada = lab.member("ada").home;
    let key = key_in(&ada.run(&["key", "create", "--name", "saved", "--save"]));
    lab.house.kill_server();
    let (code, text) = ada.cli(&["key", "list"]).end();
    assert_eq!((code, &ada.credentials()["account_key"]), (1, &key.clone().into()), "{text}");
    lab.house.restart_server();
    ada.run(&["key", "list"]);
    assert_eq!(ada.credentials()["account_key"], key);
    step("key revoke", || ada.run(&["key", "revoke", &key, "--yes"]));
    let told = ada.run(&["key", "list"]);
    assert!(!told.contains(&key), "{told}");
    assert!(ada.credentials().get("account_key").is_none_or(serde_json::Value::is_null), "{}", ada.credentials());
}
