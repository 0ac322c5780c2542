//! What always holds for a client's calls, whatever comes in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;
use sleap_rtc_session::pool_client::{CallId, ClaimRequest, Effect, Input, Offer, PoolClient, Setup};
use sleap_rtc_session::pool_line::{Cause, FirstTry};
use sleap_rtc_wire::claim::{ClaimEnded, Claimed, EndReason};
use sleap_rtc_wire::signal::{Description, RegisteredAuth};
use sleap_rtc_wire::{
    ClaimId, Code, ErrorFrame, Fence, Filters, FromPeer, JobId, Metadata, PeerId, RoomId, Time, ToPeer,
};

/// One thing that the user or the world may do.
#[derive(Clone, Debug)]
enum Step {
    Claim,
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
    /// The server answers the oldest open claim.
    Grant,
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
        4 => Just(Step::Claim),
        2 => Just(Step::Discover),
        4 => (0..2_u8, any::<bool>()).prop_map(|(worker, claimed)| Step::Offer { worker, claimed }),
        2 => (0..3_u8).prop_map(|back| Step::Abandon { back }),
        1 => Just(Step::Release),
        1 => any::<bool>().prop_map(Step::JobRuns),
        5 => Just(Step::Grant),
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
    /// Claims that the server heard of and has not answered, by request.
    asked: Vec<String>,
    granted: u64,
    /// Claims that the server gave and nobody gave back: whether the caller has it.
    given: BTreeMap<ClaimId, bool>,
    up: bool,
}

impl World {
    fn new() -> Self {
        let now = Time(1_000_000);
        let setup = Setup {
            peer_id: peer(99),
            room_id: RoomId::new("room").unwrap(),
            token: String::new(),
            metadata: Metadata::default(),
            first: FirstTry::KeepTrying,
        };
        let mut world = Self {
            client: PoolClient::new(setup, now),
            now,
            calls: 0,
            open: BTreeSet::new(),
            asked: Vec::new(),
            granted: 0,
            given: BTreeMap::new(),
            up: false,
        };
        world.come_back();
        world
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Claim => {
                let request = ClaimRequest {
                    filters: Filters::default(),
                    count: 1,
                    wait_ms: 0,
                    lease_ms: 1,
                    job_id: JobId::new("j").unwrap(),
                    attempt: 1,
                };
                self.call(|call| Input::Claim { call, request });
            }
            Step::Discover => self.call(|call| Input::Discover { call, filters: Filters::default(), absent: false }),
            Step::Offer { worker, claimed } => {
                let held = self.given.iter().find(|(_, held)| **held).map(|(claim, _)| claim.clone());
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
                if let Some(claim) = self.given.keys().next().cloned() {
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
                self.given.insert(claim_id.clone(), false);
                ToPeer::Claimed(Claimed {
                    request_id: self.asked.remove(0),
                    claim_id,
                    fence: Fence { epoch: 1, counter: self.granted },
                    worker: peer(0),
                    worker_key: None,
                    lease_until: Time(0),
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
                error.request_id = self.asked.first().cloned().filter(|_| *named);
                ToPeer::Error(error)
            }
            Step::Ended => {
                let Some((claim_id, _)) = self.given.pop_first() else { return };
                ToPeer::ClaimEnded(ClaimEnded { claim_id, reason: EndReason::LeaseExpired })
            }
            _ => return,
        };
        self.input(Input::Frame(frame));
        // Nobody has it and it was not given back: it would stand idle for the whole lease.
        assert!(self.given.values().all(|held| *held), "a claim that nobody holds: {:?}", self.given);
    }

    /// Time passes and nothing comes any more: then every call has its answer.
    fn end(&mut self) {
        for _ in 0..200 {
            self.now = self.now.plus_ms(10_000);
            self.input(Input::Tick);
        }
        assert_eq!(self.open, BTreeSet::new());
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
                    for claimed in outcome.unwrap_or_default() {
                        self.given.insert(claimed.claim_id, true);
                    }
                }
                Effect::DiscoverDone { call, .. } | Effect::OfferDone { call, .. } => {
                    assert!(self.open.remove(&call), "two answers, or one to nobody");
                }
                Effect::Send(FromPeer::Claim(claim)) => self.asked.push(claim.request_id),
                Effect::Send(FromPeer::Release(release)) => {
                    assert!(self.given.remove(&release.claim_id).is_some(), "released twice");
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

fn peer(n: u8) -> PeerId {
    PeerId::new(&format!("p{n}")).unwrap()
}
