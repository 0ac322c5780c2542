//! Peers that are not ours: the old programs, which know no claims, and programs that keep to no rule. What they send is drawn.

use sleap_rtc_wire::claim::{Claim, ClaimReleased, ClaimUsed, Release, Withdraw};
use sleap_rtc_wire::signal::{Discover, Register, UpdateMetadata};
use sleap_rtc_wire::{CLAIMS, ClaimId, Filters, FromPeer, JobId, MemberId, Metadata, PeerId, ToPeer};

use crate::event::Event;
use crate::plan::Kind;
use crate::seen::Note;
use crate::world::World;

/// A run of such a program.
#[derive(Debug, Default)]
pub(crate) struct Process {
    /// Signs in without a key.
    pub(crate) anonymous: bool,
    pub(crate) identity: Option<MemberId>,
    role: &'static str,
    registered: bool,
    /// Claims that it has heard of.
    claims: Vec<ClaimId>,
    last: Option<Claim>,
    requests: u64,
    marks: u64,
    /// Peers that it has seen.
    met: Vec<PeerId>,
    tries: u32,
}

impl World {
    pub(crate) fn start_rough(&mut self, who: usize) {
        let plain = self.nodes[who].kind == Kind::Plain;
        let role =
            *self.random.pick(if plain { &["worker", "client", "peer"] } else { &["client", "worker", "client"] });
        let anonymous = plain || self.random.one_in(2);
        self.nodes[who].rough = Some(Box::new(Process { anonymous, role, ..Process::default() }));
        self.connect(who, false);
    }

    /// Signs in as somebody new, unless the program has an identity that was not refused.
    pub(crate) fn sign_in_anonymous(&mut self, who: usize, fresh: bool) {
        let (life, steps) = (self.nodes[who].life, self.steps);
        let Some(process) = self.nodes[who].rough.as_deref_mut() else { return };
        if process.identity.is_some() && !fresh {
            // It keeps its token; whether that is still good is for the server to say.
            return;
        }
        let id = MemberId::new(&format!("anon-{who}-{life}-{steps}")).unwrap_or_else(|_| unreachable!("a valid id"));
        process.identity = Some(id.clone());
        self.sign_in(&id, None);
    }

    pub(crate) fn rough_connected(&mut self, who: usize) {
        let place = &self.places[self.nodes[who].room];
        let (room_id, token) = (Some(place.id.clone()), Some(place.token.clone()));
        let claims = self.nodes[who].kind == Kind::Rough;
        let id = self.peer_id(who);
        let id_token = Some(self.id_token(who));
        let Some(process) = self.nodes[who].rough.as_deref_mut() else { return };
        process.registered = false;
        let metadata =
            serde_json::json!({"tags": ["old"], "properties": {"status": "available", "mark": process.marks}});
        let register = Register {
            peer_id: Some(id),
            role: process.role.to_owned(),
            metadata: metadata.into(),
            room_id,
            token,
            id_token,
            features: if claims { vec![CLAIMS.to_owned()] } else { Vec::new() },
            ..Register::default()
        };
        self.send(who, FromPeer::Register(Box::new(register)));
        self.next_whim(who);
    }

    fn next_whim(&mut self, who: usize) {
        let at = self.now + self.random.between(300, 15_000);
        let life = self.nodes[who].life;
        self.queue.push(at, Event::Whim { who, life });
    }

    pub(crate) fn rough_hears(&mut self, who: usize, frame: ToPeer) {
        let Some(process) = self.nodes[who].rough.as_deref_mut() else { return };
        match frame {
            ToPeer::RegisteredAuth(_) => {
                process.registered = true;
                process.tries = 0;
            }
            ToPeer::Claimed(claimed) => process.claims.push(claimed.claim_id),
            ToPeer::ClaimGranted(granted) => process.claims.push(granted.claim_id),
            ToPeer::ClaimRefused(refused) => self.seen.note(Note::of_reason(refused.reason)),
            ToPeer::ClaimWaiting(waiting) => self.seen.note(Note::of_reason(waiting.reason)),
            ToPeer::PeerList { peers, .. } => process.met = peers.into_iter().map(|peer| peer.peer_id).collect(),
            ToPeer::Error(_) if !process.registered => {
                process.tries += 1;
                if process.anonymous && process.tries < 3 {
                    process.identity = None;
                }
                self.disconnect(who);
                self.rough_lost(who);
            }
            _ => {}
        }
    }

