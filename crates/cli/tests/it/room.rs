//! What `room create` prints.

use insta::assert_snapshot;
use sleap_rtc_cli::commands::room_create::{elsewhere, lines};

const NOW: u64 = 1_795_523_400;

#[test]
fn a_room_on_this_machine() {
    let lines = lines("a7f3d2e1", "f9g2h5", Some(NOW + 30 * 86_400), NOW + 1, None);
    assert_snapshot!(lines.join("\n"), @r#"
    Room created successfully!
    Room ID: a7f3d2e1
    Token: f9g2h5
    Expires: 2026-12-24 12:30:00 UTC (30 days)

    Add these to your worker/client configs:
      SLEAP_RTC_ROOM_ID="a7f3d2e1"
      SLEAP_RTC_ROOM_TOKEN="f9g2h5"
    "#);
}

#[test]
fn a_room_elsewhere_names_its_server() {
    let lines = lines("a7f3d2e1", "f9g2h5", None, NOW, Some("http://admin-box:8001"));
    assert_snapshot!(lines.join("\n"), @r#"
    Room created successfully!
    Room ID: a7f3d2e1
    Token: f9g2h5
    Expires: never

    Add these to your worker/client configs:
      SLEAP_RTC_ROOM_ID="a7f3d2e1"
      SLEAP_RTC_ROOM_TOKEN="f9g2h5"
      SLEAP_RTC_SERVER="http://admin-box:8001"
    "#);
}

#[test]
fn this_machine_has_another_name_elsewhere() {
    let line = elsewhere("http://127.0.0.1:8001").expect("a line");
    assert_snapshot!(line, @r#"On other machines, with this one's name: SLEAP_RTC_SERVER="http://THIS-MACHINE:8001""#);
    assert_eq!(elsewhere("http://admin-box:8001"), None);
}

#[test]
fn a_short_life_is_said_in_hours() {
    for (seconds, words) in [(43_200, "(12 h)"), (86_400, "(1 day)"), (90_000, "(1 d 1 h)"), (90, "(1 min 30 s)")] {
        let lines = lines("a", "b", Some(NOW + seconds), NOW, None);
        assert!(lines[3].ends_with(words), "{}", lines[3]);
    }
}
