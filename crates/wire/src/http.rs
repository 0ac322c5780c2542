//! Bodies of the HTTP end points. JSON is read whatever the Content-Type says.

use serde::{Deserialize, Serialize};

use crate::debug::debug_only;
use crate::{MemberId, PeerId, PublicKey, RoomId, Signature};

/// Answer of `POST /anonymous-signin`.
#[derive(Clone, Serialize, Deserialize)]
pub struct AnonymousSignin {
    /// Bearer credential and the `id_token` of `register`.
    pub id_token: String,
    /// A UUID that old workers use as their peer id.
    pub username: String,
}

debug_only!(AnonymousSignin { username });

/// First and second request of `POST /key-signin`: without `nonce` it asks for one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KeySignin {
    /// The installation's key.
    pub public_key: Option<PublicKey>,
    /// What the server gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The host and port that the client dialled: part of what is signed, so that no server can use it at another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Over [`key_signin_text`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// What an installation signs to sign in.
pub fn key_signin_text(audience: &str, nonce: &str) -> String {
    format!("sleap-rtc key-signin v1\n{audience}\n{nonce}\n")
}

/// First answer of `POST /key-signin`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyNonce {
    /// To be signed within a minute; good for one try.
    pub nonce: String,
}

/// Second answer of `POST /key-signin`.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeySignedIn {
    /// Bearer credential and the `id_token` of `register`.
    pub id_token: String,
    /// The key's hash: owner of rooms and claims.
    pub member: MemberId,
    /// Seconds until the token ends.
    pub expires_in: u64,
}

debug_only!(KeySignedIn { member, expires_in });

/// Optional body of `POST /create-room`. Without one the room is ephemeral.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CreateRoom {
    /// Makes a named room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `2h`, `90d`, `never`, or seconds as a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<serde_json::Value>,
}

/// Answer of `POST /create-room`.
#[derive(Clone, Serialize, Deserialize)]
pub struct RoomCreated {
    /// The room.
    pub room_id: RoomId,
    /// Its password.
    pub token: String,
    /// Unix seconds; `null`: never.
    pub expires_at: Option<u64>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How other machines reach the server, where its operator said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

debug_only!(RoomCreated { room_id, expires_at, name, server });

/// Body of `POST /extend-room`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExtendRoom {
    /// The room.
    pub room_id: RoomId,
}

/// Answer of `POST /extend-room`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomExtended {
    /// The room.
    pub room_id: RoomId,
    /// Unix seconds; `null`: never.
    pub expires_at: Option<u64>,
}

/// Body of `POST /delete-peers-and-room`: one of the two.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct DeletePeersAndRoom {
    /// The room.
    #[serde(default)]
    pub room_id: Option<RoomId>,
    /// Any peer in it.
    #[serde(default)]
    pub peer_id: Option<PeerId>,
    /// The room's password, for a caller without an identity.
    #[serde(default)]
    pub token: Option<String>,
}

debug_only!(DeletePeersAndRoom { room_id, peer_id });

/// Body of `POST /delete-peer`.
#[derive(Clone, Serialize, Deserialize)]
pub struct DeletePeer {
    /// The peer.
    pub peer_id: PeerId,
    /// The room's password, for a caller without an identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

debug_only!(DeletePeer { peer_id });

/// Answer of the two delete calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deleted {
    /// What happened, in the words of the deployed server.
    pub status: String,
}

/// Every HTTP error: old programs look for `error` or `detail`, ours for `code`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HttpError {
    /// For a person.
    pub detail: serde_json::Value,
    /// The same text.
    pub error: String,
    /// For a program.
    pub code: crate::Code,
}
