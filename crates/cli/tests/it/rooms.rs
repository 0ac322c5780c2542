//! What the verbs of rooms and identities print.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use sleap_rtc_cli::commands::identity;
use sleap_rtc_cli::rooms::{lines, peers, table};
use sleap_rtc_wire::RoomId;
use sleap_rtc_wire::http::{CleanedUp, RoomInfo, RoomShown};
use sleap_rtc_wire::record::{MemberRole, RoomKind};

const NOW: u64 = 1_795_523_400;
const DAY: u64 = 86_400;

fn lab() -> RoomInfo {
    RoomInfo {
        room_id: RoomId::new("a7f3d2e1").expect("an id"),
        name: Some("talmolab-gpu-pool".to_owned()),
        kind: RoomKind::Named,
        role: Some(MemberRole::Owner),
        created_at: NOW - DAY,
        expires_at: Some(NOW + 30 * DAY),
        ttl: Some(30 * DAY),
        peers: BTreeMap::from([("client".to_owned(), 1), ("worker".to_owned(), 2)]),
        taken: 1,
        waiting: 3,
    }
}

fn throwaway() -> RoomInfo {
    RoomInfo {
        room_id: RoomId::new("0badcafe").expect("an id"),
        name: None,
        kind: RoomKind::Ephemeral,
        role: None,
        expires_at: Some(NOW + 7200),
        ttl: Some(7200),
        peers: BTreeMap::new(),
        taken: 0,
        waiting: 0,
        ..lab()
    }
}

#[test]
fn rooms_as_a_table() {
    let forever = RoomInfo {
        room_id: RoomId::new("my-lab").expect("an id"),
        name: Some("a\x1b[2J lab".to_owned()),
        role: Some(MemberRole::Member),
        expires_at: None,
        ttl: None,
        peers: BTreeMap::from([("worker".to_owned(), 1)]),
        ..lab()
    };
    assert_snapshot!(table(&[lab(), forever, throwaway()], NOW).join("\n"), @r"
    ID        NAME               ROLE      EXPIRES  PEERS
    a7f3d2e1  talmolab-gpu-pool  owner     30 days  2 workers, 1 client
    my-lab    a lab              member    never    1 worker
    0badcafe  –                  operator  2 h      nobody
    ");
}

#[test]
fn a_room_for_its_owner() {
    let room = RoomShown { info: lab(), token: Some("f9g2h5".to_owned()) };
    assert_snapshot!(lines(&room, None, NOW, Some("http://admin-box:8001")).join("\n"), @r#"
    Room ID: a7f3d2e1
    Name: talmolab-gpu-pool
    Your role: owner
    Expires: 2026-12-24 12:30:00 UTC (30 days)
    Lives: 30 days after anybody was in it
    Peers: 2 workers, 1 client
    Claims: 1 worker taken, 3 waiting

    Add these to your worker/client configs:
      SLEAP_RTC_ROOM_ID="a7f3d2e1"
      SLEAP_RTC_ROOM_TOKEN="f9g2h5"
      SLEAP_RTC_SERVER="http://admin-box:8001"
    "#);
}

#[test]
fn a_room_for_a_member() {
    let room = RoomShown { info: RoomInfo { role: Some(MemberRole::Member), ..throwaway() }, token: None };
    assert_snapshot!(lines(&room, None, NOW, None).join("\n"), @r"
    Room ID: 0badcafe
    Name: –
    Your role: member
    Expires: 2026-11-24 14:30:00 UTC (2 h)
    Lives: 2 h; gone soon after its last peer has left
    Peers: nobody

    Its token is shown to its owner and to the server's operator.
    ");
}

#[test]
fn peers_are_counted_by_role() {
    let of = |pairs: &[(&str, usize)]| peers(&pairs.iter().map(|(role, n)| ((*role).to_owned(), *n)).collect());
    assert_eq!(of(&[]), "nobody");
    assert_eq!(of(&[("worker", 0)]), "nobody");
    assert_eq!(of(&[("client", 2), ("peer", 1), ("worker", 1)]), "1 worker, 2 clients, 1 peer");
}

#[test]
fn the_clean_up_ends_with_the_line_that_people_know() {
    let users = vec!["5f0c".to_owned(), "77ab".to_owned()];
    let cleaned = CleanedUp { users, deleted: 2, kept_connected: 1, kept_owners: 0 };
    assert_snapshot!(identity::lines(&cleaned, false).join("\n"), @r"
      5f0c
      77ab
    Kept 1 old user that is connected
    Deleted 2 old users
    ");
    let cleaned = CleanedUp { users: vec!["5f0c".to_owned()], deleted: 1001, kept_connected: 0, kept_owners: 2 };
    assert_snapshot!(identity::lines(&cleaned, true).join("\n"), @r"
      5f0c
      and 1000 more
    Kept 2 old users whose rooms still live
    Would delete 1001 old users
    ");
    let nobody = CleanedUp { users: Vec::new(), deleted: 0, kept_connected: 0, kept_owners: 0 };
    assert_eq!(identity::lines(&nobody, false), ["Deleted 0 old users"]);
}
