//! What always holds for a client's calls, whatever comes in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;
use sleap_rtc_session::pool_client::{CallId, ClaimRequest, Effect, Input, Offer, PoolClient, Setup};
use sleap_rtc_session::pool_line::{Cause, FirstTry};
use sleap_rtc_wire::claim::{Claim, ClaimEnded, ClaimWaiting, Claimed, EndReason, Reason, Seat, Workers};
use sleap_rtc_wire::signal::{Description, RegisteredAuth};
use sleap_rtc_wire::{
    ClaimId, Code, ErrorFrame, Fence, Filters, FromPeer, JobId, Metadata, PeerId, RoomId, Time, ToPeer,
};

/// One thing that the user or the world may do.
#[derive(Clone, Debug)]
enum Step {
    Claim {
        wait_ms: u64,
        count: u32,
    },
    Discover,
    Offer {
        worker: u8,
        claimed: bool,
    },
    Abandon {
        back: u8,
    },
    Release,
    JobRuns(bool),
    /// The server gives a worker to the oldest open claim.
    Grant,
    /// The server tells the oldest open claim its place.
    Line,
    /// The server starts anew and forgets every claim that nobody has used.
    Restart,
    Peers,
    Answer {
        worker: u8,
    },
    Error {
        code: u8,
        named: bool,
    },
    Ended,
    Back,
    Disconnected,
    Refused,
    Wait {
        ms: u64,
    },
    Leave,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_u64, 1..4_u32).prop_map(|(wait, count)| Step::Claim { wait_ms: wait * 600_000, count }),
        2 => Just(Step::Discover),
        4 => (0..2_u8, any::<bool>()).prop_map(|(worker, claimed)| Step::Offer { worker, claimed }),
        2 => (0..3_u8).prop_map(|back| Step::Abandon { back }),
        1 => Just(Step::Release),
        1 => any::<bool>().prop_map(Step::JobRuns),
        8 => Just(Step::Grant),
        3 => Just(Step::Line),
        2 => Just(Step::Restart),
        2 => Just(Step::Peers),
        3 => (0..2_u8).prop_map(|worker| Step::Answer { worker }),
        2 => (0..3_u8, any::<bool>()).prop_map(|(code, named)| Step::Error { code, named }),
        1 => Just(Step::Ended),
        4 => Just(Step::Back),
        1 => Just(Step::Disconnected),
        1 => Just(Step::Refused),
        2 => (0..20_000_u64).prop_map(|ms| Step::Wait { ms }),
        1 => (0..10_u8).prop_map(|n| if n == 0 { Step::Leave } else { Step::Back }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn each_call_has_one_answer_and_no_claim_is_lost(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in steps {
            world.take(&step);
        }
        world.end();
    }
}

struct World {
    client: PoolClient,
    now: Time,
    calls: u64,
    /// Calls without an answer yet.
    open: BTreeSet<CallId>,
    /// Claims that the server heard of on this connection and has not answered.
    asked: Vec<Claim>,
    /// When each was asked for first, and with what.
    first: BTreeMap<String, (Time, Claim)>,
    seats: BTreeMap<String, Seat>,
    granted: u64,
    /// Claims that the server gave and nobody gave back, by their request.
    given: BTreeMap<ClaimId, String>,
    /// Those of them that a caller has.
    held: BTreeSet<ClaimId>,
    forgotten: BTreeSet<ClaimId>,
    /// What the server tells again.
    retold: Vec<ToPeer>,
    up: bool,
}

