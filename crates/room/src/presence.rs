//! Who is here: peers by id, connection and role, in the order of joining.

use std::collections::{BTreeMap, BTreeSet};

use sleap_rtc_wire::signal::{RegisteredAuth, UpdateMetadata};
use sleap_rtc_wire::{CLAIMS, Code, ConnId, MemberId, Metadata, PeerId, PublicKey, Time, ToPeer};

use crate::discovery::WORKER;
use crate::held::held_claims;
use crate::{Admission, CloseReason, Effect, Fact, Room};

/// Names a registration: later ones are higher, so that this is the order of joining too.
pub(crate) type Joined = u64;

/// The role that hears nothing it did not ask for.
const CLIENT: &str = "client";

/// One registered peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) conn: ConnId,
    pub(crate) member: MemberId,
    pub(crate) key: Option<PublicKey>,
    pub(crate) role: String,
    /// Takes part in claims.
    pub(crate) claims: bool,
    /// What it says of itself; a claim on it speaks before its `status`.
    pub(crate) metadata: Metadata,
    /// Of the metadata as JSON.
    pub(crate) bytes: usize,
    pub(crate) connected_at: Time,
    /// Counter of the last claim on it, 0: none since it registered.
    pub(crate) last_granted: u64,
    next_ping: Option<Time>,
}

impl Peer {
    /// Whether its own word is that it takes work.
    pub(crate) fn says_available(&self) -> bool {
        self.metadata.property("status").and_then(serde_json::Value::as_str) == Some("available")
    }

    pub(crate) fn set_metadata(&mut self, metadata: Metadata) {
        self.bytes = serde_json::to_string(&metadata).map_or(0, |text| text.len());
        self.metadata = metadata;
    }
}

/// All registered peers.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    peers: BTreeMap<Joined, Peer>,
    by_id: BTreeMap<PeerId, Joined>,
    by_conn: BTreeMap<ConnId, Joined>,
    by_role: BTreeMap<String, BTreeSet<Joined>>,
    /// How many connections a member has here.
    members: BTreeMap<MemberId, usize>,
    pings: BTreeSet<(Time, Joined)>,
    last: Joined,
}

impl Presence {
    pub(crate) fn get(&self, joined: Joined) -> Option<&Peer> {
        self.peers.get(&joined)
    }

    pub(crate) fn get_mut(&mut self, joined: Joined) -> Option<&mut Peer> {
        self.peers.get_mut(&joined)
    }

    pub(crate) fn by_id(&self, id: &PeerId) -> Option<Joined> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn by_conn(&self, conn: ConnId) -> Option<Joined> {
        self.by_conn.get(&conn).copied()
    }

    pub(crate) fn has_member(&self, member: &MemberId) -> bool {
        self.members.contains_key(member)
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// All peers in the order of joining, or those of one role.
    pub(crate) fn with_role(&self, role: Option<&str>) -> Box<dyn Iterator<Item = (Joined, &Peer)> + '_> {
        match role {
            None => Box::new(self.peers.iter().map(|(joined, peer)| (*joined, peer))),
            Some(role) => Box::new(
                self.by_role
                    .get(role)
                    .into_iter()
                    .flatten()
                    .filter_map(|joined| self.peers.get(joined).map(|peer| (*joined, peer))),
            ),
        }
    }

    pub(crate) fn count_by_role(&self) -> BTreeMap<String, usize> {
        self.by_role.iter().map(|(role, peers)| (role.clone(), peers.len())).collect()
    }

    fn insert(&mut self, peer: Peer) -> Joined {
        self.last += 1;
        let joined = self.last;
        self.by_id.insert(peer.id.clone(), joined);
        self.by_conn.insert(peer.conn, joined);
        self.by_role.entry(peer.role.clone()).or_default().insert(joined);
        *self.members.entry(peer.member.clone()).or_default() += 1;
        if let Some(at) = peer.next_ping {
            self.pings.insert((at, joined));
        }
        self.peers.insert(joined, peer);
        joined
    }

    fn remove(&mut self, joined: Joined) -> Option<Peer> {
        let peer = self.peers.remove(&joined)?;
        self.by_id.remove(&peer.id);
        self.by_conn.remove(&peer.conn);
        if let Some(peers) = self.by_role.get_mut(&peer.role) {
            peers.remove(&joined);
            if peers.is_empty() {
                self.by_role.remove(&peer.role);
            }
        }
        if let Some(count) = self.members.get_mut(&peer.member) {
            *count -= 1;
            if *count == 0 {
                self.members.remove(&peer.member);
            }
        }
        if let Some(at) = peer.next_ping {
            self.pings.remove(&(at, joined));
        }
        Some(peer)
    }

    pub(crate) fn next_ping(&self) -> Option<Time> {
        self.pings.first().map(|(at, _)| *at)
    }

    /// The connection whose ping is due, if any; its next one is then planned.
    fn take_due_ping(&mut self, now: Time, every_ms: u64) -> Option<ConnId> {
        let (at, joined) = self.pings.first().copied().filter(|(at, _)| *at <= now)?;
        self.pings.remove(&(at, joined));
        let peer = self.peers.get_mut(&joined)?;
        let next = now.plus_ms(every_ms);
        peer.next_ping = Some(next);
        self.pings.insert((next, joined));
        Some(peer.conn)
    }

    #[cfg(debug_assertions)]
    pub(crate) fn check(&self) {
        debug_assert_eq!(self.peers.len(), self.by_id.len(), "one peer an id");
        debug_assert_eq!(self.peers.len(), self.by_conn.len(), "one peer a connection");
    }
}

