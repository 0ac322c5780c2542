use proptest::prelude::*;
use serde_json::{Value, json};
use sleap_rtc_wire::signal::{Register, RelayKind};
use sleap_rtc_wire::{FromPeer, Text, ToPeer, limits};

use crate::any;

proptest! {
    #[test]
    fn every_frame_of_a_peer_is_read_back(frame in any::from_peer()) {
        let text = frame.encode();
        prop_assert_eq!(FromPeer::decode(&text), Ok(frame));
        let value: Value = serde_json::from_str(&text).unwrap();
        prop_assert!(value["type"].is_string());
    }

    #[test]
    fn every_frame_of_the_server_is_read_back(frame in any::to_peer()) {
        let text = frame.encode();
        prop_assert_eq!(ToPeer::decode(&text), Ok(frame));
    }

    #[test]
    fn a_message_arrives_whatever_it_says(from in any::peer(), to in any::peer(), said in any::value()) {
        let payload = json!({"said": said});
        let sent = FromPeer::peer_message(&from, &to, &payload);
        let FromPeer::Relay(relay) = FromPeer::decode(&sent.encode()).unwrap() else { panic!("not relayed") };
        prop_assert_eq!((&relay.from, &relay.to), (&from, &to));
        let arrived = ToPeer::decode(&ToPeer::Relayed(relay.text).encode()).unwrap();
        prop_assert_eq!(arrived, ToPeer::PeerMessage { from_peer_id: from, to_peer_id: to, payload });
    }

    #[test]
    fn a_description_arrives_whatever_it_says(from in any::peer(), to in any::peer(), sdp in any::text()) {
        let sent = FromPeer::description(RelayKind::Offer, &from, &to, &sdp, serde_json::Map::new());
        let arrived = ToPeer::decode(&sent.encode()).unwrap();
        prop_assert_eq!(arrived, ToPeer::Offer(any::description(from, to, sdp)));
    }

    #[test]
    fn credentials_never_show(secret in "[a-z]{12}") {
        let register = Register {
            token: Some(secret.clone()),
            id_token: Some(secret.clone()),
            api_key: Some(secret.clone()),
            jwt: Some(secret.clone()),
            ..Register::default()
        };
        let frame = FromPeer::Register(Box::new(register));
        let shown = format!("{frame:?}");
        prop_assert!(!shown.contains(&secret));
    }
}

#[test]
fn the_role_of_an_offer_is_taken_out_and_nothing_else() {
    let offer = json!({"type": "offer", "sender": "c1", "target": "w1", "sdp": "v=0", "role": "client", "x": [1.0]});
    let FromPeer::Relay(relay) = FromPeer::decode(&Text::from(offer.to_string())).unwrap() else { panic!() };
    let left: Value = serde_json::from_str(&relay.text).unwrap();
    assert_eq!(left, json!({"type": "offer", "sender": "c1", "target": "w1", "sdp": "v=0", "x": [1.0]}));
}

#[test]
fn a_role_cannot_be_hidden_from_the_server() {
    for offer in [
        r#"{"type":"offer","sender":"c1","target":"w1","sdp":"","ro\u006ce":"client"}"#,
        r#"{"role":"client","sdp":"","target":"w1","sender":"c1","type":"off\u0065r"}"#,
    ] {
        let FromPeer::Relay(relay) = FromPeer::decode(&Text::from(offer.to_owned())).unwrap() else { panic!() };
        let left: Value = serde_json::from_str(&relay.text).unwrap();
        assert_eq!(left.get("role"), None);
    }
    // Twice the same key could mean one thing to us and another to the target.
    let twice = r#"{"type":"offer","sender":"c1","target":"w1","sdp":"","role":1,"role":"client"}"#;
    assert!(FromPeer::decode(&Text::from(twice.to_owned())).is_err());
}

#[test]
fn a_frame_of_a_newer_server_is_unknown_and_one_too_large_is_refused() {
    assert_eq!(ToPeer::decode(r#"{"type":"news","about":[1,2]}"#), Ok(ToPeer::Unknown));
    let huge = format!(r#"{{"type":"ping","x":"{}"}}"#, "x".repeat(limits::FRAME));
    assert!(ToPeer::decode(&huge).is_err());
}

#[test]
fn what_deployed_peers_send_is_read() {
    let register = json!({
        "type": "register", "peer_id": "worker-abc-host-1a2b3c", "room_id": "a7f3d2e1", "token": "f9g2h5",
        "id_token": "ey.x.y", "role": "worker", "is_admin": true, "api_key": null, "metadata": null,
    });
    let FromPeer::Register(register) = FromPeer::decode(&Text::from(register.to_string())).unwrap() else { panic!() };
    assert!(register.is_admin && register.metadata.is_empty() && register.claims.is_empty());

    let empty = json!({"type": "register", "peer_id": "", "room_id": "", "token": "", "id_token": ""});
    let FromPeer::Register(empty) = FromPeer::decode(&Text::from(empty.to_string())).unwrap() else { panic!() };
    assert_eq!((empty.peer_id, empty.room_id, empty.role.as_str()), (None, None, "peer"));

    let discover = json!({"type": "discover_peers", "from_peer_id": "c", "filters": null});
    assert!(matches!(FromPeer::decode(&Text::from(discover.to_string())), Ok(FromPeer::DiscoverPeers(_))));

    let busy = r#"{"type":"error","target":"c1","reason":"worker_busy"}"#;
    let FromPeer::Relay(relay) = FromPeer::decode(&Text::from(busy.to_owned())).unwrap() else { panic!() };
    assert_eq!((relay.kind, relay.to.as_str(), &*relay.text), (RelayKind::Error, "c1", busy));
}
