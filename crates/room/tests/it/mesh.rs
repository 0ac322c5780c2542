//! The mesh that deployed workers form, where it is switched on, and what is said of it where it is not.

use serde_json::{Value, json};
use sleap_rtc_room::{Answer, Call, CallId, Effect, RoomConfig};
use sleap_rtc_wire::record::{Change, Mesh, RoomKind, Switches};
use sleap_rtc_wire::signal::{Register, RegisteredAuth};
use sleap_rtc_wire::{Code, ConnId, ErrorFrame, FromPeer, Text, ToPeer, limits};

use crate::desk::*;

#[test]
fn with_the_mesh_off_every_worker_leads_its_own() {
    let mut desk = Desk::new();
    for n in 1..=3 {
        let auth = alone(enters(&mut desk, n, &format!("gpu{n}"), true));
        assert_eq!(auth.admin_peer_id, Some(peer(&format!("gpu{n}"))));
        assert!(auth.peer_list.is_empty());
        assert_eq!(auth.peer_metadata, json!({}));
    }
}

#[test]
fn hazard_02_with_the_mesh_off_no_frame_of_a_mesh_is_answered() {
    let mut desk = Desk::new();
    for n in [1, 2] {
        enters(&mut desk, n, &format!("gpu{n}"), true);
    }
    for frame in [connect("gpu1", "gpu2"), connect("gpu1", "gone"), answer("gpu1", "gone"), candidate("gpu1", "gpu2")] {
        assert_effects(desk.put(heard(conn(1), &frame)), []);
    }
}

#[test]
fn the_first_worker_leads_and_the_others_hear_of_it_before_they_are_in() {
    let mut desk = meshed();
    let first = alone(enters(&mut desk, 1, "gpu1", true));
    assert_eq!((first.admin_peer_id, first.peer_list), (Some(peer("gpu1")), vec![]));
    let frames = enters(&mut desk, 2, "gpu2", true);
    let [(_, conflict), (_, ToPeer::RegisteredAuth(second))] = &frames[..] else { panic!("{frames:?}") };
    let record = record(RoomKind::Named);
    assert_eq!(*conflict, ToPeer::AdminConflict { room_id: record.room_id, current_admin: peer("gpu1") });
    assert_eq!(second.admin_peer_id, Some(peer("gpu1")));
    assert_eq!(second.peer_list, [peer("gpu1")]);
    assert_eq!(second.peer_metadata["gpu1"]["properties"]["status"], "available");
    let third = alone(enters(&mut desk, 3, "gpu3", false));
    assert_eq!(third.peer_list, [peer("gpu1"), peer("gpu2")]);
}

#[test]
fn who_leads_is_forgotten_when_it_goes_and_not_when_it_registers_again() {
    let mut desk = meshed();
    enters(&mut desk, 1, "gpu1", true);
    // As it does after each client, on the same socket or, after its link broke, on another.
    for n in [1, 5] {
        assert_eq!(alone(enters(&mut desk, n, "gpu1", false)).admin_peer_id, Some(peer("gpu1")));
    }
    desk.go(closes(conn(1)));
    assert_eq!(alone(enters(&mut desk, 2, "gpu2", false)).admin_peer_id, Some(peer("gpu1")), "the later connection's");
    desk.go(closes(conn(5)));
    assert_eq!(alone(enters(&mut desk, 2, "gpu2", false)).admin_peer_id, None, "nobody wants to");
    assert_eq!(alone(enters(&mut desk, 2, "gpu2", true)).admin_peer_id, Some(peer("gpu2")));
    let frames = enters(&mut desk, 6, "gpu1", true);
    assert!(matches!(&frames[0].1, ToPeer::AdminConflict { current_admin, .. } if *current_admin == peer("gpu2")));
    desk.go(calls(1, Call::DeletePeer(peer("gpu2"))));
    assert_eq!(alone(enters(&mut desk, 7, "gpu7", true)).admin_peer_id, Some(peer("gpu7")));
}

