use serde_json::{Value, json};
use sleap_rtc_room::{Admission, Call, CloseReason, Effect, Fact, Input, RoomConfig, Stats};
use sleap_rtc_wire::record::RoomKind;
use sleap_rtc_wire::signal::{IceServer, Register};
use sleap_rtc_wire::{Code, FromPeer, Time, ToPeer};

use crate::desk::*;

#[test]
fn a_worker_is_told_that_it_leads_its_own_mesh() {
    let ice = vec![IceServer { urls: vec!["stun:here".to_owned()], username: None, credential: None }];
    let config = RoomConfig { server_version: "9".to_owned(), ..RoomConfig::default() };
    let mut desk = Desk::with(record(RoomKind::Named), config);
    let admission = Admission { ice_servers: ice.clone(), ..anonymous("w1") };
    let (_, frame) = only(desk.go(registers(conn(1), admission, worker("w1"))));
    let ToPeer::RegisteredAuth(auth) = &frame else { panic!("{frame:?}") };
    assert_eq!(auth.mesh_ice_servers, ice);

    let written: Value = serde_json::from_str(&frame.encode()).unwrap();
    assert_eq!(
        written,
        json!({
            "type": "registered_auth", "room_id": "a7f3d2e1", "token": "f9g2h5", "peer_id": "w1",
            "admin_peer_id": "w1", "peer_list": [], "peer_metadata": {},
            "ice_servers": [{"urls": ["stun:here"]}], "mesh_ice_servers": [{"urls": ["stun:here"]}],
            "server_version": "9", "features": ["claims/1"], "expires_at": (START.0 + 30 * 24 * HOUR) / 1000,
        })
    );
}

#[test]
fn a_client_leads_nothing() {
    let mut desk = Desk::new();
    let (_, frame) = only(desk.go(registers(conn(1), anonymous("c1"), client("c1"))));
    let ToPeer::RegisteredAuth(auth) = frame else { panic!("{frame:?}") };
    assert_eq!((auth.admin_peer_id, auth.peer_list.len(), auth.peer_metadata), (None, 0, json!({})));
}

#[test]
fn the_same_member_supersedes_and_the_close_of_the_earlier_connection_removes_nothing() {
    let mut desk = Desk::new();
    let observer = desk.client("c1", 1);
    let first = desk.worker("w1", 2);
    let effects = desk.put(registers(conn(3), keyed("w1"), worker("w1")));
    assert!(effects.contains(&Effect::Close { conn: first, reason: CloseReason::Superseded }), "{effects:?}");

    assert_effects(desk.put(closes(first)), []);
    assert_eq!(desk.found(observer, "c1", json!({})), ["w1"]);
}

#[test]
fn another_member_is_refused_while_the_peer_is_there() {
    let mut desk = Desk::new();
    let observer = desk.client("c1", 1);
    let holder = desk.worker("w1", 2);
    let frames = desk.go(registers(conn(3), keyed("thief"), worker("w1")));
    assert_eq!(refused(frames, conn(3)), Code::Forbidden);
    assert_eq!(desk.found(observer, "c1", json!({})), ["w1"]);

    desk.go(says(holder, FromPeer::Leave));
    desk.enter(conn(3), "thief", worker("w1"));
}

#[test]
fn a_registration_replaces_the_earlier_record_and_joins_last() {
    let mut desk = Desk::new();
    let observer = desk.client("c1", 1);
    desk.worker("w1", 2);
    desk.worker("w2", 3);
    desk.wait(1500);
    desk.enter(conn(2), "w1", plain("w1", "worker", json!({"gpu": 1})));

    let list = desk.list(observer, "c1", json!({}));
    let names: Vec<&str> = list.iter().map(|entry| entry.peer_id.as_str()).collect();
    assert_eq!(names, ["w2", "w1"]);
    assert_eq!(Value::from(list[1].metadata.clone()), json!({"tags": ["sleap-rtc"], "properties": {"gpu": 1}}));
    assert!((list[1].connected_at - 2.5).abs() < 1e-6);
}

