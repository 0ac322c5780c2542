//! What always holds for a worker's slot, whatever comes in whatever order.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use sleap_rtc_session::pool_line::{Cause, FirstTry};
use sleap_rtc_session::pool_worker::{Admission, Effect, Input, PoolWorker, Seen, Setup, Start};
use sleap_rtc_wire::claim::{ClaimEnded, ClaimGranted, EndReason};
use sleap_rtc_wire::signal::{Description, RegisteredAuth};
use sleap_rtc_wire::{ClaimId, Code, ErrorFrame, Fence, FromPeer, JobId, Metadata, PeerId, RoomId, Time, ToPeer};

/// One thing that the world may do to a worker. Small numbers, so that they meet.
#[derive(Clone, Debug)]
enum Step {
    Connected,
    ConnectFailed,
    Disconnected,
    Registered {
        claims: bool,
    },
    Refused,
    /// A fence so much higher than the last one; 3 below it for 0.
    Granted {
        claim: u8,
        jump: u64,
        client: u8,
        job: u8,
        attempt: u32,
    },
    Ended {
        claim: u8,
        superseded: bool,
    },
    FreeAt {
        job: u8,
        ms: u64,
    },
    Persisted {
        ok: bool,
    },
    Offer {
        client: u8,
        claim: Option<u8>,
        job: Option<u8>,
    },
    Answered {
        client: u8,
        ok: bool,
    },
    LinkClosed {
        client: u8,
    },
    Start {
        client: u8,
        claim: Option<u8>,
        job: u8,
    },
    /// By whom the last grant was for.
    StartGranted,
    /// Whatever keeps the worker from being registered passes.
    Back,
    JobOver {
        kept: bool,
    },
    Forget {
        job: u8,
    },
    Request {
        client: u8,
        job: u8,
    },
    Assignment {
        client: u8,
        job: u8,
    },
    Cancel {
        client: u8,
        job: u8,
    },
    Updated {
        ours: bool,
    },
    Conflict,
    Drain,
    Wait {
        ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (claim, client, job) = (0..6_u8, 0..3_u8, 0..4_u8);
    let some = |range: std::ops::Range<u8>| proptest::option::of(range);
    prop_oneof![
        1 => Just(Step::Connected),
        1 => Just(Step::ConnectFailed),
        1 => Just(Step::Disconnected),
        1 => any::<bool>().prop_map(|old| Step::Registered { claims: !old }),
        1 => Just(Step::Refused),
        8 => (claim.clone(), 0..3_u64, client.clone(), job.clone(), 1..3_u32)
            .prop_map(|(claim, jump, client, job, attempt)| Step::Granted { claim, jump, client, job, attempt }),
        2 => (job.clone(), 0..200_000_u64).prop_map(|(job, ms)| Step::FreeAt { job, ms }),
        6 => Just(Step::StartGranted),
        4 => Just(Step::Back),
        2 => (claim.clone(), any::<bool>()).prop_map(|(claim, superseded)| Step::Ended { claim, superseded }),
        6 => (0..10_u8).prop_map(|n| Step::Persisted { ok: n > 0 }),
        4 => (client.clone(), some(0..6), some(0..4))
            .prop_map(|(client, claim, job)| Step::Offer { client, claim, job }),
        3 => (client.clone(), any::<bool>()).prop_map(|(client, ok)| Step::Answered { client, ok }),
        1 => client.clone().prop_map(|client| Step::LinkClosed { client }),
        6 => (client.clone(), some(0..6), job.clone())
            .prop_map(|(client, claim, job)| Step::Start { client, claim, job }),
        3 => any::<bool>().prop_map(|kept| Step::JobOver { kept }),
        1 => job.clone().prop_map(|job| Step::Forget { job }),
        4 => (client.clone(), job.clone()).prop_map(|(client, job)| Step::Request { client, job }),
        3 => (client.clone(), job.clone()).prop_map(|(client, job)| Step::Assignment { client, job }),
        1 => (client, job).prop_map(|(client, job)| Step::Cancel { client, job }),
        4 => any::<bool>().prop_map(|ours| Step::Updated { ours }),
        1 => Just(Step::Conflict),
        1 => (0..40_u8).prop_map(|n| if n == 0 { Step::Drain } else { Step::Wait { ms: 1 } }),
        2 => (0..100_000_u64).prop_map(|ms| Step::Wait { ms }),
    ]
}

/// A worker and what an onlooker knows of it.
struct World {
    worker: PoolWorker,
    now: Time,
    /// Fences that are on disk.
    on_disk: BTreeSet<Fence>,
    to_write: Vec<Fence>,
    grants: Vec<ClaimGranted>,
    running: Option<JobId>,
    kept: BTreeSet<JobId>,
    last_started: Fence,
    /// What went to the disk last.
    seen: Seen,
    /// Whether this connection was told when the job is over.
    told_free_at: bool,
    last_request: Option<String>,
    /// Claims of which this connection heard `claim_used`, or `register` with a used claim.
    told_used: Option<ClaimId>,
    registered: bool,
    end: End,
}

#[derive(PartialEq)]
enum End {
    No,
    /// It has said that it goes for good.
    Leaving,
    Over,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn one_slot_never_has_two_jobs(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        world.come_back();
        for step in steps {
            world.take(&step);
        }
    }
}

impl World {
    fn new() -> Self {
        let now = Time(1_000_000);
        let setup = Setup {
            peer_id: peer(99),
            room_id: RoomId::new("room").unwrap(),
            token: Some(String::new()),
            metadata: Metadata::from(json!({"tags": ["sleap-rtc"]})),
            seen: Seen::new(Fence { epoch: 0, counter: 3 }),
            kept: Vec::new(),
            first: FirstTry::KeepTrying,
        };
        Self {
            worker: PoolWorker::new(setup, now),
            now,
            on_disk: BTreeSet::from([Fence { epoch: 0, counter: 3 }]),
            to_write: Vec::new(),
            grants: Vec::new(),
            running: None,
            kept: BTreeSet::new(),
            last_started: Fence { epoch: 0, counter: 3 },
            seen: Seen::default(),
            told_free_at: false,
            last_request: None,
            told_used: None,
            registered: false,
            end: End::No,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Start { client, claim, job } => {
                self.start(Start { client: peer(*client), job: name(*job), claim: claim.map(claim_id) });
            }
            Step::StartGranted => {
                if let Some(grant) = self.grants.last().cloned() {
                    let start = Start { client: grant.client, job: grant.job_id, claim: Some(grant.claim_id) };
                    self.start(start);
                }
            }
            Step::Back => self.come_back(),
            Step::JobOver { kept } => {
                if let Some(job) = self.running.take() {
                    if *kept {
                        self.kept.insert(job.clone());
                    }
                    self.input(Input::JobOver { job, kept: *kept });
                }
            }
            Step::Forget { job } => {
                self.kept.remove(&name(*job));
                self.input(Input::Forget(name(*job)));
            }
            Step::Persisted { ok } => {
                if let Some(fence) = self.to_write.pop() {
                    if *ok {
                        self.on_disk.insert(fence);
                        self.input(Input::FencePersisted(fence));
                    } else {
                        self.input(Input::FenceFailed { fence, cause: "full".into() });
                    }
                }
            }
            Step::Wait { ms } => {
                self.now = self.now.plus_ms(*ms);
                self.input(Input::Tick);
            }
            other => {
                if let Some(input) = self.plain(other) {
                    self.input(input);
                }
            }
        }
        assert_eq!(self.worker.job(), self.running.as_ref());
        assert!(self.worker.next_effect().is_none());
    }

