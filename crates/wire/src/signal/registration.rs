//! How a peer comes in: `register`, and `registered_auth` in answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::is_false;
use crate::claim::HeldClaim;
use crate::debug::debug_only;
use crate::{InvalidId, Metadata, PeerId, RoomId};

/// `register`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Register {
    /// Required with an id token.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// `worker`, `client` or `peer`.
    #[serde(default = "peer_role")]
    pub role: String,
    /// Tags and properties.
    #[serde(default)]
    pub metadata: Metadata,
    /// Python workers ask to lead their mesh.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_admin: bool,
    /// The room.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub room_id: Option<RoomId>,
    /// The room's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Credential of an account or a worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// Credential of an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<String>,
    /// Credential of an anonymous or key sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// What the peer can beyond the old protocol, e.g. [`crate::CLAIMS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Claims that a worker still holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<HeldClaim>,
}

debug_only!(Register { peer_id, role, room_id, features, claims });

/// What Python takes for missing, an empty text, is missing.
fn not_empty<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err = InvalidId>,
{
    let text = Option::<String>::deserialize(from)?.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

fn peer_role() -> String {
    "peer".to_owned()
}

/// `registered_auth`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct RegisteredAuth {
    /// The room.
    pub room_id: RoomId,
    /// The room's password, as the peer itself sent it.
    #[serde(default)]
    pub token: Option<String>,
    /// The peer.
    pub peer_id: PeerId,
    /// Every worker leads its own mesh, so that old workers run the loop that survives errors.
    #[serde(default)]
    pub admin_peer_id: Option<PeerId>,
    /// Empty: there is no mesh.
    #[serde(default)]
    pub peer_list: Vec<PeerId>,
    /// Empty: there is no mesh.
    #[serde(default)]
    pub peer_metadata: Value,
    /// How to find a way to other peers. Only the keys that old peers know.
    #[serde(default)]
    pub ice_servers: Vec<IceServer>,
    /// The same for a mesh.
    #[serde(default)]
    pub mesh_ice_servers: Vec<IceServer>,
    /// Version of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// What the server can beyond the old protocol.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// When the room ends, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

debug_only!(RegisteredAuth {
    room_id,
    peer_id,
    admin_peer_id,
    peer_list,
    peer_metadata,
    ice_servers,
    mesh_ice_servers,
    server_version,
    features,
    expires_at,
});

/// An ICE server. Old peers unpack it as keyword arguments: no other key may ever be added.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:host:port` or `turn:…`.
    pub urls: Vec<String>,
    /// For `turn:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For `turn:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

debug_only!(IceServer { urls, username });
