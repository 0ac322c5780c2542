//! Two sessions of one user, which both call themselves by the user's name.

use serde_json::{Value, json};
use sleap_rtc_room::{Answer, RoomConfig};
use sleap_rtc_wire::record::{RoomKind, RoomRecord, Switches};
use sleap_rtc_wire::signal::{Register, RegisteredAuth};
use sleap_rtc_wire::{Code, ConnId, FromPeer, Text, ToPeer};

use crate::desk::*;

#[test]
fn hazard_15_two_sessions_of_one_user_are_two_peers() {
    let (mut desk, first, second, worker) = ana_twice();
    assert_eq!(desk.found(worker, "gpu1", json!({"role": "client"})), ["ana", "ana-2"]);
    // Both find the worker, and neither finds itself.
    assert_eq!(desk.found(first, "ana", json!({})), ["gpu1", "ana-2"]);
    assert_eq!(desk.found(second, "ana", json!({})), ["ana", "gpu1"]);
}

#[test]
fn hazard_15_each_session_gets_the_answers_to_its_own_frames() {
    let (mut desk, first, second, worker) = ana_twice();
    for (session, id) in [(first, "ana"), (second, "ana-2")] {
        let offer = json!({"type": "offer", "sender": "ana", "target": "gpu1", "sdp": "v=0", "more": 1.50});
        let offer = reached(&mut desk, session, &offer, worker);
        assert_eq!(offer, json!({"type": "offer", "sender": id, "target": "gpu1", "sdp": "v=0", "more": 1.50}));
        let answer = json!({"type": "answer", "sender": "gpu1", "target": id, "sdp": "v=0"});
        let answer = reached(&mut desk, worker, &answer, session);
        assert_eq!(answer, json!({"type": "answer", "sender": "gpu1", "target": "ana", "sdp": "v=0"}));
        let ask =
            json!({"type": "peer_message", "from_peer_id": "ana", "to_peer_id": "gpu1", "payload": {"from": "ana"}});
        let ask = reached(&mut desk, session, &ask, worker);
        assert_eq!((&ask["from_peer_id"], &ask["payload"]), (&json!(id), &json!({"from": "ana"})));
        let reply = json!({"type": "peer_message", "from_peer_id": "gpu1", "to_peer_id": id, "payload": 2});
        assert_eq!(reached(&mut desk, worker, &reply, session)["to_peer_id"], "ana");
        let busy = json!({"type": "error", "target": id, "reason": "worker_busy"});
        assert_eq!(reached(&mut desk, worker, &busy, session)["target"], "ana");
    }
}

#[test]
fn hazard_15_a_session_is_answered_under_the_name_that_it_knows() {
    let (mut desk, _, second, _) = ana_twice();
    let frames = desk.go(says(second, discover("ana", json!({"role": "worker"}))));
    let (_, ToPeer::PeerList { to_peer_id, count, .. }) = only(frames) else { panic!() };
    assert_eq!((to_peer_id, count), (peer("ana"), 1));
    let frames = desk.go(says(second, FromPeer::UpdateMetadata(update("ana", json!({"properties": {"x": 1}})))));
    let (_, ToPeer::MetadataUpdated { peer_id, .. }) = only(frames) else { panic!() };
    assert_eq!(peer_id, peer("ana"));
}

#[test]
fn hazard_15_a_session_that_registers_again_keeps_its_id() {
    let (mut desk, _, second, worker) = ana_twice();
    assert_eq!(enters(&mut desk, second, old_client("ana")).peer_id, peer("ana-2"));
    let third = enters(&mut desk, conn(9), old_client("ana"));
    assert_eq!(third.peer_id, peer("ana-3"));
    desk.go(closes(second));
    assert_eq!(desk.found(worker, "gpu1", json!({"role": "client"})), ["ana", "ana-3"]);
    assert_eq!(enters(&mut desk, conn(10), old_client("ana")).peer_id, peer("ana-2"), "the id is free again");
}

