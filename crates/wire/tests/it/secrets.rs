//! What must not reach a log, whatever is printed there.

use sleap_rtc_wire::http::{AnonymousSignin, DeletePeer, DeletePeersAndRoom, ExtendRoom, KeySignedIn, RoomCreated};
use sleap_rtc_wire::record::{Change, RoomKind, RoomRecord, Switches};
use sleap_rtc_wire::signal::{IceServer, RegisteredAuth};
use sleap_rtc_wire::{MemberId, PeerId, RoomId, Time, ToPeer};

const SECRET: &str = "f9g2h5-must-not-show";

#[track_caller]
fn hidden(shown: &impl std::fmt::Debug, but: &str) {
    for text in [format!("{shown:?}"), format!("{shown:#?}")] {
        assert!(!text.contains(SECRET), "{text}");
        assert!(text.contains(but), "nothing else is hidden: {text}");
    }
}

#[test]
fn records_hide_the_rooms_password() {
    let record = RoomRecord {
        room_id: room(),
        token: SECRET.to_owned(),
        created_by: MemberId::new("ana").unwrap(),
        created_at: Time(1),
        name: Some("pool".to_owned()),
        kind: RoomKind::Named,
        ttl_ms: Some(2),
        expires_at: Some(Time(3)),
        epoch: 4,
        switches: Switches::default(),
    };
    hidden(&record, "a7f3d2e1");
    hidden(&Change::PutRoom(record), "epoch");
}

#[test]
fn answers_hide_their_credentials() {
    let secret = || SECRET.to_owned();
    hidden(&AnonymousSignin { id_token: secret(), username: "uuid".to_owned() }, "uuid");
    let member = MemberId::new("ana").unwrap();
    hidden(&KeySignedIn { id_token: secret(), member, expires_in: 3600 }, "3600");
    let created = RoomCreated { room_id: room(), token: secret(), expires_at: None, name: None, server: None };
    hidden(&created, "a7f3d2e1");
    hidden(&DeletePeersAndRoom { room_id: Some(room()), peer_id: None, token: Some(secret()) }, "a7f3d2e1");
    hidden(&ExtendRoom { room_id: room(), token: Some(secret()) }, "a7f3d2e1");
    let peer_id = PeerId::new("w1").unwrap();
    hidden(&DeletePeer { peer_id, room_id: None, token: Some(secret()) }, "w1");
}

#[test]
fn frames_hide_their_credentials() {
    let ice = IceServer { urls: vec!["turn:x".to_owned()], username: None, credential: Some(SECRET.to_owned()) };
    let auth = RegisteredAuth {
        room_id: room(),
        token: Some(SECRET.to_owned()),
        peer_id: PeerId::new("w1").unwrap(),
        admin_peer_id: None,
        peer_list: Vec::new(),
        peer_metadata: serde_json::Value::Null,
        ice_servers: vec![ice.clone()],
        mesh_ice_servers: vec![ice],
        server_version: None,
        features: Vec::new(),
        expires_at: None,
    };
    hidden(&ToPeer::RegisteredAuth(Box::new(auth)), "turn:x");
}

fn room() -> RoomId {
    RoomId::new("a7f3d2e1").unwrap()
}