    /// Comes again after a while, as the same or as a new program.
    pub(crate) fn rough_lost(&mut self, who: usize) {
        if self.over {
            return self.end_process(who);
        }
        if self.random.one_in(3) {
            self.end_process(who);
            let at = self.now + self.random.between(1_000, 200_000);
            return self.queue.push(at, Event::Start { who });
        }
        self.nodes[who].attempt += 1;
        let at = self.now + self.random.between(500, 10_000);
        let life = self.nodes[who].life;
        self.queue.push(at, Event::Whim { who, life });
    }

    pub(crate) fn whim(&mut self, who: usize, life: u32) -> bool {
        if self.nodes[who].life != life || self.nodes[who].rough.is_none() {
            return false;
        }
        if self.nodes[who].wire.is_none() {
            self.connect(who, false);
            return true;
        }
        if self.nodes[who].rough.as_deref().is_some_and(|process| process.registered) {
            match self.nodes[who].kind {
                Kind::Plain => self.plain_does(who),
                _ => self.rough_does(who),
            }
        }
        self.next_whim(who);
        true
    }

    fn plain_does(&mut self, who: usize) {
        match self.random.below(12) {
            0..=2 => self.discovers(who),
            3..=5 => self.updates(who),
            6..=8 => self.asks_a_worker(who),
            9 => self.lies(who),
            10 => self.send(who, FromPeer::Ping),
            _ => {
                self.disconnect(who);
                self.rough_lost(who);
            }
        }
    }

    fn rough_does(&mut self, who: usize) {
        match self.random.below(17) {
            16 => self.floods(who),
            0..=4 => self.claims_something(who),
            5 => self.asks_again(who),
            6..=8 => self.gives_back(who),
            9 => self.discovers(who),
            10 | 11 => self.updates(who),
            12 => self.lies(who),
            13 => self.uses(who),
            14 => self.withdraws(who),
            _ => {
                if self.random.one_in(2) {
                    self.send(who, FromPeer::Leave);
                }
                self.disconnect(who);
                self.rough_lost(who);
            }
        }
    }

    fn discovers(&mut self, who: usize) {
        let filters = match self.random.below(4) {
            0 => serde_json::json!({"role": "worker", "properties": {"status": "available"}}),
            1 => serde_json::json!({"role": "worker"}),
            2 => serde_json::json!({"properties": {"mark": {"$gte": 1}}}),
            _ => serde_json::Value::Null,
        };
        let absent = self.random.one_in(4);
        let from_peer_id = self.peer_id(who);
        let filters = Filters::parse(filters).unwrap_or_default();
        self.send(who, FromPeer::DiscoverPeers(Discover { from_peer_id, filters, absent }));
    }

    fn updates(&mut self, who: usize) {
        let (peer_id, steps) = (self.peer_id(who), self.steps);
        let status = *self.random.pick(&["available", "available", "busy", "draining", "maintenance", "maintenance"]);
        let both = self.random.one_in(2);
        let Some(process) = self.nodes[who].rough.as_deref_mut() else { return };
        process.marks = steps + 1;
        let metadata = serde_json::json!({"properties": {"mark": process.marks, "status": status}}).into();
        let update = UpdateMetadata { peer_id, metadata, condition: None, request_id: None };
        self.send(who, FromPeer::UpdateMetadata(update));
        if both {
            self.seen.note(Note::FrameAfterUpdate);
            self.discovers(who);
        }
    }

    /// By the original's way: a request, an assignment, an offer.
    fn asks_a_worker(&mut self, who: usize) {
        let me = self.peer_id(who);
        let met = self.nodes[who].rough.as_deref().map_or(0, |process| process.met.len());
        let chosen = self.random.index(met);
        let Some(process) = self.nodes[who].rough.as_deref_mut() else { return };
        let Some(to) = process.met.get(chosen).cloned() else { return };
        process.requests += 1;
        let job = format!("old{who}-{}", process.requests / 3);
        let frame = match self.random.below(4) {
            0 | 1 => {
                FromPeer::peer_message(&me, &to, &serde_json::json!({"app_message_type": "job_request", "job_id": job}))
            }
            2 => FromPeer::peer_message(
                &me,
                &to,
                &serde_json::json!({"app_message_type": "job_assignment", "job_id": job}),
            ),
            _ => {
                let kind = sleap_rtc_wire::signal::RelayKind::Offer;
                FromPeer::description(kind, &me, &to, &format!("offer-{who}"), serde_json::Map::new())
            }
        };
        self.send(who, frame);
    }

