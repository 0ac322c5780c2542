//! What the verbs of accounts, keys and members print.

use insta::assert_snapshot;
use sleap_rtc_cli::accounts::{key_table, lines, member_names, member_table, switches, token_table};
use sleap_rtc_cli::commands::login::News;
use sleap_rtc_cli::commands::{login, members};
use sleap_rtc_peer::api::accounts::AccountKey;
use sleap_rtc_peer::api::members::{Member, RoomChanged, WorkerToken};
use sleap_rtc_session::KeyPair;
use sleap_rtc_wire::http::{Account, Asking, Device, User};
use sleap_rtc_wire::record::{MemberRole, Mesh};
use sleap_rtc_wire::{KeyId, MemberId, PublicKey, RoomId};

fn key(seed: u8) -> PublicKey {
    KeyPair::from_seed(&[seed; 32]).public()
}

fn device(seed: u8, name: &str, proven: bool) -> Device {
    Device {
        key_id: KeyId::new(&format!("dev-{seed}")).expect("an id"),
        public_key: key(seed),
        device_name: name.to_owned(),
        registered_at: "2026-11-24T12:30:00.000000Z".to_owned(),
        proven,
    }
}

fn room() -> RoomId {
    RoomId::new("a7f3d2e1").expect("an id")
}

fn member(id: &str, username: &str, role: MemberRole) -> Member {
    let user_id = MemberId::new(id).expect("an id");
    Member { user_id, username: username.to_owned(), role, joined_at: "2026-11-24T12:30:00.000000Z".to_owned() }
}