#[test]
fn only_deployed_workers_are_of_the_mesh() {
    let mut desk = meshed();
    desk.worker("ours", 1);
    desk.client("laptop", 2);
    let old_client = Register { is_admin: true, ..plain("ana", "client", json!({})) };
    desk.enter(conn(3), "ana", old_client);
    let auth = alone(enters(&mut desk, 4, "gpu1", true));
    assert_eq!((auth.admin_peer_id, auth.peer_list), (Some(peer("gpu1")), vec![]));
    let frames = desk.go(registers(conn(5), keyed("new"), worker("new")));
    let (_, ToPeer::RegisteredAuth(auth)) = only(frames) else { panic!() };
    assert_eq!((auth.admin_peer_id, auth.peer_list), (Some(peer("new")), vec![]));
}

#[test]
fn frames_of_a_mesh_arrive_in_the_deployed_form() {
    let mut desk = pair();
    let offer = json!({"type": "mesh_offer", "from_peer_id": "gpu1", "offer": {"sdp": "v=0", "type": "offer"}});
    assert_eq!(reached(&mut desk, &connect("gpu1", "gpu2")), offer);
    let made = json!({"type": "mesh_answer", "from_peer_id": "gpu1", "answer": {"sdp": "v=0", "type": "answer"}});
    assert_eq!(reached(&mut desk, &answer("gpu1", "gpu2")), made);
    let inner = json!({"candidate": "candidate:1", "sdpMLineIndex": 0, "sdpMid": "0"});
    let found = json!({"type": "ice_candidate", "from_peer_id": "gpu1", "candidate": inner});
    assert_eq!(reached(&mut desk, &candidate("gpu1", "gpu2")), found);
}

#[test]
fn who_is_not_there_is_told_in_the_deployed_shapes() {
    let mut desk = pair();
    let mixed = error_for(&mut desk, &connect("gpu1", "gone")).unwrap();
    assert_eq!((mixed.code, mixed.reason.as_str()), (Code::PeerNotFound, "peer_not_found"));
    assert_eq!((mixed.target_peer_id, mixed.message.as_str()), (Some(peer("gone")), "Target peer gone not found"));
    let normal = error_for(&mut desk, &answer("gpu1", "gone"));
    assert_eq!(normal, Some(ErrorFrame::new(Code::PeerNotFound, "Target peer gone not found")));
    assert_eq!(error_for(&mut desk, &candidate("gpu1", "gone")), None);
}

#[test]
fn what_cannot_be_delivered_is_told() {
    let mut desk = pair();
    desk.client("laptop", 3);
    let failed = error_for(&mut desk, &connect("gpu1", "laptop"));
    assert_eq!(failed, Some(ErrorFrame::new(Code::DeliveryFailed, "Failed to deliver mesh offer to laptop")));
    let failed = error_for(&mut desk, &answer("gpu1", "laptop"));
    assert_eq!(failed, Some(ErrorFrame::new(Code::DeliveryFailed, "Failed to deliver mesh answer to laptop")));
    assert_eq!(error_for(&mut desk, &candidate("gpu1", "laptop")), None);
    let huge = json!({"type": "mesh_connect", "from_peer_id": "gpu1", "target_peer_id": "gpu2", "offer": {"sdp": "x".repeat(limits::SDP)}});
    assert_eq!(error_for(&mut desk, &huge).unwrap().code, Code::TooLarge);
}

#[test]
fn hazard_02_a_worker_that_does_not_lead_hears_of_no_error() {
    let mut desk = pair();
    let job =
        json!({"type": "peer_message", "from_peer_id": "gpu2", "to_peer_id": "gone", "payload": {"accepted": true}});
    let huge = json!({"type": "update_metadata", "peer_id": "gpu2", "metadata": {"properties": {"x": "x".repeat(limits::METADATA)}}});
    for frame in [connect("gpu2", "gone"), answer("gpu2", "gone"), connect("gpu1", "gpu2"), job, huge] {
        assert_effects(desk.put(heard(conn(2), &frame)), []);
    }
    let too_long = plain("gpu2", &"worker".repeat(10), json!({}));
    // A registration is always answered: its connection is not read any further before.
    assert_eq!(refused(desk.go(registers(conn(2), keyed("lab"), too_long)), conn(2)), Code::TooLarge);
}

