//! One loading of a room, as it must be: who is there, what they have said, who has booked whom.

use std::collections::{BTreeMap, BTreeSet};

use sleap_rtc_room::{Call, Effect, Fact, Input, Room};
use sleap_rtc_wire::record::{RoomRecord, WorkerRecord};
use sleap_rtc_wire::signal::{RelayKind, Report};
use sleap_rtc_wire::{
    CLAIMS, ClaimId, ConnId, Fence, Filters, FromPeer, MemberId, Metadata, PeerId, RoomId, Time, ToPeer,
};

use crate::booked::Booked;
use crate::model::{Rule, Violation};
use crate::occupied::Occupied;
use crate::plan::Knobs;
use crate::queue::Places;
use crate::seen::{Note, Seen};

/// A peer that has registered.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    /// By which name it knows itself.
    called: PeerId,
    pub(crate) member: MemberId,
    pub(crate) role: String,
    pub(crate) claims: bool,
    /// As confirmed.
    pub(crate) metadata: Metadata,
    /// Whether an update was confirmed that no discovery has followed.
    fresh: bool,
}

/// A registration that the room has been told of.
#[derive(Debug)]
pub(crate) struct Knock {
    id: Option<PeerId>,
    member: MemberId,
    role: String,
    claims: bool,
    metadata: Metadata,
    held: Vec<ClaimId>,
}

/// What the room was just told.
#[derive(Debug, Default)]
pub(crate) enum Told {
    #[default]
    Nothing,
    /// Of this connection.
    Closed(u64),
    Left(u64),
    Discover(u64, Filters),
    Update(u64, Metadata),
    Relay(u64, RelayKind, PeerId, PeerId),
    /// A worker reports on a job.
    Report(u64, Box<Report>),
    /// A worker is given a job.
    Assigned(PeerId, String),
    /// A worker says that its client came.
    Used(PeerId, ClaimId),
    /// A worker says that its slot is free.
    Released(PeerId),
    /// This peer is deleted.
    Deleted(PeerId),
    Other,
}

/// The model of one loading.
#[derive(Debug)]
pub(crate) struct Hall {
    pub(crate) room: RoomId,
    /// The room was loaded before.
    pub(crate) again: bool,
    pub(crate) loaded_at: Time,
    pub(crate) knobs: Knobs,
    /// The last fence that was given out here.
    pub(crate) fence: Fence,
    pub(crate) peers: BTreeMap<u64, Peer>,
    pub(crate) by_id: BTreeMap<PeerId, u64>,
    pub(crate) knocks: BTreeMap<u64, Knock>,
    /// Connections that have been here.
    known: BTreeSet<u64>,
    pub(crate) told: Told,
    /// Of this round: who was taken out, and which connections were closed.
    pub(crate) left: Vec<(u64, PeerId)>,
    closed: Vec<u64>,
    pub(crate) booked: Booked,
    pub(crate) occupied: Occupied,
    pub(crate) places: Places,
    /// The claim of this round has shown a seat.
    pub(crate) seat_shown: bool,
    pub(crate) over: bool,
}

impl Hall {
    pub(crate) fn new(record: &RoomRecord, workers: &[WorkerRecord], knobs: &Knobs, again: bool, now: Time) -> Self {
        Self {
            room: record.room_id.clone(),
            again,
            loaded_at: now,
            knobs: knobs.clone(),
            fence: Fence::default(),
            peers: BTreeMap::new(),
            by_id: BTreeMap::new(),
            knocks: BTreeMap::new(),
            known: BTreeSet::new(),
            told: Told::Nothing,
            left: Vec::new(),
            closed: Vec::new(),
            booked: Booked::new(workers, knobs.lost_ms, now),
            occupied: Occupied::new(workers, now),
            places: Places::new(),
            seat_shown: false,
            over: false,
        }
    }

    pub(crate) fn input(&mut self, input: &Input, now: Time, seen: &mut Seen) {
        self.seat_shown = false;
        self.end_due(now, seen);
        self.end_due_holds(now, seen);
        self.occupied.is_blurred = matches!(input, Input::Persisted(_) | Input::PersistFailed(_));
        self.told = match input {
            Input::Register { conn, admission, register } => {
                let claims = register.features.iter().any(|feature| feature == CLAIMS);
                let held = register.claims.iter().map(|held| held.grant.claim_id.clone()).collect();
                let (member, role) = (admission.member.clone(), register.role.clone());
                let id = register.peer_id.clone();
                let knock = Knock { id, member, role, claims, metadata: register.metadata.clone(), held };
                self.known.insert(conn.n);
                self.knocks.insert(conn.n, knock);
                Told::Other
            }
            Input::Closed { conn } => {
                self.knocks.remove(&conn.n);
                Told::Closed(conn.n)
            }
            Input::Frame { conn, frame } => self.frame(conn.n, frame),
            Input::Call { call: Call::DeletePeer(peer), .. } => {
                self.booked.worker_goes(peer);
                Told::Deleted(peer.clone())
            }
            Input::Call { call: Call::Assign { worker, job_id, .. }, .. } => {
                Told::Assigned(worker.clone(), job_id.clone())
            }
            _ => Told::Other,
        };
        if let Input::Frame { frame: FromPeer::ClaimReleased(released), .. } = input {
            self.slot_is_free(&released.claim_id);
        }
    }