#[test]
fn an_account_and_its_computers() {
    let id = MemberId::new("u_0123456789abcdef").expect("an id");
    let user = User { id: id.clone(), user_id: id, username: "ada".to_owned(), avatar_url: None };
    let devices = vec![device(1, "laptop", true), device(2, "gpu-\x1b[2Jbox", true), device(3, "cli", false)];
    assert_snapshot!(lines(&Account { user, devices }, &key(1)).join("\n"), @r"
    Name: ada
    Account: u_0123456789abcdef

    COMPUTER  SINCE       GOOD FOR                             ID
    laptop    2026-11-24  your rooms and keys (this computer)  dev-1
    gpu-box   2026-11-24  your rooms and keys                  dev-2
    cli       2026-11-24  links of the Python package          dev-3
    ");
}

#[test]
fn keys_are_listed_by_their_public_names() {
    let key = |id: &str, name: &str, revoked_at: Option<&str>| AccountKey {
        key_id: id.to_owned(),
        name: name.to_owned(),
        created_at: "2026-11-24T12:30:00.000000Z".to_owned(),
        expires_at: None,
        revoked_at: revoked_at.map(str::to_owned),
    };
    let keys = [
        key("key_0123456789abcdef", "hpc-cluster", None),
        key("key_fedcba9876543210", "lost laptop", Some("2026-11-25T08:00:00.000000Z")),
    ];
    assert_snapshot!(key_table(&keys).join("\n"), @r"
    KEY                   NAME         MADE        STATE
    key_0123456789abcdef  hpc-cluster  2026-11-24  good
    key_fedcba9876543210  lost laptop  2026-11-24  revoked 2026-11-25
    ");
}

#[test]
fn tokens_are_listed_by_their_public_names() {
    let token = |id: &str, expires_at: Option<&str>, is_active| WorkerToken {
        token_id: id.to_owned(),
        room_id: room(),
        room_name: Some("talmolab".to_owned()),
        worker_name: "gpu1".to_owned(),
        created_at: "2026-11-24T12:30:00.000000Z".to_owned(),
        expires_at: expires_at.map(str::to_owned),
        revoked_at: None,
        is_active,
    };
    let tokens = [
        token("key_0123456789abcdef", Some("2026-12-01T12:30:00.000000Z"), true),
        token("key_fedcba9876543210", Some("2026-11-20T12:30:00.000000Z"), false),
        token("key_00000000000000aa", None, true),
    ];
    assert_snapshot!(token_table(&tokens).join("\n"), @r"
    TOKEN                 WORKER  ROOM                 MADE        STATE
    key_0123456789abcdef  gpu1    a7f3d2e1 (talmolab)  2026-11-24  until 2026-12-01
    key_fedcba9876543210  gpu1    a7f3d2e1 (talmolab)  2026-11-24  ended 2026-11-20
    key_00000000000000aa  gpu1    a7f3d2e1 (talmolab)  2026-11-24  good
    ");
}

#[test]
fn members_by_name_and_without_one() {
    let alone = "6a7fb9a43c1e42d1b0a96a7fb9a43c1e42d1b0a96a7fb9a43c1e42d1b0a90000";
    let members = [
        member("u_0123456789abcdef", "ada", MemberRole::Owner),
        member("1234567", "bo\x1b[1mb", MemberRole::Member),
        member(alone, alone, MemberRole::Member),
    ];
    assert_snapshot!(member_table(&members).join("\n"), @r"
    NAME          ROLE    SINCE       ID
    ada           owner   2026-11-24  u_0123456789abcdef
    bob           member  2026-11-24  1234567
    6a7fb9a43c1e  member  2026-11-24  6a7fb9a43c1e42d1b0a96a7fb9a43c1e42d1b0a96a7fb9a43c1e42d1b0a90000
    ");
    assert_snapshot!(member_names(&members), @"ada (owner), bob, 6a7fb9a43c1e");
}

#[test]
fn a_new_member_needs_no_token() {
    assert_snapshot!(members::joined_lines(&room(), Some("http://admin-box:8001")).join("\n"), @r#"
    You are a member of room a7f3d2e1

    Add this to your worker/client configs; a member needs no token:
      SLEAP_RTC_ROOM_ID="a7f3d2e1"
      SLEAP_RTC_SERVER="http://admin-box:8001"
    "#);
}

#[test]
fn switches_in_words() {
    let room = RoomChanged { room_id: room(), name: None, mesh: Mesh::Reference, strict_offers: false };
    assert_eq!(switches(&room), "mesh reference, strict offers off");
    assert_eq!(switches(&RoomChanged { mesh: Mesh::Off, strict_offers: true, ..room }), "mesh off, strict offers on");
}

#[test]
fn a_login_that_waits() {
    let lines = login::lines("http://admin-box:8001/login?cli=true&cli_state=9f…", Some("ABCD-2345"));
    assert_snapshot!(lines.join("\n"), @r"
    Open this page on any computer, and log in there:
      http://admin-box:8001/login?cli=true&cli_state=9f…
    It shows the code ABCD-2345. Or, on a computer of yours that is logged in:
      sleap-rtc login --allow ABCD-2345
    ");
}

#[test]
fn what_is_heard_of_a_login_is_said_once() {
    let code = |text: &str| Some(text.to_owned());
    let mut login = login::Login::new(code("ABCD-2345"));
    let heard = [code("ABCD-2345"), None, None, code("ABCD-2345"), None, code("EFGH-2345"), code("EFGH-2345")];
    let news = heard.map(|code| login.hear(code));
    let (anew, elsewhere) = (Some(News::Anew), Some(News::Elsewhere));
    assert_eq!(news, [None, elsewhere, None, None, elsewhere, anew, None]);
    // The public server has no codes.
    let mut login = login::Login::new(None);
    assert_eq!([None, None].map(|code| login.hear(code)), [None, None]);
}

#[test]
fn a_login_that_is_over_and_one_from_elsewhere() {
    assert_snapshot!(login::OVER, @"The login that was shown is over: the server was started anew, or did not hear of this computer for too long. There is another one now.");
    assert_snapshot!(login::ELSEWHERE, @"the server sees this computer at another address than before, and tells the login only to the address that asked first; if that does not come back, end this and start again: sleap-rtc login");
}

#[test]
fn who_asks_is_said_harmlessly() {
    let asking = Asking {
        address: "10.0.0.7".to_owned(),
        program: "python-requests/2.32.3\x1b]0;root\x07".to_owned(),
        since_seconds: 75,
    };
    assert_snapshot!(login::who(&asking), @"The computer at 10.0.0.7 asks with python-requests/2.32.3, for 1 min 15 s now");
}