/// A registration that has passed every check.
pub(crate) struct Newcomer {
    pub(crate) id: PeerId,
    pub(crate) conn: ConnId,
    pub(crate) admission: Admission,
    pub(crate) register: Box<sleap_rtc_wire::signal::Register>,
}

impl Room {
    /// Makes a checked registration a peer. Whatever this connection or this peer id was before is replaced.
    pub(crate) fn enter(&mut self, new: Newcomer, now: Time) {
        let Newcomer { id, conn, admission, mut register } = new;
        if let Some(earlier) = self.presence.by_id(&id) {
            // The same peer comes again: its claims are not touched here, they are compared with what it says it holds.
            if let Some(peer) = self.drop_peer(earlier) {
                if peer.member != admission.member {
                    self.client_is_away(&peer, now);
                }
                if peer.conn != conn {
                    self.push(Effect::Close { conn: peer.conn, reason: CloseReason::Superseded });
                }
            }
        }
        if let Some(other) = self.presence.by_conn(conn) {
            self.leave(other, now);
        }
        let held = held_claims(&mut register);
        self.end_lost_claim(&id, &held);
        let joined = self.insert_peer(&id, conn, admission, &register, now);
        let auth = self.registered_auth(&id, &register);
        self.send(conn, ToPeer::RegisteredAuth(Box::new(auth)));
        self.take_over_held(joined, held, now);
        self.client_is_back(joined);
        self.somebody_came();
    }

    fn insert_peer(
        &mut self,
        id: &PeerId,
        conn: ConnId,
        admission: Admission,
        register: &sleap_rtc_wire::signal::Register,
        now: Time,
    ) -> Joined {
        let mut peer = Peer {
            id: id.clone(),
            conn,
            member: admission.member,
            key: admission.key,
            role: register.role.clone(),
            claims: register.features.iter().any(|feature| feature == CLAIMS),
            metadata: Metadata::default(),
            bytes: 0,
            connected_at: now,
            last_granted: 0,
            next_ping: (register.role != CLIENT).then(|| now.plus_ms(self.config.ping_ms)),
        };
        peer.set_metadata(register.metadata.clone());
        let fact = Fact::Registered { peer: id.clone(), role: peer.role.clone(), member: peer.member.clone(), conn };
        let joined = self.presence.insert(peer);
        self.report(fact);
        joined
    }

    fn registered_auth(&self, id: &PeerId, register: &sleap_rtc_wire::signal::Register) -> RegisteredAuth {
        RegisteredAuth {
            room_id: self.record.room_id.clone(),
            token: register.token.clone(),
            peer_id: id.clone(),
            // There is no mesh: a worker that leads one of its own runs the loop that survives errors.
            admin_peer_id: (register.role == WORKER).then(|| id.clone()),
            peer_list: Vec::new(),
            peer_metadata: serde_json::Value::Object(serde_json::Map::new()),
            ice_servers: self.config.ice_servers.clone(),
            mesh_ice_servers: self.config.ice_servers.clone(),
            server_version: Some(self.config.server_version.clone()),
            features: vec![CLAIMS.to_owned()],
            expires_at: self.record.expires_at.map(Time::unix_seconds),
        }
    }

    /// Takes a peer out of the room, and nothing else.
    pub(crate) fn drop_peer(&mut self, joined: Joined) -> Option<Peer> {
        let peer = self.presence.remove(joined)?;
        self.report(Fact::Left {
            peer: peer.id.clone(),
            role: peer.role.clone(),
            member: peer.member.clone(),
            conn: peer.conn,
        });
        Some(peer)
    }

    /// A peer's connection is gone: it is in no list from now on.
    pub(crate) fn leave(&mut self, joined: Joined, now: Time) {
        if let Some(peer) = self.drop_peer(joined) {
            self.worker_is_away(&peer.id);
            self.client_is_away(&peer, now);
        }
    }

    pub(crate) fn closed(&mut self, conn: ConnId, now: Time) {
        self.stop_joining(conn);
        if let Some(joined) = self.presence.by_conn(conn) {
            self.leave(joined, now);
            self.somebody_left(now);
        }
    }

    pub(crate) fn update_metadata(&mut self, joined: Joined, update: UpdateMetadata) {
        let request_id = update.request_id.as_deref();
        if !self.speaks_as(joined, &update.peer_id, request_id) {
            return;
        }
        let Some(peer) = self.presence.get(joined) else { return };
        let conn = peer.conn;
        if update.condition.as_ref().is_some_and(|condition| !self.matches(condition, peer)) {
            return self.refuse(conn, Code::Conflict, "the condition of the update does not hold", request_id);
        }
        let mut merged = peer.metadata.clone();
        merged.merge(update.metadata);
        if let Some(text) = merged.exceeds() {
            return self.refuse(conn, Code::TooLarge, text, request_id);
        }
        if let Some(peer) = self.presence.get_mut(joined) {
            peer.set_metadata(merged);
        }
        let Some(peer) = self.presence.get(joined) else { return };
        let metadata = self.shown_metadata(peer);
        self.send(conn, ToPeer::MetadataUpdated { peer_id: update.peer_id, metadata, request_id: update.request_id });
    }

    pub(crate) fn send_due_pings(&mut self, now: Time) {
        while let Some(conn) = self.presence.take_due_ping(now, self.config.ping_ms.max(1)) {
            self.send(conn, ToPeer::Ping);
        }
    }
}