    fn come_back(&mut self) {
        while !self.worker.is_registered() && self.end != End::Over {
            self.now = self.worker.next_timeout().map_or(self.now, |at| at.max(self.now));
            self.input(Input::Tick);
            self.input(Input::Connected { id_token: None });
            let registered = self.heard(&Step::Registered { claims: true }).unwrap();
            self.input(Input::Frame(registered));
        }
    }

    fn plain(&mut self, step: &Step) -> Option<Input> {
        Some(match step {
            Step::Connected => Input::Connected { id_token: None },
            Step::ConnectFailed => Input::ConnectFailed(Cause::Unreachable("refused".into())),
            Step::Disconnected => Input::Disconnected(Cause::Closed("reset".into())),
            Step::Answered { client, ok: true } => Input::Answered { to: peer(*client), sdp: "sdp".into() },
            Step::Answered { client, ok: false } => Input::AnswerFailed { to: peer(*client), cause: "no".into() },
            Step::LinkClosed { client } => Input::LinkClosed { peer: peer(*client) },
            Step::Drain => Input::Drain,
            Step::FreeAt { job, ms } => Input::FreeAt { job: name(*job), at: self.now.plus_ms(*ms) },
            other => Input::Frame(self.heard(other)?),
        })
    }

    fn heard(&mut self, step: &Step) -> Option<ToPeer> {
        Some(match step {
            Step::Registered { claims } => {
                let features: &[&str] = if *claims { &["claims/1"] } else { &[] };
                let frame: RegisteredAuth =
                    serde_json::from_value(json!({"room_id": "room", "peer_id": "p99", "features": features})).unwrap();
                ToPeer::RegisteredAuth(Box::new(frame))
            }
            Step::Refused => ToPeer::Error(ErrorFrame::new(Code::StoreUnavailable, "later")),
            Step::Granted { claim, jump, client, job, attempt } => {
                let last = self.grants.iter().map(|grant| grant.fence.counter).max().unwrap_or(3);
                let counter = if *jump == 0 { last.saturating_sub(3) } else { last + jump };
                let grant = ClaimGranted {
                    claim_id: claim_id(*claim),
                    fence: Fence { epoch: 0, counter },
                    client: peer(*client),
                    client_key: None,
                    job_id: name(*job),
                    attempt: *attempt,
                    lease_until: Time(0),
                };
                self.grants.push(grant.clone());
                ToPeer::ClaimGranted(grant)
            }
            Step::Ended { claim, superseded } => {
                let reason = if *superseded { EndReason::Superseded } else { EndReason::LeaseExpired };
                ToPeer::ClaimEnded(ClaimEnded { claim_id: claim_id(*claim), reason })
            }
            Step::Offer { client, claim, job } => ToPeer::Offer(Description {
                sender: peer(*client),
                target: peer(99),
                sdp: "sdp".into(),
                job_id: job.map(name),
                claim_id: claim.map(claim_id),
            }),
            Step::Request { client, job } => {
                message(*client, json!({"app_message_type": "job_request", "job_id": name(*job)}))
            }
            Step::Assignment { client, job } => {
                message(*client, json!({"app_message_type": "job_assignment", "job_id": name(*job)}))
            }
            Step::Cancel { client, job } => {
                message(*client, json!({"app_message_type": "job_cancel", "job_id": name(*job)}))
            }
            Step::Updated { ours } => ToPeer::MetadataUpdated {
                peer_id: peer(99),
                metadata: Metadata::from(json!({"properties": {"status": "reserved"}})),
                request_id: if *ours { self.last_request.clone() } else { Some("other".into()) },
            },
            Step::Conflict => {
                let mut error = ErrorFrame::new(Code::Conflict, "taken");
                error.request_id.clone_from(&self.last_request);
                ToPeer::Error(error)
            }
            _ => return None,
        })
    }

