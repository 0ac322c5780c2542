//! Bodies of HTTP requests, ids and credentials.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sleap_rtc_wire::http::{
    AllowLogin, AttachDevice, CleanUp, CreateAccount, CreateOwnRoom, CreateRoom, DeletePeer, DeletePeersAndRoom,
    ExtendRoom, KeySignin,
};
use sleap_rtc_wire::{ApiKey, ClaimId, JobId, KeyId, MemberId, PeerId, PublicKey, RoomId, Signature};

/// Reads the bytes as everything that they might be.
pub fn run(data: &[u8]) {
    body::<AllowLogin>(data);
    body::<AttachDevice>(data);
    body::<CleanUp>(data);
    body::<CreateAccount>(data);
    body::<CreateOwnRoom>(data);
    body::<CreateRoom>(data);
    body::<DeletePeer>(data);
    body::<DeletePeersAndRoom>(data);
    body::<ExtendRoom>(data);
    body::<KeySignin>(data);
    body::<PublicKey>(data);
    body::<Signature>(data);
    if let Ok(text) = std::str::from_utf8(data) {
        ids(text);
    }
}

/// What was read can be written, and read again.
fn body<T: DeserializeOwned + Serialize>(data: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(data) else { return };
    let written = serde_json::to_string(&read).expect("a body can be written");
    assert!(serde_json::from_str::<T>(&written).is_ok(), "{written}");
}

fn ids(text: &str) {
    let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_control);
    let ids = [
        RoomId::new(text).is_ok(),
        MemberId::new(text).is_ok(),
        KeyId::new(text).is_ok(),
        ClaimId::new(text).is_ok(),
        JobId::new(text).is_ok(),
        PeerId::new(text).is_ok(),
    ];
    assert!(!ids.contains(&true) || is_word(text), "{text:?}");
    if let Ok(key) = text.parse::<ApiKey>() {
        assert_eq!(key.reveal(), text);
        // A short one may be in any text by chance.
        let is_shown = text.len() >= 24 && format!("{:?}", key.hash()).contains(&text[4..]);
        assert!(!is_shown, "a key is not shown");
    }
}
