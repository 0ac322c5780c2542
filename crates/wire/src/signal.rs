//! The signaling socket: register, discover, update, relay, claim.
//!
//! A peer's frame is read by [`FromPeer::decode`], which looks only at what the server needs: a relayed frame is never parsed
//! as a whole and goes on as the very text that came. Both directions are written by `encode`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

mod mesh;
mod registration;
mod report;

use crate::claim::{
    Claim, ClaimEnded, ClaimGranted, ClaimRefused, ClaimReleased, ClaimUsed, ClaimWaiting, Claimed, Release, Withdraw,
};
use crate::{DecodeError, ErrorFrame, Filters, Metadata, PeerId, Text, limits};

pub use mesh::{MeshFrame, MeshKind};
pub use registration::{IceServer, Register, RegisteredAuth};
pub use report::{Report, ReportKind};

/// Peer to server.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromPeer {
    /// I am this peer of this room.
    Register(Box<Register>),
    /// Who is there?
    DiscoverPeers(Discover),
    /// I have changed.
    UpdateMetadata(UpdateMetadata),
    /// Book a worker.
    Claim(Claim),
    /// Give a claim back.
    Release(Release),
    /// Leave the line.
    Withdraw(Withdraw),
    /// The client of this claim has come.
    ClaimUsed(ClaimUsed),
    /// The slot of this claim is free.
    ClaimReleased(ClaimReleased),
    /// I go for good: my connection is about to close, and I shall not be missed.
    Leave,
    /// Nothing; old programs may send it.
    Ping,
    /// Nothing; an answer to the server's ping, which expects none.
    Pong,
    /// To another peer of the room.
    #[serde(untagged)]
    Relay(Relay),
    /// To those who watch this worker, or a job on it, through the server.
    #[serde(untagged)]
    Report(Report),
    /// To another worker of a mesh.
    #[serde(untagged)]
    Mesh(MeshFrame),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// `discover_peers`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discover {
    /// The asker.
    pub from_peer_id: PeerId,
    /// Missing or `null`: everybody.
    #[serde(default)]
    pub filters: Filters,
    /// Also those workers that match and are silent or lost: [`ToPeer::PeerList`] names them apart.
    #[serde(default, skip_serializing_if = "is_false")]
    pub absent: bool,
}

/// `update_metadata`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpdateMetadata {
    /// The sender.
    pub peer_id: PeerId,
    /// What has changed.
    pub metadata: Metadata,
    /// Only if these conditions hold for the sender's own metadata; else an error `CONFLICT`.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Filters>,
    /// Comes back in the confirmation or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// A frame for another peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Relay {
    /// Its type.
    pub kind: RelayKind,
    /// The peer it says it comes from.
    pub from: PeerId,
    /// The peer it is for.
    pub to: PeerId,
    /// The whole frame.
    pub text: Text,
}

impl Serialize for Relay {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.text).map_err(serde::ser::Error::custom)?.serialize(to)
    }
}

/// Frames that are handed on as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelayKind {
    /// `peer_message {from_peer_id, to_peer_id, payload}`.
    PeerMessage,
    /// `offer {sender, target, sdp}`.
    Offer,
    /// `answer {sender, target, sdp}`.
    Answer,
    /// `candidate {sender, target, candidate}`.
    Candidate,
    /// `error {target, …}`: a busy worker's answer to an offer.
    Error,
}

impl FromPeer {
    /// Writes one frame.
    pub fn encode(&self) -> Text {
        match self {
            Self::Relay(relay) => relay.text.clone(),
            Self::Report(report) => report.text.clone(),
            other => encode(other),
        }
    }

    /// A `peer_message`.
    pub fn peer_message(from: &PeerId, to: &PeerId, payload: &Value) -> Self {
        let value =
            serde_json::json!({"type": "peer_message", "from_peer_id": from, "to_peer_id": to, "payload": payload});
        Self::Relay(Relay {
            kind: RelayKind::PeerMessage,
            from: from.clone(),
            to: to.clone(),
            text: value.to_string().into(),
        })
    }

    /// An `offer` or an `answer`; `more` are keys beside the original's, which old peers do not see.
    pub fn description(
        kind: RelayKind,
        from: &PeerId,
        to: &PeerId,
        sdp: &str,
        more: serde_json::Map<String, Value>,
    ) -> Self {
        let name = if kind == RelayKind::Offer { "offer" } else { "answer" };
        let mut value = serde_json::json!({"type": name, "sender": from, "target": to, "sdp": sdp});
        if let Value::Object(map) = &mut value {
            map.extend(more);
        }
        Self::Relay(Relay { kind, from: from.clone(), to: to.clone(), text: value.to_string().into() })
    }
}

