//! The mesh that deployed workers form among themselves, in rooms where that is switched on.
//!
//! It is off unless the owner wants it: each worker is then told that it leads a mesh of its own, and runs the loop that survives
//! errors and serves browsers.

use sleap_rtc_wire::record::{Mesh, Switches};
use sleap_rtc_wire::signal::{MeshFrame, MeshKind, Register, RegisteredAuth};
use sleap_rtc_wire::{CLAIMS, Code, ConnId, ErrorFrame, PeerId, ToPeer, limits};

use crate::discovery::{ANSWER, WORKER, weight};
use crate::peer::Peer;
use crate::peers::Joined;
use crate::{Fact, Room};

impl Peer {
    /// Whether it may be part of a mesh: a worker of the deployed kind.
    fn is_of_mesh(&self) -> bool {
        self.role == WORKER && !self.claims
    }
}

impl Room {
    fn has_mesh(&self) -> bool {
        self.record.switches.mesh == Mesh::Reference
    }

    /// What the owner has switched, which is stored by now. Workers hear of a mesh when they register next.
    pub(crate) fn switch(&mut self, switches: Switches) {
        self.record.switches = switches;
        if !self.has_mesh() {
            self.leader = None;
        }
    }

    /// A worker has come that wants to lead the mesh, or has led it under this very id until now.
    pub(crate) fn lead(&mut self, joined: Joined, wants: bool) {
        let Some(peer) = self.presence.get(joined).filter(|peer| wants && peer.is_of_mesh()) else { return };
        if !self.has_mesh() {
            return;
        }
        let (conn, id) = (peer.conn, peer.id.clone());
        match self.leader.clone() {
            Some(current_admin) => {
                let room_id = self.record.room_id.clone();
                self.send(conn, ToPeer::AdminConflict { room_id, current_admin });
            }
            None => self.leader = Some(id),
        }
    }

    /// Whether an error may be sent there: a deployed worker that does not lead its room's mesh ends its whole process at any.
    pub(crate) fn survives_errors(&self, conn: ConnId) -> bool {
        if !self.has_mesh() {
            return true;
        }
        let peer = self.presence.by_conn(conn).and_then(|joined| self.presence.get(joined));
        peer.is_none_or(|peer| !peer.is_of_mesh() || self.leader.as_ref() == Some(&peer.id))
    }

    /// A peer is gone, and its lead with it.
    pub(crate) fn stop_leading(&mut self, id: &PeerId) {
        self.leader.take_if(|leader| leader == id);
    }

    /// What `registered_auth` tells of the mesh.
    pub(crate) fn tell_of_mesh(&self, id: &PeerId, register: &Register, auth: &mut RegisteredAuth) {
        let is_ours = register.features.iter().any(|feature| feature == CLAIMS);
        if !self.has_mesh() || is_ours {
            auth.admin_peer_id = (register.role == WORKER).then(|| id.clone());
            return;
        }
        auth.admin_peer_id.clone_from(&self.leader);
        let mut left = ANSWER;
        let mut metadata = serde_json::Map::new();
        // Only workers: an old worker elects its leader among all that it is told of, and a client leads nobody.
        for (_, peer) in self.presence.with_role(Some(WORKER)).filter(|(_, peer)| peer.is_of_mesh() && peer.id != *id) {
            let Some(rest) = left.checked_sub(weight(peer)) else { break };
            left = rest;
            auth.peer_list.push(peer.id.clone());
            metadata.insert(peer.id.to_string(), serde_json::to_value(peer.shown_metadata()).unwrap_or_default());
        }
        auth.peer_metadata = metadata.into();
    }

    pub(crate) fn mesh(&mut self, joined: Joined, frame: &MeshFrame) {
        let Some(sender) = self.presence.get(joined) else { return };
        let (conn, is_worker) = (sender.conn, sender.is_of_mesh());
        if !is_worker {
            let text = format!("Unknown message type: {}", frame.kind.names().0);
            return self.refuse(conn, Code::UnknownMessageType, text, None);
        }
        if !self.has_mesh() {
            // Only a worker that came before the mesh was switched off still speaks of it, and one that does not lead ends its whole
            // process on any error. It waits for no answer.
            return;
        }
        if !self.speaks_as(joined, &frame.from, None) {
            return;
        }
        if frame.body.len() > limits::SDP {
            let text = format!("description of {} bytes, at most {} are allowed", frame.body.len(), limits::SDP);
            return self.refuse(conn, Code::TooLarge, text, None);
        }
        let target = self.presence.by_id(&frame.to).and_then(|target| self.presence.get(target));
        match target.map(|target| (target.conn, target.is_of_mesh())) {
            Some((target, true)) => {
                self.send(target, ToPeer::Relayed(frame.delivered()));
                self.report(Fact::Relayed);
            }
            Some((_, false)) => self.not_delivered(joined, frame),
            None => self.not_found(joined, frame),
        }
    }

    /// The target is there, and reads no frames of a mesh: a client takes them for the answer that it waits for.
    fn not_delivered(&mut self, joined: Joined, frame: &MeshFrame) {
        let what = match frame.kind {
            MeshKind::Connect => "mesh offer",
            MeshKind::Answer => "mesh answer",
            MeshKind::Candidate => return,
        };
        let Some(conn) = self.presence.get(joined).map(|peer| peer.conn) else { return };
        self.refuse(conn, Code::DeliveryFailed, format!("Failed to deliver {what} to {}", frame.to), None);
    }

    /// In the shapes of the deployed server, which differ.
    fn not_found(&mut self, joined: Joined, frame: &MeshFrame) {
        let Some(conn) = self.presence.get(joined).map(|peer| peer.conn) else { return };
        let mut error = ErrorFrame::new(Code::PeerNotFound, format!("Target peer {} not found", frame.to));
        match frame.kind {
            MeshKind::Connect => {
                "peer_not_found".clone_into(&mut error.reason);
                error.target_peer_id = Some(frame.to.clone());
            }
            MeshKind::Answer => {}
            MeshKind::Candidate => return,
        }
        self.send(conn, ToPeer::Error(error));
    }
}