    /// Says something under another's name.
    fn lies(&mut self, who: usize) {
        self.seen.note(Note::Lie);
        let met = self.nodes[who].rough.as_deref().map_or(0, |process| process.met.len());
        let (one, other) = (self.random.index(met), self.random.index(met));
        let Some(process) = self.nodes[who].rough.as_deref() else { return };
        let (Some(from), Some(to)) = (process.met.get(one).cloned(), process.met.get(other).cloned()) else { return };
        let frame = if self.random.one_in(2) {
            let metadata: Metadata = serde_json::json!({"properties": {"mark": 0, "status": "available"}}).into();
            FromPeer::UpdateMetadata(UpdateMetadata { peer_id: from, metadata, condition: None, request_id: None })
        } else {
            FromPeer::peer_message(&from, &to, &serde_json::json!({"app_message_type": "job_request", "job_id": "lie"}))
        };
        self.send(who, frame);
    }

    fn claims_something(&mut self, who: usize) {
        let wait_ms = *self.random.pick(&[0, 0, 5_000, 120_000]);
        let count = *self.random.pick(&[1, 1, 1, 2, 3, 8, 9]);
        if count > 1 {
            self.seen.note(Note::ManyWorkers);
        }
        let mut claim = self.some_request(who, count, wait_ms);
        // Half of them are for the job of the one before.
        if let Some(last) = self.nodes[who].rough.as_deref().and_then(|process| process.last.clone())
            && self.random.one_in(2)
        {
            claim.job_id = last.job_id;
        }
        if let Some(process) = self.nodes[who].rough.as_deref_mut() {
            process.last = Some(claim.clone());
        }
        self.send(who, FromPeer::Claim(claim));
    }

    fn some_request(&mut self, who: usize, count: u32, wait_ms: u64) -> Claim {
        let lease_ms = *self.random.pick(&[1, 2_000, 30_000, 120_000]);
        let attempt = *self.random.pick(&[1, 1, 1, 2]);
        let number = self.nodes[who].rough.as_deref_mut().map_or(0, |process| {
            process.requests += 1;
            process.requests
        });
        Claim {
            request_id: format!("q{number}"),
            filters: Filters::default(),
            wait_ms,
            lease_ms,
            job_id: JobId::new(&format!("rough{who}-{number}")).unwrap_or_else(|_| unreachable!("a valid id")),
            attempt,
            count,
            seat: None,
        }
    }

    /// More than one member may have in line.
    fn floods(&mut self, who: usize) {
        if self.random.one_in(4) {
            for _ in 0..36 {
                let claim = self.some_request(who, 1, 120_000);
                self.send(who, FromPeer::Claim(claim));
            }
        }
    }

    fn asks_again(&mut self, who: usize) {
        if let Some(claim) = self.nodes[who].rough.as_deref().and_then(|process| process.last.clone()) {
            self.seen.note(Note::RepeatedClaim);
            self.send(who, FromPeer::Claim(claim));
        }
    }

    fn some_claim(&mut self, who: usize) -> Option<ClaimId> {
        let known = self.nodes[who].rough.as_deref()?.claims.len();
        if known > 0 && self.random.below(5) > 0 {
            let one = self.random.index(known);
            return self.nodes[who].rough.as_deref()?.claims.get(one).cloned();
        }
        self.seen.note(Note::Nonsense);
        ClaimId::new(&format!("c{}-{}", self.random.between(1, 3), self.random.between(1, 30))).ok()
    }

    fn gives_back(&mut self, who: usize) {
        let Some(claim_id) = self.some_claim(who) else { return };
        let frame = if self.random.one_in(3) {
            FromPeer::ClaimReleased(ClaimReleased { claim_id })
        } else {
            FromPeer::Release(Release { claim_id })
        };
        self.send(who, frame);
    }

    fn uses(&mut self, who: usize) {
        if let Some(claim_id) = self.some_claim(who) {
            self.send(who, FromPeer::ClaimUsed(ClaimUsed { claim_id }));
        }
    }

    fn withdraws(&mut self, who: usize) {
        if let Some(last) = self.nodes[who].rough.as_deref().and_then(|process| process.last.clone()) {
            self.send(who, FromPeer::Withdraw(Withdraw { request_id: last.request_id }));
        }
    }
}