impl World {
    fn new() -> Self {
        let now = Time(1_000_000);
        let setup = Setup {
            peer_id: peer(99),
            room_id: RoomId::new("room").unwrap(),
            token: Some(String::new()),
            metadata: Metadata::default(),
            first: FirstTry::KeepTrying,
        };
        let mut world = Self {
            client: PoolClient::new(setup, now),
            now,
            calls: 0,
            open: BTreeSet::new(),
            asked: Vec::new(),
            first: BTreeMap::new(),
            seats: BTreeMap::new(),
            granted: 0,
            given: BTreeMap::new(),
            held: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            retold: Vec::new(),
            up: false,
        };
        world.come_back();
        world
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Claim { wait_ms, count } => {
                let request = ClaimRequest {
                    filters: Filters::default(),
                    count: *count,
                    wait_ms: *wait_ms,
                    lease_ms: 1,
                    job_id: JobId::new("j").unwrap(),
                    attempt: 1,
                };
                self.call(|call| Input::Claim { call, request });
            }
            Step::Discover => self.call(|call| Input::Discover { call, filters: Filters::default(), absent: false }),
            Step::Offer { worker, claimed } => {
                let held = self.held.first().cloned();
                let offer =
                    Offer { worker: peer(*worker), sdp: "sdp".to_owned(), claim: held.filter(|_| *claimed), job: None };
                self.call(|call| Input::Offer { call, offer });
            }
            Step::Abandon { back } => {
                if let Some(call) = self.calls.checked_sub(u64::from(*back)).map(CallId) {
                    self.open.remove(&call);
                    self.input(Input::Abandon { call });
                }
            }
            Step::Release => {
                if let Some(claim) = self.held.first().cloned() {
                    self.input(Input::Release { claim });
                }
            }
            Step::JobRuns(runs) => self.input(Input::JobRuns(*runs)),
            Step::Back => self.come_back(),
            Step::Disconnected => self.input(Input::Disconnected(Cause::Closed("reset".into()))),
            Step::Refused => {
                let cause = Cause::Refused { code: Code::RoomNotFound, text: "Room not found".to_owned() };
                self.input(Input::ConnectFailed(cause));
            }
            Step::Wait { ms } => {
                self.now = self.now.plus_ms(*ms);
                self.input(Input::Tick);
            }
            Step::Restart => {
                self.input(Input::Disconnected(Cause::Closed("reset".to_owned())));
                let unused = self.given.keys().filter(|claim| !self.held.contains(*claim)).cloned();
                self.forgotten.extend(unused);
                self.given.retain(|claim, _| self.held.contains(claim));
            }
            Step::Leave => self.input(Input::Leave),
            heard if self.up => self.hear(heard),
            _ => {}
        }
    }

    fn hear(&mut self, step: &Step) {
        let frame = match step {
            Step::Grant if !self.asked.is_empty() => {
                self.granted += 1;
                let claim_id = ClaimId::new(&format!("c{}", self.granted)).unwrap();
                let request_id = self.asked[0].request_id.clone();
                self.given.insert(claim_id.clone(), request_id.clone());
                let given = self.given.values().filter(|of| **of == request_id).count();
                if given >= self.asked[0].count as usize {
                    self.asked.remove(0);
                }
                claimed(&request_id, claim_id, self.granted)
            }
            Step::Line => {
                let Some(claim) = self.asked.first().filter(|claim| claim.wait_ms > 0) else { return };
                let seat = Seat { asked_at: self.now, until: self.now, proof: String::new() };
                self.seats.insert(claim.request_id.clone(), seat.clone());
                ToPeer::ClaimWaiting(ClaimWaiting {
                    request_id: claim.request_id.clone(),
                    place: 1,
                    reason: Reason::AllMatchingBusy,
                    workers: Workers::default(),
                    estimate_ms: None,
                    seat: Some(seat),
                })
            }
            Step::Peers => {
                ToPeer::PeerList { to_peer_id: peer(99), peers: Vec::new(), count: 0, total: None, absent: Vec::new() }
            }
            Step::Answer { worker } => ToPeer::Answer(Description {
                sender: peer(*worker),
                target: peer(99),
                sdp: "sdp".to_owned(),
                job_id: None,
                claim_id: None,
            }),
            Step::Error { code, named } => {
                let code = [Code::WorkerBusy, Code::PeerNotFound, Code::RateLimited][usize::from(*code)];
                let mut error = ErrorFrame::new(code, "no");
                error.request_id = self.asked.first().map(|claim| claim.request_id.clone()).filter(|_| *named);
                ToPeer::Error(error)
            }
            Step::Ended => {
                let Some((claim_id, _)) = self.given.pop_first() else { return };
                self.held.remove(&claim_id);
                ToPeer::ClaimEnded(ClaimEnded { claim_id, reason: EndReason::LeaseExpired })
            }
            _ => return,
        };
        self.input(Input::Frame(frame));
        self.look();
    }

    /// Time passes and nothing comes any more: then every call has its answer.
    fn end(&mut self) {
        for _ in 0..200 {
            self.now = self.now.plus_ms(10_000);
            self.input(Input::Tick);
        }
        assert_eq!(self.open, BTreeSet::new());
        self.come_back();
        if self.up {
            self.look();
        }
    }

    /// What nobody holds and no open call waits for is given back: it would stand idle for the whole lease.
    fn look(&self) {
        for (claim, of) in &self.given {
            let waits = self.open.iter().any(|call| *of == format!("r{}", call.0));
            assert!(self.held.contains(claim) || waits, "a claim that nobody holds: {claim}");
        }
    }

    /// A claim is asked for again as it was first, with its place, and for no longer than was wanted.
    fn ask(&mut self, claim: Claim) {
        let (first, as_first) = self.first.entry(claim.request_id.clone()).or_insert((self.now, claim.clone())).clone();
        let wait_ms = as_first.wait_ms.saturating_sub(self.now.since(first));
        let seat = self.seats.get(&claim.request_id).cloned();
        assert_eq!(claim, Claim { wait_ms, seat, ..as_first });
        // The same request again, while its claims are unused, gets the same claims.
        let again: Vec<_> = self.given.iter().filter(|(_, of)| **of == claim.request_id).collect();
        let frames: Vec<_> = again.into_iter().map(|(id, of)| claimed(of, id.clone(), 1)).collect();
        if frames.len() < claim.count as usize {
            self.asked.push(claim);
        }
        self.retold.extend(frames);
    }

    fn come_back(&mut self) {
        if self.up {
            return;
        }
        self.now = self.client.next_timeout().map_or(self.now, |at| at.max(self.now));
        self.input(Input::Tick);
        self.input(Input::Connected { id_token: None });
        let frame: RegisteredAuth =
            serde_json::from_value(json!({"room_id": "room", "peer_id": "p99", "features": ["claims/1"]})).unwrap();
        self.input(Input::Frame(ToPeer::RegisteredAuth(Box::new(frame))));
        self.up = self.client.is_registered();
        for frame in std::mem::take(&mut self.retold) {
            self.input(Input::Frame(frame));
        }
    }

    fn call(&mut self, input: impl FnOnce(CallId) -> Input) {
        self.calls += 1;
        let call = CallId(self.calls);
        self.open.insert(call);
        self.input(input(call));
    }

    fn input(&mut self, input: Input) {
        self.client.handle(input, self.now, 3);
        while let Some(effect) = self.client.next_effect() {
            match effect {
                Effect::ClaimDone { call, outcome } => {
                    assert!(self.open.remove(&call), "two answers, or one to nobody");
                    let claims: BTreeSet<_> = outcome.into_iter().flatten().map(|claimed| claimed.claim_id).collect();
                    if let Some((_, first)) = self.first.get(&format!("r{}", call.0)) {
                        assert!(claims.is_empty() || claims.len() == first.count as usize, "some, not all");
                    }
                    let known = claims.iter().all(|claim| self.given.contains_key(claim));
                    assert!(known, "claims that the server has forgotten: {claims:?}");
                    self.held.extend(claims);
                }
                Effect::DiscoverDone { call, .. } | Effect::OfferDone { call, .. } => {
                    assert!(self.open.remove(&call), "two answers, or one to nobody");
                }
                Effect::Send(FromPeer::Claim(claim)) => self.ask(claim),
                // A grant may cross it: the server answers all the same.
                Effect::Send(FromPeer::Withdraw(withdraw)) => {
                    assert!(self.first.contains_key(&withdraw.request_id), "was never asked for");
                }
                Effect::Send(FromPeer::Release(release)) => {
                    let given = self.given.remove(&release.claim_id).is_some();
                    assert!(given || self.forgotten.remove(&release.claim_id), "released twice");
                    self.held.remove(&release.claim_id);
                }
                Effect::Disconnect => {
                    self.up = false;
                    self.asked.clear();
                }
                Effect::Send(_) | Effect::Connect { .. } | Effect::Report(_) | Effect::GiveUp(_) => {}
            }
        }
    }
}

fn claimed(request_id: &str, claim_id: ClaimId, counter: u64) -> ToPeer {
    ToPeer::Claimed(Claimed {
        request_id: request_id.to_owned(),
        claim_id,
        fence: Fence { epoch: 1, counter },
        worker: peer(0),
        worker_key: None,
        lease_until: Time(0),
    })
}

fn peer(n: u8) -> PeerId {
    PeerId::new(&format!("p{n}")).unwrap()
}