#[test]
fn a_connection_that_registers_as_another_peer_is_that_peer_only() {
    let mut desk = Desk::new();
    let observer = desk.client("c1", 1);
    let changed = desk.worker("w1", 2);
    desk.enter(changed, "w1", worker("w9"));
    assert_eq!(desk.found(observer, "c1", json!({})), ["w9"]);
    assert_eq!(refused(desk.go(says(changed, status("w1", "busy"))), changed), Code::Forbidden);
}

#[test]
fn a_frame_of_a_connection_that_has_not_registered_is_told_so() {
    let mut desk = Desk::new();
    let told = |desk: &mut Desk, frame: FromPeer| match only(desk.go(says(conn(9), frame))) {
        (_, ToPeer::Error(error)) => (error.code, error.message),
        other => panic!("{other:?}"),
    };
    let text = "Peer not registered in any room".to_owned();
    assert_eq!(told(&mut desk, discover("x", json!({}))), (Code::NotInRoom, text));
    assert_eq!(told(&mut desk, status("x", "busy")), (Code::NotInRoom, "Peer not in any room".to_owned()));
    let message = FromPeer::peer_message(&peer("x"), &peer("y"), &json!(1));
    assert_eq!(told(&mut desk, message), (Code::NotInRoom, "Sender not in any room".to_owned()));
    assert_effects(desk.put(says(conn(9), FromPeer::Pong)), []);
}

#[test]
fn limits_are_named() {
    let config = RoomConfig { max_peers: 2, ..RoomConfig::default() };
    let mut desk = Desk::with(record(RoomKind::Named), config);
    let refusal = |desk: &mut Desk, register: Register| {
        let name = register.peer_id.as_ref().map_or("x", |peer| peer.as_str()).to_owned();
        match only(desk.go(registers(conn(9), anonymous(&name), register))) {
            (_, ToPeer::Error(error)) => (error.code, error.message),
            other => panic!("{other:?}"),
        }
    };
    let tags: Vec<String> = (0..65).map(|n| n.to_string()).collect();
    let many = Register { metadata: metadata(json!({"tags": tags})), ..worker("w1") };
    assert_eq!(refusal(&mut desk, many), (Code::TooLarge, "65 tags, at most 64 are allowed".to_owned()));
    let role = Register { role: "x".repeat(33), ..worker("w1") };
    assert_eq!(refusal(&mut desk, role), (Code::TooLarge, "role of 33 bytes, at most 32 are allowed".to_owned()));

    desk.worker("w1", 1);
    let second = desk.worker("w2", 2);
    let text = "2 peers in the room, at most 2 are allowed".to_owned();
    assert_eq!(refusal(&mut desk, worker("w3")), (Code::TooLarge, text));
    // Who is there may come again, and a connection may change who it is.
    desk.enter(conn(4), "w1", worker("w1"));
    desk.enter(second, "w2", worker("w5"));
}

#[test]
fn an_update_is_merged_confirmed_and_seen() {
    let mut desk = Desk::new();
    let observer = desk.client("c1", 1);
    let w1 = desk.worker("w1", 2);
    let change = json!({"tags": ["gpu"], "properties": {"status": "maintenance", "gone": null}});
    let mut request = update("w1", change);
    request.request_id = Some("r7".to_owned());
    let frames = desk.go(says(w1, FromPeer::UpdateMetadata(request)));
    let merged = json!({"tags": ["sleap-rtc", "gpu"], "properties": {"status": "maintenance", "gone": null}});
    assert_eq!(
        only(frames),
        (
            w1,
            ToPeer::MetadataUpdated {
                peer_id: peer("w1"),
                metadata: metadata(merged.clone()),
                request_id: Some("r7".to_owned()),
            }
        )
    );
    assert_eq!(Value::from(desk.list(observer, "c1", json!({"tags": ["gpu"]}))[0].metadata.clone()), merged);
}

