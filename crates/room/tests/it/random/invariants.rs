//! What must be true of a room, by name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sleap_rtc_room::{Effect, RoomConfig};
use sleap_rtc_wire::record::RoomRecord;
use sleap_rtc_wire::{ConnId, Fence, Time, ToPeer};

use super::steps::{CLIENTS, PEERS, Step, WORKERS};
use super::world::{Program, World, name};
use crate::desk::{self, says};

pub(super) fn invariant_replies_reach_their_own_room_only(open: &BTreeSet<ConnId>, conn: ConnId) {
    assert!(open.contains(&conn), "a frame for {conn:?}, which is not of this room");
}

pub(super) fn invariant_fences_grow(last: Fence, next: Fence) {
    assert!(next > last, "fence {next:?} after {last:?}");
}

pub(super) fn invariant_nothing_is_granted_before_the_epoch_is_committed(stored: &RoomRecord, fence: Fence) {
    assert!(fence.epoch <= stored.epoch, "fence {fence:?} with epoch {} in the store", stored.epoch);
}

pub(super) fn invariant_one_claim_a_worker(worker: &Program) {
    assert!(worker.held.is_none(), "granted while it holds {:?}", worker.held);
}

pub(super) fn invariant_no_claim_outlives_its_lease(program: &Program, now: Time) {
    if let (Some((grant, false)), true) = (&program.held, program.registered.is_some()) {
        assert!(grant.lease_until > now, "{} is over and still held", grant.claim_id);
    }
}

impl World {
    /// Looks at the room through a discovery, as everybody does.
    pub(crate) fn check(&mut self) {
        assert_eq!(self.room.violations(self.now), [""; 0]);
        let timeout = self.room.next_timeout();
        assert!(timeout.is_none_or(|at| at > self.now), "the room wants to be woken in the past");
        for program in &self.programs {
            invariant_no_claim_outlives_its_lease(program, self.now);
        }
        let Some((asker, conn)) = (0..CLIENTS).find_map(|n| self.speaker(n).map(|conn| (n, conn))) else { return };
        self.room.handle(says(conn, desk::discover(&name(asker), json!({"role": "worker"}))), self.now);
        let mut list = None;
        while let Some(effect) = self.room.next_effect() {
            match effect {
                Effect::Send { conn: to, frame: ToPeer::PeerList { peers, .. } } if to == conn => list = Some(peers),
                other => panic!("a discovery does {other:?}"),
            }
        }
        let shown: BTreeMap<String, String> = list
            .unwrap()
            .into_iter()
            .map(|entry| {
                let status = entry.metadata.property("status").unwrap().as_str().unwrap().to_owned();
                (entry.peer_id.to_string(), status)
            })
            .collect();
        self.check_shown(&shown);
    }

    fn check_shown(&mut self, shown: &BTreeMap<String, String>) {
        for n in WORKERS {
            let seen = shown.get(&name(n)).map(String::as_str);
            if self.speaker(n).is_some() {
                // A confirmed status and a claim are seen by the next discovery.
                assert_eq!(seen, Some(self.expected_status(n)), "{}: {:?}", name(n), self.programs[n]);
                match seen {
                    Some("busy") => self.seen.saw("shown busy"),
                    Some("reserved") => self.seen.saw("shown reserved"),
                    _ => {}
                }
            } else if self.programs[n].conn.is_none() && !self.has_stale() {
                assert_eq!(seen, None, "{} is gone and still listed", name(n));
            }
        }
    }

    fn has_stale(&self) -> bool {
        !self.stale.is_empty()
    }

    /// In the end, with a store that answers and peers that stay, whoever asks is given a worker.
    pub(crate) fn check_liveness(&mut self) {
        for n in 0..PEERS {
            self.connect(n);
        }
        // Whoever is expected has come, and the clients have had their time.
        self.take(Step::Wait(RoomConfig::default().settle_ms));
        while !self.writes.is_empty() {
            self.store(true);
        }
        for n in WORKERS {
            self.free_claim(n);
            self.say_status(n, "available", false);
        }
        for n in 0..CLIENTS {
            for claim in self.programs[n].claims.clone() {
                let conn = self.speaker(n).unwrap();
                self.put(desk::releases(conn, &claim));
            }
        }
        let before = self.last_fence;
        let claim = self.new_claim(None);
        self.claim(0, claim);
        while !self.writes.is_empty() {
            self.store(true);
        }
        assert!(self.last_fence > before, "a free worker and nobody is given it");
        self.check();
    }
}
