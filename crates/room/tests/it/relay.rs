use serde_json::json;
use sleap_rtc_room::{Effect, Fact};
use sleap_rtc_wire::{Code, ConnId, FromPeer, Text, ToPeer, limits};

use crate::desk::*;

#[test]
fn a_message_arrives_as_the_very_text_that_was_sent() {
    let (mut desk, c1, w1) = pair();
    let text = r#"{ "type":"peer_message", "to_peer_id":"w1","from_peer_id":"c1","payload":{"n":1.0}, "more":[] }"#;
    assert_eq!(desk.put(heard(c1, text)), [handed(w1, text), Effect::Report(Fact::Relayed)]);
}

#[test]
fn a_message_to_nobody_is_answered() {
    let (mut desk, c1, _) = pair();
    let message = FromPeer::peer_message(&peer("c1"), &peer("w9"), &json!("x"));
    let answer = error(Code::PeerNotFound, "Target peer w9 not found");
    assert_effects(desk.put(says(c1, message)), [sent(c1, answer)]);
}

#[test]
fn offers_answers_and_candidates_go_through_or_nowhere() {
    let (mut desk, c1, w1) = pair();
    for text in [
        r#"{"type":"offer","sender":"c1","target":"w1","sdp":"v=0","extra":1}"#,
        r#"{"type":"answer","sender":"c1","target":"w1","sdp":"v=0"}"#,
        r#"{"type":"candidate","sender":"c1","target":"w1","candidate":{}}"#,
    ] {
        assert_effects(desk.put(heard(c1, text)), [handed(w1, text)]);
        assert_effects(desk.put(heard(c1, &text.replace("\"w1\"", "\"gone\""))), []);
    }
}

#[test]
fn nobody_speaks_for_somebody_else() {
    let (mut desk, c1, w1) = pair();
    for text in [
        r#"{"type":"peer_message","from_peer_id":"w1","to_peer_id":"w1","payload":1}"#,
        r#"{"type":"offer","sender":"w1","target":"w1","sdp":"v=0"}"#,
        r#"{"type":"candidate","sender":"x","target":"w1","candidate":{}}"#,
    ] {
        let FromPeer::Relay(relay) = FromPeer::decode(&Text::from(text.to_owned())).unwrap() else { panic!() };
        let answer = error(Code::Forbidden, &format!("Peer {} is not registered on this connection", relay.from));
        assert_effects(desk.put(heard(c1, text)), [sent(c1, answer)]);
    }
    let _ = w1;
}

#[test]
fn a_busy_workers_error_reaches_its_target_and_is_never_answered() {
    let (mut desk, c1, w1) = pair();
    let busy = r#"{"type":"error","target":"c1","reason":"worker_busy","message":"busy"}"#;
    assert_effects(desk.put(heard(w1, busy)), [handed(c1, busy)]);
    let nobody = r#"{"type":"error","target":"x","reason":"worker_busy"}"#;
    assert_effects(desk.put(heard(w1, nobody)), []);
    let forged = r#"{"type":"error","sender":"c1","target":"w1","reason":"worker_busy"}"#;
    assert_effects(desk.put(heard(w1, forged)), []);
}

#[test]
fn a_huge_description_is_refused() {
    let (mut desk, c1, _) = pair();
    let offer = json!({"type": "offer", "sender": "c1", "target": "w1", "sdp": "x".repeat(limits::SDP)}).to_string();
    assert_eq!(refused(desk.go(heard(c1, &offer)), c1), Code::TooLarge);
}

fn pair() -> (Desk, ConnId, ConnId) {
    let mut desk = Desk::new();
    let (c1, w1) = (desk.client("c1", 1), desk.worker("w1", 2));
    (desk, c1, w1)
}

fn heard(conn: ConnId, text: &str) -> sleap_rtc_room::Input {
    says(conn, FromPeer::decode(&Text::from(text.to_owned())).unwrap())
}

fn handed(conn: ConnId, text: &str) -> Effect {
    sent(conn, ToPeer::Relayed(text.to_owned().into()))
}
