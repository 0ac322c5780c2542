//! Bodies of the HTTP end points. JSON is read whatever the Content-Type says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod account;

pub use account::{Account, AccountSignedIn, AllowLogin, Asking, AttachDevice, CreateAccount, Device, User};

use crate::debug::debug_only;
use crate::record::{MemberRole, RoomKind};
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

/// Optional body of `POST /admin/rooms`: a room of the operator, who may say what its id and password are, so that machines that
/// are set up already go on as they are.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct CreateOwnRoom {
    /// Name and time to live.
    #[serde(flatten)]
    pub terms: CreateRoom,
    /// Its id; taken: `CONFLICT`, 409. `None`: drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<RoomId>,
    /// Its password, 6 to 128 visible ASCII characters. `None`: drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

debug_only!(CreateOwnRoom { terms, room_id });

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
#[derive(Clone, Serialize, Deserialize)]
pub struct ExtendRoom {
    /// The room.
    pub room_id: RoomId,
    /// The room's password, for a caller without an identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

debug_only!(ExtendRoom { room_id });

/// Answer of `POST /extend-room`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomExtended {
    /// The room.
    pub room_id: RoomId,
    /// Unix seconds; `null`: never.
    pub expires_at: Option<u64>,
}

/// Answer of `GET /rooms`: those that the caller made or belongs to (the operator's are all), by id, at most 1000 a page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomList {
    /// Without their passwords.
    pub rooms: Vec<RoomInfo>,
    /// The `after` of the next page; absent: this is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<RoomId>,
}

/// What is known of a room to those who belong to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoomInfo {
    /// The room.
    pub room_id: RoomId,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How long it lives.
    pub kind: RoomKind,
    /// What the caller is in it; absent for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<MemberRole>,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds; `null`: never.
    pub expires_at: Option<u64>,
    /// Its time to live, seconds; `null`: for ever. What a connected peer and an extension add.
    pub ttl: Option<u64>,
    /// Connected peers by role.
    #[serde(default)]
    pub peers: BTreeMap<String, usize>,
    /// Workers with a claim on them, used or not.
    #[serde(default)]
    pub taken: usize,
    /// Claims that wait.
    #[serde(default)]
    pub waiting: usize,
}

/// Answer of `GET /rooms/{room_id}`.
#[derive(Clone, Serialize, Deserialize)]
pub struct RoomShown {
    /// The room.
    #[serde(flatten)]
    pub info: RoomInfo,
    /// Its password, for its owner and the operator only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

debug_only!(RoomShown { info });

/// Body of `POST /identities/cleanup`. The operator cleans up all anonymous identities, anybody else those that signed in
/// from its own address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CleanUp {
    /// Only those that signed in longer ago, seconds.
    pub older_than: u64,
    /// Say what would go, and keep it.
    #[serde(default)]
    pub dry_run: bool,
}

/// Answer of `POST /identities/cleanup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanedUp {
    /// The names of those that went or would go, at most 1000 of them.
    pub users: Vec<String>,
    /// How many.
    pub deleted: usize,
    /// Old enough, but connected.
    pub kept_connected: usize,
    /// Old enough, but owner of a room that lives.
    pub kept_owners: usize,
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
    /// Its room, where peers of this name are in several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<RoomId>,
    /// The room's password, for a caller without an identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

debug_only!(DeletePeer { peer_id, room_id });

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