    fn frame(&mut self, conn: u64, frame: &FromPeer) -> Told {
        let sender = self.peers.get(&conn).map(|peer| &peer.id);
        match frame {
            FromPeer::DiscoverPeers(discover) => Told::Discover(conn, discover.filters.clone()),
            FromPeer::UpdateMetadata(update) => Told::Update(conn, update.metadata.clone()),
            FromPeer::Relay(relay) => Told::Relay(conn, relay.kind, relay.from.clone(), relay.to.clone()),
            FromPeer::Report(report) => Told::Report(conn, Box::new(report.clone())),
            FromPeer::Leave => Told::Left(conn),
            FromPeer::ClaimUsed(used) => sender.map_or(Told::Other, |by| Told::Used(by.clone(), used.claim_id.clone())),
            FromPeer::ClaimReleased(_) => sender.map_or(Told::Other, |by| Told::Released(by.clone())),
            FromPeer::Claim(claim) => {
                self.seat_shown = claim.seat.is_some();
                Told::Other
            }
            _ => Told::Other,
        }
    }

    pub(crate) fn effect(&mut self, effect: &Effect, now: Time, seen: &mut Seen) -> Result<(), Violation> {
        match effect {
            Effect::Send { conn, frame } => self.sent(conn.n, frame, now, seen),
            Effect::Close { conn, .. } => {
                self.closed.push(conn.n);
                self.known.remove(&conn.n);
                Ok(())
            }
            Effect::Report(Fact::Registered { peer, conn, .. }) => {
                self.registered(peer, *conn, seen);
                Ok(())
            }
            Effect::Report(Fact::Left { peer, conn, .. }) => {
                self.gone(peer, conn.n, now);
                Ok(())
            }
            Effect::Removed => {
                self.over = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn registered(&mut self, id: &PeerId, conn: ConnId, seen: &mut Seen) {
        let Some(knock) = self.knocks.remove(&conn.n) else { return };
        let Knock { member, role, claims, metadata, held, .. } = knock;
        let called = knock.id.unwrap_or_else(|| id.clone());
        if called != *id {
            seen.note(Note::SharedName);
        }
        let is_again = self.left.contains(&(conn.n, id.clone()));
        self.occupied.came(id, is_again, seen);
        self.booked.worker_came(id, held);
        self.by_id.insert(id.clone(), conn.n);
        self.peers.insert(conn.n, Peer { id: id.clone(), called, member, role, claims, metadata, fresh: false });
    }

    /// Whether a peer of this name is about to be here (again).
    pub(crate) fn comes(&self, id: &PeerId) -> bool {
        self.knocks.values().any(|knock| knock.id.as_ref() == Some(id))
    }

    fn gone(&mut self, id: &PeerId, conn: u64, now: Time) {
        self.left.push((conn, id.clone()));
        if self.by_id.get(id) == Some(&conn) {
            self.by_id.remove(id);
        }
        let bookable = self.peers.remove(&conn).is_some_and(|peer| peer.claims && peer.role == "worker");
        let for_good = match &self.told {
            Told::Left(one) => *one == conn,
            Told::Deleted(one) => one == id,
            _ => false,
        };
        if bookable && !for_good {
            self.booked.away.insert(id.clone(), now);
        }
    }

    fn sent(&mut self, conn: u64, frame: &ToPeer, now: Time, seen: &mut Seen) -> Result<(), Violation> {
        if !self.known.contains(&conn) {
            let text = format!("{} says {frame:?} to connection {conn}, which is not its own", self.room);
            return Err(Violation::new(Rule::RepliesStayInTheRoom, text));
        }
        match frame {
            ToPeer::RegisteredAuth(auth) => {
                self.mine(conn, &auth.peer_id, auth.room_id == self.room)?;
            }
            ToPeer::PeerList { to_peer_id, peers, total, .. } => {
                self.mine(conn, to_peer_id, true)?;
                self.listed(conn, peers, total.is_some(), seen)?;
            }
            ToPeer::MetadataUpdated { peer_id, .. } => {
                self.mine(conn, peer_id, true)?;
                self.confirmed(conn);
            }
            ToPeer::Error(error) => {
                self.knocks.remove(&conn);
                if error.code == sleap_rtc_wire::Code::WorkerBusy {
                    seen.note(Note::OldBusy);
                }
            }
            ToPeer::Relayed(_) => {
                self.relayed(conn)?;
                self.handed_on(conn, seen)?;
            }
            ToPeer::ClaimGranted(grant) => self.granted(conn, grant, now, seen)?,
            ToPeer::Claimed(claimed) => self.claimed(conn, claimed)?,
            ToPeer::ClaimEnded(ended) => self.ended(ended, seen)?,
            _ => {}
        }
        Ok(())
    }

    /// A reply names the peer of the connection on which it goes out.
    fn mine(&self, conn: u64, id: &PeerId, room: bool) -> Result<(), Violation> {
        if room && self.peers.get(&conn).is_some_and(|peer| peer.id == *id || peer.called == *id) {
            return Ok(());
        }
        let text = format!("connection {conn} in {} gets what is for {id}", self.room);
        Err(Violation::new(Rule::RepliesStayInTheRoom, text))
    }

    fn relayed(&self, conn: u64) -> Result<(), Violation> {
        let Told::Relay(sender, _, from, to) = &self.told else { return Ok(()) };
        let of = |conn: &u64| self.peers.get(conn).map(|peer| &peer.id);
        let called = |conn: &u64| self.peers.get(conn).map(|peer| &peer.called);
        // An error names whom it is for, and may name nobody else.
        let speaks = [of(sender), called(sender), Some(to)].contains(&Some(from));
        if speaks && of(&conn) == Some(to) {
            return Ok(());
        }
        let text = format!("{:?} sends as {from} to {to}, and {:?} gets it", of(sender), of(&conn));
        Err(Violation::new(Rule::RepliesStayInTheRoom, text))
    }

    fn confirmed(&mut self, conn: u64) {
        let Told::Update(sender, update) = &self.told else { return };
        if let Some(peer) = self.peers.get_mut(sender).filter(|_| *sender == conn) {
            peer.metadata.merge(update.clone());
            peer.fresh = true;
        }
    }

    /// A discovery shows those who match, and nobody else.
    fn listed(
        &mut self,
        conn: u64,
        peers: &[sleap_rtc_wire::signal::PeerEntry],
        cut: bool,
        seen: &mut Seen,
    ) -> Result<(), Violation> {
        let Told::Discover(sender, filters) = &self.told else { return Ok(()) };
        if *sender != conn || cut || filters.limit().is_some() {
            return Ok(());
        }
        let shown: BTreeMap<&PeerId, _> = peers.iter().map(|entry| (&entry.peer_id, &entry.metadata)).collect();
        let asker = self.peers.get(&conn).map(|peer| peer.id.clone());
        for peer in self.peers.values_mut() {
            let status = self.booked.status(&peer.id).or_else(|| self.occupied.status(&peer.id));
            let matches = Some(&peer.id) != asker.as_ref()
                && filters.matches_with(&peer.role, &peer.metadata, |name| (name == "status").then_some(status?));
            let wrong = |why: &str| {
                let text = format!("{} {why} in {}: {:?} for {filters:?}", peer.id, self.room, shown.get(&peer.id));
                Err(Violation::new(Rule::ConfirmedIsSeen, text))
            };
            if std::mem::take(&mut peer.fresh) {
                seen.note(Note::UpdateThenDiscovery);
            }
            match shown.get(&peer.id) {
                None if matches => return wrong("matches and is not shown"),
                Some(_) if !matches => return wrong("is shown and does not match"),
                Some(metadata) => {
                    let (says, has) = (metadata.property("status"), peer.metadata.property("status"));
                    if metadata.property("mark") != peer.metadata.property("mark") || says != status.or(has) {
                        return wrong("is not shown as confirmed");
                    }
                }
                None => {}
            }
        }
        match shown.keys().find(|id| !self.by_id.contains_key(**id)) {
            Some(id) => Err(Violation::new(Rule::ConfirmedIsSeen, format!("{id} is shown and not there"))),
            None => Ok(()),
        }
    }

    pub(crate) fn settled(&mut self, room: &Room, now: Time, seen: &mut Seen) -> Result<(), Violation> {
        for (conn, id) in std::mem::take(&mut self.left) {
            let own = matches!(self.told, Told::Closed(one) | Told::Left(one) if one == conn);
            if !own && !self.closed.contains(&conn) && !self.peers.contains_key(&conn) && !self.over {
                let text = format!("{id} on connection {conn} was taken out of {} by {:?}", self.room, self.told);
                return Err(Violation::new(Rule::OnlyItsOwnIsRemoved, text));
            }
        }
        if let Told::Closed(conn) = self.told {
            self.known.remove(&conn);
            if self.peers.contains_key(&conn) {
                let text = format!("connection {conn} is gone, and its peer is still in {}", self.room);
                return Err(Violation::new(Rule::OnlyItsOwnIsRemoved, text));
            }
        }
        self.closed.clear();
        if !self.over {
            self.agrees(room, now, seen)?;
            self.occupancy_agrees(room, now, seen)?;
            self.line_is_fair(room, now, seen)?;
        }
        self.booked.came.clear();
        self.occupied.clear_round();
        self.told = Told::Nothing;
        Ok(())
    }
}