#[test]
fn nobody_speaks_for_another_worker_or_as_one() {
    let mut desk = pair();
    assert_eq!(error_for(&mut desk, &connect("gpu2", "gpu2")).unwrap().code, Code::Forbidden);
    let laptop = desk.client("laptop", 3);
    assert_eq!(refused(desk.go(heard(laptop, &connect("laptop", "gpu1"))), laptop), Code::UnknownMessageType);
}

#[test]
fn hazard_11_a_mesh_of_thousands_fits_into_a_frame() {
    let mut desk = meshed();
    for n in 0..1_500 {
        let text = "x".repeat(1_000);
        desk.enter(conn(n), "lab", plain(&format!("gpu{n}"), "worker", json!({"text": text})));
    }
    let auth = alone(enters(&mut desk, 9_999, "last", false));
    assert!(auth.peer_list.len() > 500);
    assert_eq!(auth.peer_list.len(), auth.peer_metadata.as_object().unwrap().len());
    assert!(ToPeer::RegisteredAuth(Box::new(auth)).encode().len() < limits::FRAME);
}

#[test]
fn a_switch_is_confirmed_when_it_is_stored() {
    let mut desk = Desk::new();
    let switches = Switches { mesh: Mesh::Reference, ..Switches::default() };
    let change = Call::Change { name: Some("pool".to_owned()), switches: Some(switches) };
    let effects = desk.put(calls(1, change));
    let [Effect::Persist { ticket, changes }] = &effects[..] else { panic!("{effects:?}") };
    let [Change::PutRoom(written)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((written.name.as_deref(), written.switches), (Some("pool"), switches));
    assert_eq!(desk.room.record().switches, Switches::default(), "not before");
    let told = desk.put(sleap_rtc_room::Input::Persisted(*ticket));
    assert_eq!(told, [Effect::Answer { id: CallId(1), answer: Answer::Changed }]);
    assert_eq!(desk.room.record().name.as_deref(), Some("pool"));
    assert_eq!(alone(enters(&mut desk, 1, "gpu1", false)).admin_peer_id, None);
    // What is not named stays.
    desk.go(calls(2, Call::Change { name: None, switches: Some(Switches { strict_offers: false, ..switches }) }));
    desk.go(calls(3, Call::Change { name: Some("gpus".to_owned()), switches: None }));
    let record = desk.room.record();
    assert_eq!((record.name.as_deref(), record.switches.mesh), (Some("gpus"), Mesh::Reference));
    assert!(!record.switches.strict_offers);
}

#[test]
fn a_switch_that_is_not_stored_changes_nothing() {
    let mut desk = Desk::new();
    let change = Call::Change { name: Some("pool".to_owned()), switches: None };
    let effects = desk.put(calls(1, change));
    let [Effect::Persist { ticket, .. }] = &effects[..] else { panic!("{effects:?}") };
    let told = desk.put(sleap_rtc_room::Input::PersistFailed(*ticket));
    assert_eq!(told, [Effect::Answer { id: CallId(1), answer: Answer::StoreUnavailable }]);
    assert_eq!(desk.room.record().name, None);
}

#[test]
fn changes_that_wait_for_one_another_are_written_in_order() {
    let mut desk = Desk::new();
    let rename = |name: &str| Call::Change { name: Some(name.to_owned()), switches: None };
    let first = desk.put(calls(1, rename("one")));
    assert_eq!(desk.put(calls(2, rename("two"))), [], "waits for the first");
    assert_eq!(desk.put(calls(3, rename("three"))), []);
    let [Effect::Persist { ticket, .. }] = &first[..] else { panic!("{first:?}") };
    let then = desk.put(sleap_rtc_room::Input::Persisted(*ticket));
    let [Effect::Answer { id: CallId(1), .. }, Effect::Persist { ticket, .. }] = &then[..] else { panic!("{then:?}") };
    let told = desk.put(sleap_rtc_room::Input::Persisted(*ticket));
    let changed = |id| Effect::Answer { id: CallId(id), answer: Answer::Changed };
    assert_eq!(told, [changed(2), changed(3)]);
    assert_eq!(desk.room.record().name.as_deref(), Some("three"));
}

#[test]
fn a_room_that_goes_meanwhile_is_not_changed() {
    let mut desk = Desk::new();
    let removal = desk.put(calls(1, Call::Delete));
    assert_eq!(desk.put(calls(2, Call::Change { name: Some("late".to_owned()), switches: None })), []);
    let [Effect::Persist { ticket, .. }] = &removal[..] else { panic!("{removal:?}") };
    let told = desk.put(sleap_rtc_room::Input::Persisted(*ticket));
    assert!(told.contains(&Effect::Answer { id: CallId(2), answer: Answer::NoSuchRoom }), "{told:?}");
}

/// A room with the mesh switched on.
fn meshed() -> Desk {
    let mut record = record(RoomKind::Named);
    record.switches.mesh = Mesh::Reference;
    Desk::with(record, RoomConfig::default())
}

/// The workers `gpu1` on connection 1, which leads, and `gpu2` on connection 2.
fn pair() -> Desk {
    let mut desk = meshed();
    enters(&mut desk, 1, "gpu1", true);
    enters(&mut desk, 2, "gpu2", false);
    desk
}

/// A deployed worker registers; what it reads.
fn enters(desk: &mut Desk, n: u64, name: &str, is_admin: bool) -> Vec<(ConnId, ToPeer)> {
    let register = Register { is_admin, ..plain(name, "worker", json!({"status": "available"})) };
    desk.go(registers(conn(n), keyed("lab"), register))
}

fn alone(frames: Vec<(ConnId, ToPeer)>) -> RegisteredAuth {
    match only(frames) {
        (_, ToPeer::RegisteredAuth(auth)) => *auth,
        other => panic!("not taken in: {other:?}"),
    }
}

fn connect(from: &str, to: &str) -> Value {
    json!({"type": "mesh_connect", "from_peer_id": from, "target_peer_id": to, "offer": {"sdp": "v=0", "type": "offer"}})
}

fn answer(from: &str, to: &str) -> Value {
    json!({"type": "mesh_answer", "from_peer_id": from, "target_peer_id": to, "answer": {"sdp": "v=0", "type": "answer"}})
}

fn candidate(from: &str, to: &str) -> Value {
    let candidate = json!({"candidate": "candidate:1", "sdpMLineIndex": 0, "sdpMid": "0"});
    json!({"type": "ice_candidate", "from_peer_id": from, "target_peer_id": to, "candidate": candidate})
}

fn heard(conn: ConnId, frame: &Value) -> sleap_rtc_room::Input {
    says(conn, FromPeer::decode(&Text::from(frame.to_string())).unwrap())
}

/// What `gpu1` says, as it reaches `gpu2`.
fn reached(desk: &mut Desk, frame: &Value) -> Value {
    match only(desk.go(heard(conn(1), frame))) {
        (to, ToPeer::Relayed(text)) if to == conn(2) => serde_json::from_str(&text).unwrap(),
        other => panic!("not for gpu2: {other:?}"),
    }
}

/// The error that `gpu1` hears of what it says, if it hears one.
fn error_for(desk: &mut Desk, frame: &Value) -> Option<ErrorFrame> {
    let frames = desk.go(heard(conn(1), frame));
    frames.into_iter().next().map(|(to, frame)| match frame {
        ToPeer::Error(error) if to == conn(1) => error,
        other => panic!("no error: {other:?}"),
    })
}
