//! The programs that laboratories have today, as they behave: a worker that answers every offer, says `reserved` when it reads one, says
//! `available` on each new connection whatever is true, registers again when its client has gone, and may never notice that; and a
//! client that takes its user's name, asks who is available, offers, and does not come back.

use serde_json::{Value, json};
use sleap_rtc_room::Call;
use sleap_rtc_wire::signal::{Discover, Register, RelayKind, UpdateMetadata};
use sleap_rtc_wire::{Filters, FromPeer, PeerId, Text, ToPeer};

use crate::event::Event;
use crate::plan::Kind;
use crate::world::World;

/// How long a client waits for an answer, ms.
const ANSWER_MS: u64 = 30_000;

/// What such a program does next.
#[derive(Clone, Debug)]
pub(crate) enum Next {
    Connect,
    /// Worker: the answer to this offer is made.
    Answer(PeerId),
    /// Worker: the link to this client is gone.
    Linkless(PeerId),
    /// Worker: the next report of the job; the last one if so many are left.
    Report(u32),
    /// Client: who is there?
    Look,
    /// Client: no answer to this offer.
    GiveUp(u32),
    /// Client: the same worker once more.
    OfferAgain,
    /// The user has what it wants.
    End,
}

/// A run of such a program.
#[derive(Debug, Default)]
pub(crate) struct Process {
    registered: bool,
    /// Worker: the client that it answered last, as it calls itself.
    guest: Option<PeerId>,
    /// Worker: the job that it runs for somebody who watches through the server.
    job: Option<String>,
    /// Client: workers that it has seen.
    met: Vec<PeerId>,
    /// Client: whom it has made an offer.
    asked: Option<PeerId>,
    answered: bool,
    offers: u32,
}

impl World {
    pub(crate) fn start_old(&mut self, who: usize) {
        self.nodes[who].old = Some(Box::default());
        self.connect(who, false);
    }

    fn old_later(&mut self, who: usize, low: u64, high: u64, next: Next) {
        let at = self.now + self.random.between(low, high);
        let life = self.nodes[who].life;
        self.queue.push(at, Event::Old { who, life, next });
    }

    fn is_old_worker(&self, who: usize) -> bool {
        self.nodes[who].kind == Kind::OldWorker
    }

    /// On a new connection, or again on the one that it has.
    pub(crate) fn old_registers(&mut self, who: usize) {
        let place = &self.places[self.nodes[who].room];
        let (room_id, token) = (Some(place.id.clone()), Some(place.token.clone()));
        let properties = if self.is_old_worker(who) { json!({"status": "available"}) } else { json!({}) };
        let role = if self.is_old_worker(who) { "worker" } else { "client" };
        let register = Register {
            peer_id: Some(self.peer_id(who)),
            role: role.to_owned(),
            metadata: json!({"tags": ["sleap-rtc"], "properties": properties}).into(),
            room_id,
            token,
            id_token: Some(self.id_token(who)),
            ..Register::default()
        };
        self.send(who, FromPeer::Register(Box::new(register)));
    }

    pub(crate) fn old_lost(&mut self, who: usize) {
        if let Some(process) = self.nodes[who].old.as_deref_mut() {
            process.registered = false;
        }
        if self.is_old_worker(who) && !self.over {
            return self.old_later(who, 500, 10_000, Next::Connect);
        }
        self.old_ends(who);
    }

    fn old_ends(&mut self, who: usize) {
        self.end_process(who);
        let at = self.now + self.random.between(1_000, 60_000);
        self.queue.push(at, Event::Start { who });
    }

    pub(crate) fn old_hears(&mut self, who: usize, frame: ToPeer) {
        match frame {
            ToPeer::RegisteredAuth(_) => self.old_is_in(who),
            ToPeer::Relayed(text) => self.old_reads(who, &text),
            ToPeer::PeerList { peers, .. } if !self.is_old_worker(who) => {
                let found: Vec<PeerId> = peers.into_iter().map(|peer| peer.peer_id).collect();
                self.old_chooses(who, &found);
            }
            ToPeer::Error(_) => self.old_is_refused(who),
            _ => {}
        }
    }

    fn old_is_in(&mut self, who: usize) {
        let Some(process) = self.nodes[who].old.as_deref_mut() else { return };
        let is_first = !std::mem::replace(&mut process.registered, true);
        if !self.is_old_worker(who) && is_first {
            self.old_later(who, 100, 20_000, Next::Look);
        }
    }

    /// A worker only logs it; a client gives the worker up, or itself if it did not even get in.
    fn old_is_refused(&mut self, who: usize) {
        let is_client = self.nodes[who].kind == Kind::OldClient;
        let Some(process) = self.nodes[who].old.as_deref_mut() else { return };
        if !process.registered {
            self.disconnect(who);
            return self.old_ends(who);
        }
        if is_client {
            process.asked = None;
            self.old_later(who, 500, 10_000, Next::Look);
        }
    }

