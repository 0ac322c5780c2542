//! Frames between workers of the deployed kind that form a mesh, in rooms where that is switched on.

use serde::{Serialize, Serializer};

use crate::{PeerId, Text};

/// A frame from one worker to another.
#[derive(Clone, Debug, PartialEq)]
pub struct MeshFrame {
    /// Its type.
    pub kind: MeshKind,
    /// The worker it says it comes from.
    pub from: PeerId,
    /// The worker it is for.
    pub to: PeerId,
    /// The `offer`, `answer` or `candidate` as JSON.
    pub body: Text,
}

/// Frames of a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MeshKind {
    /// `mesh_connect {from_peer_id, target_peer_id, offer}`, which arrives as `mesh_offer`.
    Connect,
    /// `mesh_answer {from_peer_id, target_peer_id, answer}`.
    Answer,
    /// `ice_candidate {from_peer_id, target_peer_id, candidate}`.
    Candidate,
}

impl MeshKind {
    /// Its `type` on the way in, its `type` on the way out, and the name of its body.
    pub const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Connect => ("mesh_connect", "mesh_offer", "offer"),
            Self::Answer => ("mesh_answer", "mesh_answer", "answer"),
            Self::Candidate => ("ice_candidate", "ice_candidate", "candidate"),
        }
    }

    /// The kind with this `type`.
    pub fn named(kind: &str) -> Option<Self> {
        [Self::Connect, Self::Answer, Self::Candidate].into_iter().find(|one| one.names().0 == kind)
    }
}

impl MeshFrame {
    /// What its target reads: without itself, as with the deployed server.
    pub fn delivered(&self) -> Text {
        let (_, kind, body) = self.kind.names();
        let from = serde_json::Value::from(self.from.as_str());
        format!(r#"{{"type":"{kind}","from_peer_id":{from},"{body}":{}}}"#, self.body).into()
    }
}

impl Serialize for MeshFrame {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (kind, _, body) = self.kind.names();
        let inner: serde_json::Value = serde_json::from_str(&self.body).map_err(serde::ser::Error::custom)?;
        serde_json::json!({"type": kind, "from_peer_id": self.from, "target_peer_id": self.to, body: inner})
            .serialize(to)
    }
}
