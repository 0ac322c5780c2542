//! What `server` prints when it is up.

use insta::assert_snapshot;
use serde_json::json;
use sleap_rtc_cli::commands::server::Serving;
use sleap_rtc_server::Extra;

use crate::sandbox::Sandbox;

fn serving(http: &str, public_url: Option<&str>) -> Serving {
    Serving {
        http: http.parse().expect("an address"),
        ws: "127.0.0.1:8080".parse().expect("an address"),
        relay: Extra::On(8081),
        stun: Extra::Off,
        is_encrypted: false,
        data: "/data".to_owned(),
        public_url: public_url.map(str::to_owned),
    }
}

fn told(http: &str, public_url: Option<&str>) -> String {
    serving(http, public_url).lines().join("\n")
}

#[test]
fn other_machines_are_told_of_only_where_they_can_connect() {
    let export = "export SLEAP_RTC_SERVER=";
    assert!(told("0.0.0.0:8001", None).contains(&format!("{export}http://THIS-MACHINE:8001")));
    assert!(told("127.0.0.1:8001", Some("https://rtc.lab.edu")).contains(&format!("{export}https://rtc.lab.edu")));
    let here = told("127.0.0.1:8001", None);
    assert!(here.contains("this machine only") && !here.contains("other machines"), "{here}");
    assert!(here.ends_with("  sleap-rtc room create --name my-lab"), "{here}");
}

#[test]
fn every_port_is_named_with_what_speaks_there() {
    let taken = Extra::Failed { port: 3478, cause: "Address already in use".to_owned() };
    let encrypted = Serving { is_encrypted: true, stun: taken, ..serving("0.0.0.0:8001", None) };
    let lines = encrypted.lines().join("\n");
    for part in [
        "HTTP       https://127.0.0.1:8001",
        "WebSocket  wss://127.0.0.1:8080",
        "relay      port 8081",
        "STUN       none: UDP port 3478 cannot be used (Address already in use)",
        "  SLEAP_RTC_SERVER=https://THIS-MACHINE:8001 sleap-rtc room create",
        "also: export SLEAP_RTC_CA=/path/cert.pem",
        "export SLEAP_RTC_SERVER=https://THIS-MACHINE:8001",
    ] {
        assert!(lines.contains(part), "{part}: {lines}");
    }
    let named = Serving { public_url: Some("https://rtc.lab.edu".to_owned()), ..encrypted.clone() };
    assert!(named.lines().join("\n").contains("  SLEAP_RTC_SERVER=https://rtc.lab.edu sleap-rtc room create"));
    let served = Serving { stun: Extra::On(3478), ..encrypted };
    let expected = json!({
        "event": "listening", "http": "https://127.0.0.1:8001", "ws": "wss://127.0.0.1:8080", "tls": true,
        "relay": "https://127.0.0.1:8081", "stun": "stun:127.0.0.1:3478", "data": "/data",
    });
    assert_eq!(served.event(), expected);
    assert!(served.lines().join("\n").contains("STUN       UDP port 3478"));
}

#[test]
fn half_a_name_at_github() {
    let mut sandbox = Sandbox::new();
    sandbox.set("GITHUB_CLIENT_ID", "Iv1.0a1b");
    assert_snapshot!(sandbox.told(&["server", "--listen", "127.0.0.1", "--http-port", "0", "--ws-port", "0"]), @r"
    exit 2
    ---
    error: the server did not start
    cause: only one of GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET is set
    hint: set both, to let people log in by GitHub, or none
    ");
}