#[test]
fn hazard_15_a_session_that_ends_does_not_take_the_other_with_it() {
    // A deployed client that ends closes its connection, and then asks twice for its name to be deleted.
    let (mut desk, first, second, worker) = ana_twice();
    let here = [(second, "ana"), (first, "ana-2")];
    for (ends, stays) in here {
        let (mut desk, _, _, worker) = ana_twice();
        desk.go(closes(ends));
        for n in 1..=2 {
            assert_eq!(desk.deletes(n, "ana"), Answer::NoSuchPeer);
        }
        assert_eq!(desk.found(worker, "gpu1", json!({"role": "client"})), [stays]);
    }
    // Or the other way round.
    assert_eq!(desk.deletes(1, "ana"), Answer::NoSuchPeer);
    desk.go(closes(second));
    assert_eq!(desk.deletes(2, "ana"), Answer::NoSuchPeer);
    assert_eq!(desk.found(worker, "gpu1", json!({"role": "client"})), ["ana"]);
    // Alone for some time, it is meant.
    desk.wait(RoomConfig::default().left_ms);
    assert_eq!(desk.deletes(3, "ana"), Answer::PeerDeleted { room_removed: false });
    assert_eq!(desk.found(worker, "gpu1", json!({"role": "client"})), [""; 0]);
}

#[test]
fn a_client_that_calls_itself_like_a_worker_is_somebody_else() {
    let (mut desk, _, _, worker) = ana_twice();
    let forger = conn(7);
    assert_eq!(enters(&mut desk, forger, old_client("gpu1")).peer_id, peer("gpu1-2"));
    let forged = json!({"type": "peer_message", "from_peer_id": "gpu1", "to_peer_id": "ana", "payload": 1});
    assert_eq!(reached(&mut desk, forger, &forged, conn(1))["from_peer_id"], "gpu1-2");
    let _ = worker;
}

#[test]
fn workers_and_our_own_clients_have_no_second_name() {
    let (mut desk, ..) = ana_twice();
    let text = "Peer gpu1 belongs to somebody else";
    let frames = desk.go(registers(conn(8), keyed("other"), plain("gpu1", "worker", json!({}))));
    assert_eq!(only(frames), (conn(8), error(Code::Forbidden, text)));
    let frames = desk.go(registers(conn(8), keyed("other"), client("gpu1")));
    assert_eq!(only(frames), (conn(8), error(Code::Forbidden, text)));
}

#[test]
fn sessions_of_one_name_are_bounded() {
    let mut desk = Desk::new();
    for n in 1..=64 {
        enters(&mut desk, conn(n), old_client("ana"));
    }
    let frames = desk.go(registers(conn(65), anonymous("somebody"), old_client("ana")));
    assert_eq!(refused(frames, conn(65)), Code::Forbidden);
}

/// A worker and two sessions of `ana`, all of the deployed kind.
fn ana_twice() -> (Desk, ConnId, ConnId, ConnId) {
    // Both may reach the one worker, so that both are seen to be answered.
    let switches = Switches { strict_offers: false, ..Switches::default() };
    let record = RoomRecord { switches, ..record(RoomKind::Named) };
    let mut desk = Desk::with(record, RoomConfig::default());
    assert_eq!(enters(&mut desk, conn(1), old_client("ana")).peer_id, peer("ana"));
    enters(&mut desk, conn(3), plain("gpu1", "worker", json!({"status": "available"})));
    assert_eq!(enters(&mut desk, conn(2), old_client("ana")).peer_id, peer("ana-2"));
    (desk, conn(1), conn(2), conn(3))
}

fn old_client(name: &str) -> Register {
    plain(name, "client", json!({}))
}

/// Comes in as somebody of its own, as every session of a deployed client does.
fn enters(desk: &mut Desk, conn: ConnId, register: Register) -> RegisteredAuth {
    let frames = desk.go(registers(conn, anonymous(&format!("somebody-{}", conn.n)), register));
    match only(frames) {
        (to, ToPeer::RegisteredAuth(auth)) if to == conn => *auth,
        other => panic!("not taken in: {other:?}"),
    }
}

/// The frame as it reaches `to`.
fn reached(desk: &mut Desk, from: ConnId, frame: &Value, to: ConnId) -> Value {
    let frame = FromPeer::decode(&Text::from(frame.to_string())).unwrap();
    match only(desk.go(says(from, frame))) {
        (reached, ToPeer::Relayed(text)) if reached == to => serde_json::from_str(&text).unwrap(),
        other => panic!("not for {to:?}: {other:?}"),
    }
}