#[test]
fn a_conditional_update_takes_effect_once() {
    let mut desk = Desk::new();
    let w1 = desk.worker("w1", 2);
    let take = |request_id: &str| {
        let mut update = update("w1", json!({"properties": {"status": "reserved"}}));
        update.condition = Some(filters(json!({"properties": {"status": "available"}})));
        update.request_id = Some(request_id.to_owned());
        says(w1, FromPeer::UpdateMetadata(update))
    };
    assert!(matches!(only(desk.go(take("r1"))), (_, ToPeer::MetadataUpdated { .. })));
    match only(desk.go(take("r2"))) {
        (conn, ToPeer::Error(error)) => {
            assert_eq!((conn, error.code, error.request_id.as_deref()), (w1, Code::Conflict, Some("r2")));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_update_beyond_a_limit_changes_nothing() {
    let mut desk = Desk::new();
    let w1 = desk.worker("w1", 1);
    let huge = update("w1", json!({"properties": {"status": "x".repeat(65_536)}}));
    assert_eq!(refused(desk.go(says(w1, FromPeer::UpdateMetadata(huge))), w1), Code::TooLarge);
    let observer = desk.client("c1", 2);
    assert_eq!(desk.shown(observer, "c1", "w1", "status"), json!("available"));
}

#[test]
fn only_its_own_metadata() {
    let mut desk = Desk::new();
    desk.worker("w1", 1);
    let w2 = desk.worker("w2", 2);
    assert_eq!(refused(desk.go(says(w2, status("w1", "busy"))), w2), Code::Forbidden);
}

#[test]
fn all_but_clients_are_pinged() {
    let mut desk = Desk::new();
    let w1 = desk.worker("w1", 1);
    desk.client("c1", 2);
    desk.wait(10_000);
    let p1 = desk.enter(conn(3), "p1", plain("p1", "peer", json!({})));
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(30_000)));

    desk.wait(20_000);
    assert_effects(desk.tick(), [sent(w1, ToPeer::Ping)]);
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(40_000)));
    desk.wait(10_000);
    assert_effects(desk.tick(), [sent(p1, ToPeer::Ping)]);
    desk.put(closes(p1));
    assert_eq!(desk.room.next_timeout(), Some(START.plus_ms(60_000)));
}

#[test]
fn a_deleted_peer_is_gone_at_once_with_its_claims() {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    let claimed = desk.claimed(c1, claim("r1"));
    desk.go(uses(w1, &claimed.claim_id));

    let effects = desk.put(calls(1, Call::DeletePeer(peer("w1"))));
    let closed = Effect::Close { conn: w1, reason: CloseReason::Deleted };
    let gone = ended("c1000-1", sleap_rtc_wire::claim::EndReason::Lost);
    let answer = sleap_rtc_room::Answer::PeerDeleted { room_removed: false };
    let answered = Effect::Answer { id: sleap_rtc_room::CallId(1), answer };
    assert_effects(effects, [closed, sent(c1, gone), answered]);
    assert_eq!(desk.found(c1, "c1", json!({})), [""; 0]);
    assert_effects(
        desk.put(calls(2, Call::DeletePeer(peer("w1")))),
        [Effect::Answer { id: sleap_rtc_room::CallId(2), answer: sleap_rtc_room::Answer::NoSuchPeer }],
    );
}

#[test]
fn who_comes_and_goes_is_reported() {
    let mut desk = Desk::new();
    let fact = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| if let Effect::Report(fact) = effect { Some(fact) } else { None })
    };
    let came = fact(desk.put(registers(conn(1), anonymous("ann"), worker("w1"))));
    let (member, role) = (anonymous("ann").member, "worker".to_owned());
    let (peer, conn) = (peer("w1"), conn(1));
    let expected = Fact::Registered { peer: peer.clone(), role: role.clone(), member: member.clone(), conn };
    assert_eq!(came, Some(expected));
    assert_eq!(desk.room.stats(), Stats { peers: [(role.clone(), 1)].into(), ..Stats::default() });
    assert_eq!(desk.room.peer(&peer), Some((conn, &member)));
    assert!(desk.room.has_member(&member));

    let left = fact(desk.put(Input::Closed { conn }));
    assert_eq!(left, Some(Fact::Left { peer: peer.clone(), role, member: member.clone(), conn }));
    assert_eq!(desk.room.stats(), Stats { silent: 1, ..Stats::default() });
    assert_eq!(desk.room.peer(&peer), None);
    assert!(!desk.room.has_member(&member));
}

#[test]
fn time_that_stands_still_or_falls_back_does_no_harm() {
    let mut desk = Desk::new();
    desk.worker("w1", 1);
    desk.now = Time(5);
    desk.worker("w2", 2);
    assert_effects(desk.tick(), []);
}