    fn old_reads(&mut self, who: usize, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let sender = frame["sender"].as_str().and_then(|id| PeerId::new(id).ok());
        match (frame["type"].as_str(), sender) {
            (Some("offer"), Some(sender)) if self.is_old_worker(who) => {
                self.old_says(who, "reserved");
                // Sometimes it fails over the offer, sometimes it takes long.
                match self.random.below(10) {
                    0 => {}
                    1 => self.old_later(who, ANSWER_MS, ANSWER_MS + 20_000, Next::Answer(sender)),
                    _ => self.old_later(who, 10, 6_000, Next::Answer(sender)),
                }
            }
            (Some("job_assigned"), _) if self.is_old_worker(who) => {
                let Some(process) = self.nodes[who].old.as_deref_mut() else { return };
                process.job = frame["job_id"].as_str().map(str::to_owned);
                if self.random.below(8) > 0 {
                    self.old_reports(who, &json!({"status": "accepted"}));
                    let parts = self.random.between(0, 6) as u32;
                    self.old_later(who, 500, 60_000, Next::Report(parts));
                }
            }
            (Some("answer"), Some(sender)) => {
                let Some(process) = self.nodes[who].old.as_deref_mut() else { return };
                if process.asked.as_ref() == Some(&sender) {
                    process.answered = true;
                    let next = if self.random.one_in(5) { Next::OfferAgain } else { Next::End };
                    self.old_later(who, 1_000, 240_000, next);
                }
            }
            _ => {}
        }
    }

    fn old_says(&mut self, who: usize, status: &str) {
        let peer_id = self.peer_id(who);
        let metadata = json!({"properties": {"status": status}}).into();
        self.send(
            who,
            FromPeer::UpdateMetadata(UpdateMetadata { peer_id, metadata, condition: None, request_id: None }),
        );
    }

    fn old_reports(&mut self, who: usize, report: &Value) {
        let Some(job) = self.nodes[who].old.as_deref().and_then(|process| process.job.clone()) else { return };
        let mut report = report.clone();
        report["type"] = "job_status".into();
        report["job_id"] = job.into();
        if let Ok(frame) = FromPeer::decode(&Text::from(report.to_string())) {
            self.send(who, frame);
        }
    }

    /// Takes one of those who are there, or one that it remembers.
    fn old_chooses(&mut self, who: usize, found: &[PeerId]) {
        let remembers = self.random.one_in(3);
        let Some(process) = self.nodes[who].old.as_deref_mut().filter(|process| process.asked.is_none()) else {
            return;
        };
        process.met.extend(found.iter().filter(|id| id.as_str().starts_with("old")).cloned());
        process.met.sort_unstable();
        process.met.dedup();
        let chosen = if remembers { process.met.last() } else { found.first() };
        process.asked = chosen.cloned();
        if chosen.is_none() {
            return self.old_later(who, 2_000, 20_000, Next::Look);
        }
        self.old_offers(who);
    }

    fn old_offers(&mut self, who: usize) {
        let me = self.peer_id(who);
        let Some(process) = self.nodes[who].old.as_deref_mut() else { return };
        let Some(worker) = process.asked.clone() else { return };
        process.offers += 1;
        let offer = process.offers;
        self.send(who, FromPeer::description(RelayKind::Offer, &me, &worker, "v=0", serde_json::Map::new()));
        self.old_later(who, ANSWER_MS, ANSWER_MS, Next::GiveUp(offer));
    }

    pub(crate) fn old_does(&mut self, who: usize, life: u32, next: Next) -> bool {
        if self.nodes[who].life != life {
            return false;
        }
        let me = self.peer_id(who);
        let Some(process) = self.nodes[who].old.as_deref_mut() else { return false };
        match next {
            Next::Connect => self.connect(who, false),
            Next::Answer(client) => {
                process.guest = Some(client.clone());
                self.send(who, FromPeer::description(RelayKind::Answer, &me, &client, "v=0", serde_json::Map::new()));
                // Sometimes it never notices.
                if self.random.below(5) > 0 {
                    self.old_later(who, 1_000, 240_000, Next::Linkless(client));
                }
            }
            Next::Linkless(client) => {
                if process.guest.as_ref() == Some(&client) && process.registered {
                    process.guest = None;
                    self.old_registers(who);
                }
            }
            Next::Report(left) => self.old_gets_on(who, left),
            Next::Look => {
                let filters = json!({"role": "worker", "properties": {"status": "available"}, "tags": ["sleap-rtc"]});
                let filters = Filters::parse(filters).unwrap_or_default();
                self.send(who, FromPeer::DiscoverPeers(Discover { from_peer_id: me, filters, absent: false }));
            }
            Next::GiveUp(offer) => {
                if process.offers == offer && !process.answered {
                    process.asked = None;
                    self.old_later(who, 100, 5_000, Next::Look);
                }
            }
            Next::OfferAgain => {
                self.old_offers(who);
                self.old_later(who, 1_000, 120_000, Next::End);
            }
            Next::End => {
                self.disconnect(who);
                self.old_ends(who);
            }
        }
        true
    }

    /// A training job ends in parts.
    fn old_gets_on(&mut self, who: usize, left: u32) {
        let report = match left {
            0 if self.random.one_in(2) => json!({"status": "complete"}),
            0 => json!({"status": "failed", "stage": "inference"}),
            3 => json!({"status": "complete"}),
            _ => json!({"status": "running", "message": "Epoch 1"}),
        };
        self.old_reports(who, &report);
        if left > 0 {
            self.old_later(who, 100, if left == 3 { 9_000 } else { 90_000 }, Next::Report(left - 1));
        }
    }

    /// Somebody who watches through the server gives a job to one of the old workers in a room.
    pub(crate) fn assign(&mut self, who: usize) {
        let room = self.nodes[who].room;
        let is_meant = |one: &usize| self.nodes[*one].room == room && self.is_old_worker(*one);
        let workers: Vec<usize> = (0..self.nodes.len()).filter(is_meant).collect();
        if workers.is_empty() {
            return;
        }
        let worker = *self.random.pick(&workers);
        let (worker, job_id) = (self.peer_id(worker), format!("job_{}", self.steps));
        let text = Text::from(json!({"type": "job_assigned", "job_id": job_id}).to_string());
        self.call(room, Call::Assign { worker, job_id, text });
    }
}