    fn input(&mut self, input: Input) {
        self.worker.handle(input, self.now, 7);
        self.drain();
    }

    fn start(&mut self, start: Start) {
        let outcome = self.worker.start(&start, self.now);
        if outcome.is_ok() {
            assert_eq!(self.running, None, "a second job");
            self.running = Some(start.job.clone());
            if let Some(claim) = start.claim {
                let grants = self.grants.iter().filter(|grant| grant.claim_id == claim && grant.job_id == start.job);
                let honoured = grants.filter(|grant| self.on_disk.contains(&grant.fence));
                let Some(grant) = honoured.max_by_key(|grant| grant.fence) else {
                    panic!("no grant for this job whose fence is on disk")
                };
                let fence = grant.fence;
                assert!(self.seen.attempt(&start.job) <= Some(grant.attempt), "an older attempt after a later one");
                assert!(fence > self.last_started, "an old claim runs again");
                self.last_started = fence;
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.worker.next_effect() {
            assert!(self.end != End::Over, "after the end: {effect:?}");
            match effect {
                Effect::Persist(seen) => {
                    let fence = seen.fence;
                    self.seen = seen;
                    assert!(self.on_disk.iter().max() < Some(&fence), "a fence that goes back");
                    self.to_write.push(fence);
                }
                Effect::Answer { admission, .. } => self.answer(&admission),
                Effect::Send(frame) => self.sent(&frame),
                Effect::Disconnect => (self.registered, self.told_used, self.told_free_at) = (false, None, false),
                Effect::Superseded { job } => assert_eq!(self.running, Some(job), "a job that does not run"),
                end @ (Effect::Leave | Effect::GiveUp(_)) => {
                    assert!(self.end != End::Leaving || end == Effect::Leave);
                    assert_eq!(self.running, None, "left a running job");
                    self.end = End::Over;
                }
                Effect::Connect { .. } | Effect::Withdraw { .. } | Effect::Report(_) => {}
            }
        }
    }

    fn answer(&self, admission: &Admission) {
        match admission {
            Admission::Claim(grant) => assert!(self.on_disk.contains(&grant.fence), "honoured before it is on disk"),
            Admission::Reattach(job) => {
                assert!(self.running.as_ref() == Some(job) || self.kept.contains(job), "a job that is not here");
            }
            Admission::Plain { .. } => assert_eq!(self.running, None, "a second job"),
        }
    }

    fn sent(&mut self, frame: &FromPeer) {
        match frame {
            FromPeer::Register(register) => {
                assert!(register.claims.len() <= 1);
                let used = register.claims.first().filter(|held| held.used_at.is_some());
                assert!(used.is_none() || self.running.is_some(), "holds a used claim without a job");
                self.told_used = used.map(|held| held.grant.claim_id.clone());
                self.registered = true;
                self.told_free_at = register.metadata.property("free_at").is_some_and(|at| !at.is_null());
                assert!(!self.told_free_at || self.running.is_some(), "an end of nothing");
            }
            FromPeer::Leave => {
                assert_eq!(self.running, None, "left a running job");
                self.end = End::Leaving;
            }
            FromPeer::ClaimUsed(used) => {
                assert!(self.told_used.is_none(), "two claims used at once");
                self.told_used = Some(used.claim_id.clone());
            }
            FromPeer::ClaimReleased(released) => {
                if self.told_used.as_ref() == Some(&released.claim_id) && self.running.is_none() {
                    self.told_used = None;
                }
            }
            FromPeer::UpdateMetadata(update) => {
                assert!(self.registered);
                if update.request_id.is_some() {
                    assert!(update.condition.is_some());
                    self.last_request.clone_from(&update.request_id);
                }
                if let Some(free_at) = update.metadata.property("free_at") {
                    assert!(free_at.is_null() == self.running.is_none(), "an end of nothing, or none while a job runs");
                    assert!(self.told_free_at || !free_at.is_null(), "taken back what was never said");
                    self.told_free_at = !free_at.is_null();
                }
                let status = update.metadata.property("status").and_then(|status| status.as_str());
                if status == Some("available") {
                    assert_eq!(self.running, None, "available while a job runs");
                    // A claim that the server ended meanwhile is not released again.
                    self.told_used = None;
                }
            }
            FromPeer::Relay(_) => assert!(self.registered),
            other => panic!("a worker never sends {other:?}"),
        }
    }
}

fn peer(n: u8) -> PeerId {
    PeerId::new(&format!("p{n}")).unwrap()
}

fn name(n: u8) -> JobId {
    JobId::new(&format!("j{n}")).unwrap()
}

fn claim_id(n: u8) -> ClaimId {
    ClaimId::new(&format!("c{n}")).unwrap()
}

fn message(from: u8, payload: serde_json::Value) -> ToPeer {
    ToPeer::PeerMessage { from_peer_id: peer(from), to_peer_id: peer(99), payload }
}
