//! What `doctor` says of the Python package beside us.

use std::fs;

use serde_json::{Value, json};
use sleap_rtc_peer::api::Api;

use crate::sandbox::{Sandbox, with_server};

/// What it says of the Python package, if anything.
fn told(sandbox: &Sandbox) -> Option<Value> {
    let output = sandbox.run(&["--json", "doctor"]);
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("an event"))
        .find(|check: &Value| check["name"] == "python")
}

/// The Python package of this computer goes to this server.
fn led_here(sandbox: &mut Sandbox) {
    let server = sandbox.value("SLEAP_RTC_SERVER");
    sandbox.set("SLEAP_RTC_SIGNALING_WS", &server.replace("http", "ws"));
    sandbox.set("SLEAP_RTC_SIGNALING_HTTP", &server);
    sandbox.set("SLEAP_DASHBOARD_URL", &format!("{server}/login"));
}

/// What it has saved: a key that it takes for known at its server.
fn saved(sandbox: &Sandbox, account_key: &str) {
    let folder = sandbox.path().join(".sleap-rtc");
    fs::create_dir_all(&folder).expect("a folder");
    let file = json!({
        "jwt": "of another server",
        "user": {"username": "ada"},
        "account_key": account_key,
        "private_key": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "public_key_registered": true,
    });
    fs::write(folder.join("credentials.json"), file.to_string()).expect("a file");
}

#[test]
fn who_does_not_use_it_hears_nothing_of_it() {
    let (ada, _server) = with_server();
    assert_eq!(told(&ada), None);
}

#[test]
fn any_variable_of_it_is_a_reason_to_look() {
    for (name, found) in [
        ("SLEAP_RTC_API_KEY", "a worker's token from SLEAP_RTC_API_KEY"),
        ("SLEAP_RTC_ACCOUNT_KEY", "an account key from SLEAP_RTC_ACCOUNT_KEY"),
        ("SLEAP_DASHBOARD_URL", "not logged in"),
    ] {
        let (mut ada, _server) = with_server();
        ada.set(name, "slp_SECRET");
        let check = told(&ada).expect("a check");
        assert_eq!(check["verdict"], "warn");
        let text = check["found"].as_str().expect("text");
        assert!(text.contains("goes elsewhere") && text.ends_with(found) && !text.ends_with("SECRET"), "{text}");
    }
    let (mut ada, _server) = with_server();
    let server = ada.value("SLEAP_RTC_SERVER");
    ada.set("SLEAP_RTC_SIGNALING_HTTP", &server);
    let check = told(&ada).expect("a check");
    assert!(check["found"].as_str().expect("text").contains("SLEAP_RTC_SIGNALING_WS is not set"), "{check}");
}

#[test]
fn a_login_of_another_server_is_found_out() {
    let (mut ada, _server) = with_server();
    led_here(&mut ada);
    saved(&ada, "slp_acct_of_another_server");
    let check = told(&ada).expect("a check");
    let file = ada.path().join(".sleap-rtc/credentials.json").display().to_string();
    assert_eq!(check["verdict"], "warn");
    assert_eq!(
        check["found"],
        "this server does not take its login or account key; logged in as ada, an account key saved"
    );
    assert_eq!(check["hint"], format!("mv {file} {file}.old; then, with the Python package: sleap-rtc login"));
}

#[test]
fn an_account_key_of_another_server_is_found_out() {
    let (mut ada, _server) = with_server();
    led_here(&mut ada);
    ada.set("SLEAP_RTC_ACCOUNT_KEY", "slp_acct_of_another_server");
    let check = told(&ada).expect("a check");
    assert_eq!(
        check["hint"],
        "unset SLEAP_RTC_ACCOUNT_KEY, or take one of this server: sleap-rtc key create --name NAME"
    );
}

#[tokio::test]
async fn a_key_that_is_known_elsewhere_only_is_found_out() {
    let (mut ada, _server) = with_server();
    let made = ada.run(&["account", "create", "ada", "--operator"]);
    let account_key = String::from_utf8(made.stdout).expect("text").trim().to_owned();
    led_here(&mut ada);
    saved(&ada, &account_key);
    let check = told(&ada).expect("a check");
    let found = check["found"].as_str().expect("text");
    assert!(found.starts_with("its key is not one of ada's here, and workers will refuse it"), "{found}");
    let api = Api::new(ada.value("SLEAP_RTC_SERVER").parse().expect("an address"));
    let body = json!({"public_key": "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w", "device_name": "cli"});
    api.post::<Value>("/api/auth/public-keys", Some(&account_key), &body).await.expect("it is taken");
    let check = told(&ada).expect("a check");
    assert_eq!((&check["verdict"], &check["hint"]), (&"ok".into(), &Value::Null), "{check}");
}