fn encode(frame: &impl Serialize) -> Text {
    // Nothing in a frame can fail to be written: no maps with keys that are not texts, no failing `Serialize`.
    serde_json::to_string(frame).unwrap_or_default().into()
}

/// One peer in a [`ToPeer::PeerList`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerEntry {
    /// The peer.
    pub peer_id: PeerId,
    /// Its role.
    pub role: String,
    /// What it tells about itself; its `status` is what the room knows to be true.
    pub metadata: Metadata,
    /// Unix seconds.
    pub connected_at: f64,
    /// How long it had been silent when it connected, ms, for a worker that was missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_silent_ms: Option<u64>,
}

/// A worker that is not connected and has not left: it may run a job all the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbsentPeer {
    /// The worker.
    pub peer_id: PeerId,
    /// What it told last; its `status` is `silent` or `lost`.
    pub metadata: Metadata,
    /// The last time it was there, Unix seconds.
    pub seen_at: f64,
    /// The job that it held then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<crate::JobId>,
}

/// Server to peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPeer {
    /// You are in.
    RegisteredAuth(Box<RegisteredAuth>),
    /// Who is there.
    PeerList {
        /// The asker.
        to_peer_id: PeerId,
        /// Who matches, in the order asked for, else in the order they joined, free workers first where workers are asked for.
        peers: Vec<PeerEntry>,
        /// How many.
        count: usize,
        /// How many match (with a limit: at most that), if not all of them fit into one frame: then `peers` are the first of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<usize>,
        /// Workers that match and are silent or lost, if they were asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        absent: Vec<AbsentPeer>,
    },
    /// Your update is in force: every discovery from now on sees it.
    MetadataUpdated {
        /// The peer.
        peer_id: PeerId,
        /// The whole metadata now.
        metadata: Metadata,
        /// Of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// Book-keeping of claims.
    Claimed(Claimed),
    /// In line.
    ClaimWaiting(ClaimWaiting),
    /// No worker.
    ClaimRefused(ClaimRefused),
    /// A client may come.
    ClaimGranted(ClaimGranted),
    /// A claim is over.
    ClaimEnded(ClaimEnded),
    /// Something was refused.
    Error(ErrorFrame),
    /// The server is alive; no answer is expected.
    Ping,
    /// Another worker leads the mesh. Sent before `registered_auth`.
    AdminConflict {
        /// The room.
        room_id: crate::RoomId,
        /// Who leads.
        current_admin: PeerId,
    },
    /// Another peer's message.
    PeerMessage {
        /// Who sent it.
        from_peer_id: PeerId,
        /// Us.
        to_peer_id: PeerId,
        /// What it says.
        payload: Value,
    },
    /// Another peer's session description.
    Offer(Description),
    /// The answer to ours.
    Answer(Description),
    /// A late candidate; ours put all of them into the description.
    Candidate(Value),
    /// A frame that is handed on as it came. Only sent, never read.
    #[serde(skip)]
    Relayed(Text),
    /// A type that we do not know.
    #[serde(other)]
    Unknown,
}

/// An `offer` or `answer` as its target reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Who sent it.
    pub sender: PeerId,
    /// Us.
    pub target: PeerId,
    /// The session description.
    pub sdp: String,
    /// The job that the link is for, from our own peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<crate::JobId>,
    /// The claim that the sender holds, from our own peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_id: Option<crate::ClaimId>,
}

impl ToPeer {
    /// Writes one frame.
    pub fn encode(&self) -> Text {
        match self {
            Self::Relayed(text) => text.clone(),
            other => encode(other),
        }
    }

    /// Reads one frame; a type that we do not know is [`ToPeer::Unknown`].
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        if text.len() > limits::FRAME {
            return Err(DecodeError::Invalid(format!(
                "frame of {} bytes, at most {} are allowed",
                text.len(),
                limits::FRAME
            )));
        }
        serde_json::from_str(text).map_err(|error| {
            if error.is_data() { DecodeError::Invalid(error.to_string()) } else { DecodeError::InvalidJson }
        })
    }
}
