//! How peers come, go and change.

use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::signal::{IceServer, RegisteredAuth, UpdateMetadata};
use sleap_rtc_wire::{CLAIMS, Code, ConnId, Metadata, PeerId, Time, ToPeer, limits};

use crate::attempts::Doubtful;
use crate::held::held_claims;
use crate::hold::Hold;
use crate::line::Client;
use crate::peer::{Peer, Shown};
use crate::peers::Joined;
use crate::{Admission, CloseReason, Effect, Fact, Room};

/// The role that hears nothing it did not ask for.
pub(crate) const CLIENT: &str = "client";

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
        // The same peer comes again: its claims are not touched here, they are compared with what it says it holds.
        let led = self.leader.as_ref() == Some(&id);
        let earlier = self.presence.by_id(&id).and_then(|earlier| self.drop_peer(earlier));
        if let Some(peer) = &earlier {
            if peer.member != admission.member {
                self.client_is_away(peer, now);
            }
            if peer.conn != conn {
                self.guest_is_gone(peer, now);
                self.push(Effect::Close { conn: peer.conn, reason: CloseReason::Superseded });
            }
        }
        if let Some(other) = self.presence.by_conn(conn) {
            self.leave(other, now);
        }
        let held = held_claims(&mut register);
        self.end_lost_claim(&id, &held);
        let mut admission = admission;
        let ice_servers = std::mem::take(&mut admission.ice_servers);
        let joined = self.insert_peer(&id, conn, admission, &mut register, now);
        self.hold_registers(joined, earlier.as_ref().is_some_and(|earlier| earlier.conn == conn), now);
        self.expect(joined, earlier.as_ref(), now);
        self.lead(joined, led || register.is_admin);
        let auth = self.registered_auth(&id, &register, ice_servers);
        self.send(conn, ToPeer::RegisteredAuth(Box::new(auth)));
        self.take_over_held(joined, held, now);
        self.client_is_back(joined);
        self.guest_is_back(joined);
        if mutation::on(Mutation::CleanUpByPeerId) {
            self.presence.also_of(earlier.as_ref().map(|earlier| earlier.conn), joined);
        }
        if let Some(earlier) = earlier {
            self.move_places(&earlier, joined, now);
        }
        self.somebody_came();
    }

    /// What a peer waits for in line stays its own on the same connection; on another one it asks again for what it still wants.
    fn move_places(&mut self, earlier: &Peer, joined: Joined, now: Time) {
        let Some(peer) = self.presence.get(joined).filter(|peer| peer.member == earlier.member) else { return };
        let stays = peer.conn == earlier.conn && peer.claims;
        let away = Client::Away(now.plus_ms(self.config.client_grace_ms));
        self.set_places_of(earlier, if stays { Client::Here(joined) } else { away });
    }

    /// A worker that takes part in claims is expected from now on, after a restart too. Whoever had its name is not.
    fn expect(&mut self, joined: Joined, earlier: Option<&Peer>, now: Time) {
        let Some((id, member, bookable)) =
            self.presence.get(joined).map(|peer| (peer.id.clone(), peer.member.clone(), peer.is_bookable()))
        else {
            return;
        };
        let is_recovering = self.recovery.is_some();
        let missing = self.not_missed(&id);
        let is_written = match &missing {
            Some(missing) => missing.is_by_restart && missing.member == member,
            None => earlier.is_some_and(|earlier| earlier.is_bookable() && earlier.member == member),
        };
        let was_expected = missing.is_some() || earlier.is_some_and(Peer::is_bookable);
        if bookable && !is_written || !bookable && was_expected {
            self.expected.write(id);
        }
        // A server that was away for a moment does not make its workers silent.
        let silence = missing.filter(|missing| bookable && missing.member == member && !is_recovering);
        if let Some(peer) = self.presence.get_mut(joined) {
            peer.was_silent_ms = silence.map(|missing| now.since(missing.since));
        }
    }

    fn insert_peer(
        &mut self,
        id: &PeerId,
        conn: ConnId,
        admission: Admission,
        register: &mut sleap_rtc_wire::signal::Register,
        now: Time,
    ) -> Joined {
        let peer = Peer {
            id: id.clone(),
            called: register.peer_id.clone().filter(|called| called != id),
            conn,
            member: admission.member,
            key: admission.key,
            role: register.role.clone(),
            claims: register.features.iter().any(|feature| feature == CLAIMS),
            metadata: std::mem::take(&mut register.metadata),
            connected_at: now,
            number: None,
            was_silent_ms: None,
            last_granted: 0,
            next_ping: (register.role != CLIENT).then(|| now.plus_ms(self.config.ping_ms)),
            shown: None,
            doubtful: None,
            free_as: None,
        };
        let fact = Fact::Registered { peer: id.clone(), role: peer.role.clone(), member: peer.member.clone(), conn };
        let joined = self.presence.insert(peer);
        self.leave_pool(id);
        self.show_claim(joined);
        self.settle_matches(joined);
        self.report(fact);
        joined
    }

    fn registered_auth(
        &self,
        id: &PeerId,
        register: &sleap_rtc_wire::signal::Register,
        ice_servers: Vec<IceServer>,
    ) -> RegisteredAuth {
        let mut auth = RegisteredAuth {
            room_id: self.record.room_id.clone(),
            token: register.token.clone(),
            peer_id: id.clone(),
            admin_peer_id: None,
            peer_list: Vec::new(),
            peer_metadata: serde_json::Value::Object(serde_json::Map::new()),
            mesh_ice_servers: ice_servers.clone(),
            ice_servers,
            server_version: Some(self.config.server_version.clone()),
            features: vec![CLAIMS.to_owned()],
            expires_at: self.record.expires_at.map(Time::unix_seconds),
        };
        self.tell_of_mesh(id, register, &mut auth);
        auth
    }

    /// What a claim says of its worker is what everybody sees from now on: to be called whenever a claim is put on a worker, is
    /// changed, or is taken off.
    pub(crate) fn reindex(&mut self, worker: &PeerId) {
        if let Some(joined) = self.presence.by_id(worker) {
            self.show_claim(joined);
        }
    }

    fn show_claim(&mut self, joined: Joined) {
        let Some(peer) = self.presence.get(joined) else { return };
        let slot = self.claims.slot(&peer.id);
        let is_silent = mutation::on(Mutation::StatusNotWithClaim);
        let shown = slot.map(|slot| if is_silent { Vec::new() } else { slot.shown().to_vec() });
        let held = || self.holds.get(&peer.id).filter(|_| peer.is_old_worker()).map(Hold::shown);
        let shown = shown.or_else(held).map(Shown::new);
        self.presence.show(joined, shown);
        self.settle_work(joined);
    }

    /// Takes a peer out of the room, and nothing else.
    pub(crate) fn drop_peer(&mut self, joined: Joined) -> Option<Peer> {
        let peer = self.presence.remove(joined)?;
        self.leave_pool(&peer.id);
        self.stop_leading(&peer.id);
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
        if let Some(mut peer) = self.drop_peer(joined) {
            if let Some(slot) = self.claims.slot(&peer.id) {
                peer.doubtful = Doubtful::and(slot, peer.doubtful.take());
            }
            self.worker_is_away(&peer.id);
            self.client_is_away(&peer, now);
            self.hold_is_away(&peer, now);
            self.session_parts(&peer, now);
            if peer.is_bookable() {
                self.miss(&peer, now);
            }
        }
    }

    /// A peer goes for good: it is not missed, waits for nothing, and holds nothing.
    pub(crate) fn leave_for_good(&mut self, joined: Joined, now: Time) {
        if let Some(peer) = self.drop_peer(joined) {
            self.client_is_gone(&peer);
            self.guest_is_gone(&peer, now);
            self.worker_is_gone(&peer.id, peer.is_bookable());
            self.somebody_left(now);
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
        let Some(conn) = self.presence.get(joined).map(|peer| peer.conn) else { return };
        if let Some(bytes) = request_id.map(str::len).filter(|bytes| *bytes > limits::REQUEST_ID) {
            let text = format!("request_id of {bytes} bytes, at most {} are allowed", limits::REQUEST_ID);
            return self.refuse(conn, Code::TooLarge, text, None);
        }
        if !self.speaks_as(joined, &update.peer_id, request_id) {
            return;
        }
        let Some(peer) = self.presence.get(joined) else { return };
        let says = peer.is_old_worker().then(|| update.metadata.property("status")).flatten();
        let says = says.and_then(|status| status.as_str()).map(str::to_owned);
        if update.condition.as_ref().is_some_and(|condition| !peer.matches(condition)) {
            return self.refuse(conn, Code::Conflict, "the condition of the update does not hold", request_id);
        }
        let mut merged = peer.metadata.clone();
        merged.merge(update.metadata);
        if let Some(text) = merged.exceeds() {
            return self.refuse(conn, Code::TooLarge, text, request_id);
        }
        if mutation::on(Mutation::ConfirmedBeforeInForce) {
            self.late_updates.push((joined, merged.clone()));
            return self.send(
                conn,
                ToPeer::MetadataUpdated { peer_id: update.peer_id, metadata: merged, request_id: update.request_id },
            );
        }
        self.put_in_force(joined, merged);
        if let Some(status) = says {
            self.heard_status(joined, &status);
        }
        let Some(metadata) = self.presence.get(joined).map(|peer| peer.shown_metadata().clone()) else { return };
        self.send(conn, ToPeer::MetadataUpdated { peer_id: update.peer_id, metadata, request_id: update.request_id });
    }

    /// What a peer says of itself is what everybody sees from now on.
    pub(crate) fn put_in_force(&mut self, joined: Joined, metadata: Metadata) {
        self.presence.set_metadata(joined, metadata);
        self.settle_matches(joined);
    }

    pub(crate) fn send_due_pings(&mut self, now: Time) {
        while let Some(conn) = self.presence.take_due_ping(now, self.config.ping_ms.max(1)) {
            self.send(conn, ToPeer::Ping);
        }
    }
}
