//! A worker's half of the signaling, told as a conversation with the server.

use serde_json::{Value, json};
use sleap_rtc_session::pool_line::{Cause, FirstTry, REGISTER_MS, SILENCE_MS};
use sleap_rtc_session::pool_worker::{
    ASSIGN_MS, Admission, Effect, Fact, Input, PoolWorker, Seen, Setup, Start, StartRefused,
};
use sleap_rtc_wire::claim::{ClaimEnded, ClaimGranted, EndReason, HeldState};
use sleap_rtc_wire::signal::{Description, RegisteredAuth};
use sleap_rtc_wire::{ClaimId, Code, ErrorFrame, Fence, FromPeer, JobId, Metadata, PeerId, RoomId, Time, ToPeer};

#[test]
fn registers_with_tags_status_features_and_no_claims() {
    let mut worker = Worker::new();
    worker.tick();
    assert_eq!(worker.effects(), [Effect::Connect { fresh: false }]);
    worker.input(Input::Connected { id_token: Some("idt".into()) });
    let register = worker.registers();
    assert_eq!(register["peer_id"], "gpu1");
    assert_eq!(register["role"], "worker");
    assert_eq!(register["room_id"], "room1");
    assert_eq!(register["token"], "pass");
    assert_eq!(register["id_token"], "idt");
    assert_eq!(register["features"], json!(["claims/1"]));
    assert_eq!(register["metadata"]["tags"], json!(["sleap-rtc"]));
    assert_eq!(register["metadata"]["properties"]["status"], "available");
    assert!(register.get("claims").is_none());
    worker.frame(registered(true));
    assert!(worker.worker.is_registered());
}

#[test]
fn a_grant_is_honoured_only_after_its_fence_is_on_disk() {
    let mut worker = Worker::up();
    worker.frame(ToPeer::ClaimGranted(grant("c1", 7)));
    assert_eq!(worker.persists(), fence(7));
    worker.frame(offer("ada", Some("c1"), Some("j1")));
    assert_eq!(worker.effects(), []);
    assert_eq!(worker.start("c1"), Err(StartRefused::NotExpected));
    worker.input(Input::FencePersisted(fence(7)));
    let answer =
        Effect::Answer { from: peer("ada"), sdp: "offer-ada".into(), admission: Admission::Claim(grant("c1", 7)) };
    assert_eq!(worker.acts(), [answer]);
    worker.input(Input::Answered { to: peer("ada"), sdp: "sdp".into() });
    let sent = worker.sent();
    assert_eq!(sent[0]["type"], "answer");
    assert_eq!(
        (&sent[0]["sender"], &sent[0]["target"], &sent[0]["sdp"]),
        (&json!("gpu1"), &json!("ada"), &json!("sdp"))
    );
    assert_eq!(worker.start("c1"), Ok(()));
    assert_eq!(worker.sent(), [json!({"type": "claim_used", "claim_id": "c1"})]);
    worker.input(Input::JobOver { job: job("j1"), kept: true });
    assert_eq!(worker.sent(), [json!({"type": "claim_released", "claim_id": "c1"})]);
}

#[test]
fn a_fence_that_is_not_higher_is_refused() {
    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.frame(ToPeer::ClaimEnded(ended("c1", EndReason::LeaseExpired)));
    worker.effects();
    for counter in [5, 7] {
        worker.frame(ToPeer::ClaimGranted(grant("stale", counter)));
        assert_eq!(worker.sent(), [json!({"type": "claim_released", "claim_id": "stale"})]);
    }
    worker.frame(ToPeer::ClaimGranted(grant("c2", 8)));
    assert_eq!(worker.persists(), fence(8));
}

#[test]
fn the_highest_fence_of_an_earlier_run_counts() {
    let mut worker = Worker::with(|setup| setup.seen = Seen::new(Fence { epoch: 3, counter: 9 }));
    worker.register(true);
    worker.frame(ToPeer::ClaimGranted(grant("old", 100)));
    assert_eq!(worker.sent(), [json!({"type": "claim_released", "claim_id": "old"})]);
}

#[test]
fn a_fence_that_cannot_be_written_gives_the_claim_back() {
    let mut worker = Worker::up();
    worker.frame(ToPeer::ClaimGranted(grant("c1", 7)));
    worker.effects();
    worker.input(Input::FenceFailed { fence: fence(7), cause: "disk full".into() });
    assert_eq!(worker.sent(), [json!({"type": "claim_released", "claim_id": "c1"})]);
    assert_eq!(worker.start("c1"), Err(StartRefused::NotExpected));
}

#[test]
fn an_ended_claim_is_forgotten_unless_its_job_runs() {
    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.frame(ToPeer::ClaimEnded(ended("c1", EndReason::Released)));
    assert_eq!(worker.acts(), [Effect::Withdraw { from: peer("ada"), job: Some(job("j1")) }]);
    assert_eq!(worker.start("c1"), Err(StartRefused::NotExpected));

    worker.lease("c2", 8);
    assert_eq!(worker.start("c2"), Ok(()));
    worker.effects();
    worker.frame(ToPeer::ClaimEnded(ended("c2", EndReason::LeaseExpired)));
    assert_eq!(worker.worker.job(), Some(&job("j1")));
    let sent = worker.sent();
    assert_eq!(sent[0]["metadata"]["properties"]["status"], "busy");
    assert_eq!(sent[0]["metadata"]["properties"]["current_job_id"], "j1");
    worker.frame(ToPeer::ClaimGranted(grant("c3", 9)));
    assert_eq!(worker.sent(), [json!({"type": "claim_released", "claim_id": "c3"})]);
    worker.input(Input::JobOver { job: job("j1"), kept: false });
    let sent = worker.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["metadata"]["properties"]["status"], "available");
}

#[test]
fn a_running_job_survives_the_server_and_is_told_in_the_next_register() {
    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.start("c1").unwrap();
    worker.effects();
    worker.now = worker.now.plus_ms(100_000);
    worker.input(Input::Disconnected(Cause::Closed("reset".into())));
    let effects = worker.effects();
    assert_eq!(effects[0], Effect::Disconnect);
    assert!(matches!(&effects[1], Effect::Report(Fact::Away { retry_in_ms: 500..=1000, .. })), "{effects:?}");
    for _ in 0..20 {
        worker.sleep();
        assert_eq!(worker.effects(), [Effect::Connect { fresh: false }]);
        worker.input(Input::ConnectFailed(Cause::Unreachable("refused".into())));
        worker.effects();
    }
    worker.sleep();
    worker.effects();
    worker.input(Input::Connected { id_token: None });
    let register = worker.registers();
    assert_eq!(register["metadata"]["properties"]["status"], "busy");
    let held = &register["claims"][0];
    assert_eq!((&held["claim_id"], &held["fence"]), (&json!("c1"), &json!([1, 7])));
    assert_eq!(held["state"], serde_json::to_value(HeldState::Used).unwrap());
    assert!(held["used_at"].is_u64());
    worker.frame(registered(true));
    assert_eq!(worker.sent(), Vec::<Value>::new());
    // The room speaks for the claim; our own word is put right before the claim goes.
    worker.input(Input::JobOver { job: job("j1"), kept: false });
    let sent = worker.sent();
    assert_eq!(sent[0]["metadata"]["properties"]["status"], "available");
    assert_eq!(sent[1]["type"], "claim_released");
}

#[test]
fn a_job_that_ends_while_the_server_is_away_is_not_held_any_more() {
    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.start("c1").unwrap();
    worker.input(Input::Disconnected(Cause::Closed("reset".into())));
    worker.input(Input::JobOver { job: job("j1"), kept: true });
    worker.effects();
    worker.sleep();
    worker.effects();
    worker.input(Input::Connected { id_token: None });
    let register = worker.registers();
    assert!(register.get("claims").is_none());
    assert_eq!(register["metadata"]["properties"]["status"], "available");
}

#[test]
fn a_silent_server_is_left_though_the_socket_lives() {
    let mut worker = Worker::up();
    worker.now = worker.now.plus_ms(SILENCE_MS - 1);
    worker.frame(ToPeer::Ping);
    worker.now = worker.now.plus_ms(SILENCE_MS - 1);
    worker.tick();
    assert_eq!(worker.effects(), []);
    worker.now = worker.now.plus_ms(1);
    worker.tick();
    let effects = worker.effects();
    assert_eq!(effects[0], Effect::Disconnect);
    assert!(matches!(&effects[1], Effect::Report(Fact::Away { cause: Cause::Silent, .. })));
}

#[test]
fn a_server_that_does_not_answer_register_is_left() {
    let mut worker = Worker::new();
    worker.tick();
    worker.input(Input::Connected { id_token: None });
    worker.effects();
    worker.now = worker.now.plus_ms(REGISTER_MS);
    worker.tick();
    assert_eq!(worker.effects()[0], Effect::Disconnect);
}

#[test]
fn a_refused_credential_is_renewed_once_a_refused_room_is_final() {
    let mut worker = Worker::new();
    worker.tick();
    worker.input(Input::Connected { id_token: Some("stale".into()) });
    worker.effects();
    worker.frame(ToPeer::Error(ErrorFrame::new(Code::AuthFailed, "Invalid token")));
    worker.effects();
    worker.tick();
    assert_eq!(worker.effects(), [Effect::Connect { fresh: true }]);
    worker.input(Input::Connected { id_token: Some("fresh".into()) });
    worker.effects();
    worker.frame(ToPeer::Error(ErrorFrame::new(Code::AuthFailed, "Invalid token")));
    let cause = Cause::Refused { code: Code::AuthFailed, text: "Invalid token".into() };
    assert_eq!(worker.effects(), [Effect::Disconnect, Effect::GiveUp(cause)]);
    assert_eq!(worker.worker.next_timeout(), None);
}

#[test]
fn a_room_that_is_gone_does_not_end_a_running_job() {
    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.start("c1").unwrap();
    worker.input(Input::Disconnected(Cause::Closed("reset".into())));
    let refuse = |worker: &mut Worker| {
        worker.sleep();
        worker.input(Input::Connected { id_token: None });
        worker.effects();
        worker.frame(ToPeer::Error(ErrorFrame::new(Code::RoomNotFound, "Room not found")));
        worker.effects()
    };
    assert!(matches!(refuse(&mut worker)[1], Effect::Report(Fact::Away { .. })));
    worker.input(Input::JobOver { job: job("j1"), kept: false });
    assert!(matches!(refuse(&mut worker)[1], Effect::GiveUp(_)));
}

#[test]
fn its_own_client_finds_a_job_again_whatever_the_server_remembers() {
    let mut worker = Worker::with(|setup| setup.kept = vec![job("j0")]);
    worker.register(true);
    let reattach = |id: &str| Effect::Answer {
        from: peer("ada-2"),
        sdp: "offer-ada-2".into(),
        admission: Admission::Reattach(job(id)),
    };
    worker.frame(offer("ada-2", None, Some("j0")));
    assert_eq!(worker.acts(), [reattach("j0")]);
    worker.lease("c1", 7);
    worker.start("c1").unwrap();
    worker.effects();
    worker.frame(offer("ada-2", Some("c1"), Some("j1")));
    assert_eq!(worker.acts(), [reattach("j1")]);
    worker.input(Input::JobOver { job: job("j1"), kept: true });
    worker.effects();
    worker.frame(offer("ada-2", None, Some("j1")));
    assert_eq!(worker.acts(), [reattach("j1")]);
    worker.input(Input::Forget(job("j1")));
    worker.frame(offer("ada-2", Some("c1"), Some("j1")));
    let sent = worker.sent();
    assert_eq!((&sent[0]["type"], &sent[0]["code"]), (&json!("error"), &json!("CLAIM_NOT_FOUND")));
}

#[test]
fn nobody_else_may_come_on_a_lease() {
    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.frame(offer("eve", Some("c1"), Some("j1")));
    let sent = worker.sent();
    assert_eq!((&sent[0]["target"], &sent[0]["reason"]), (&json!("eve"), &json!("claim_not_found")));
    worker.frame(offer("eve", None, None));
    let sent = worker.sent();
    assert_eq!((&sent[0]["type"], &sent[0]["reason"]), (&json!("error"), &json!("worker_busy")));
    assert_eq!(sent[0]["current_status"], "reserved");
    assert_eq!(worker.start("c9"), Err(StartRefused::NotExpected));
}

#[test]
fn a_job_request_is_accepted_only_after_the_server_confirmed_the_reservation() {
    let mut worker = Worker::up();
    worker.frame(message("bob", &job_request("p1", 8_000)));
    let sent = worker.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["type"], "update_metadata");
    assert_eq!(sent[0]["if"], json!({"properties": {"status": "available"}}));
    assert_eq!(sent[0]["metadata"]["properties"]["status"], "reserved");
    assert_eq!(sent[0]["metadata"]["properties"]["pending_job_id"], "p1");
    // A second one meanwhile.
    worker.frame(message("eve", &job_request("p2", 8_000)));
    let refusal = worker.sent();
    assert_eq!(refusal[0]["to_peer_id"], "eve");
    assert_eq!(refusal[0]["payload"]["accepted"], false);
    assert_eq!(refusal[0]["payload"]["reason"], "busy");
    worker.frame(updated("reserved", sent[0]["request_id"].as_str()));
    let response = worker.sent();
    assert_eq!(response[0]["payload"]["app_message_type"], "job_response");
    assert_eq!(response[0]["payload"]["accepted"], true);
    assert_eq!(response[0]["payload"]["estimated_duration_minutes"], 5.0);
    // The assignment makes it busy, the offer is answered, the job runs.
    worker.frame(message("bob", &json!({"app_message_type": "job_assignment", "job_id": "p1"})));
    let sent = worker.sent();
    assert_eq!(sent[0]["metadata"]["properties"]["status"], "busy");
    assert_eq!(sent[0]["metadata"]["properties"]["current_job_id"], "p1");
    worker.frame(offer("bob", None, None));
    let admission = Admission::Plain { job: Some(job("p1")) };
    assert_eq!(worker.acts(), [Effect::Answer { from: peer("bob"), sdp: "offer-bob".into(), admission }]);
    let start = Start { client: peer("bob"), job: job("p1"), claim: None };
    assert_eq!(worker.worker.start(&start, worker.now), Ok(()));
    worker.effects();
    worker.input(Input::JobOver { job: job("p1"), kept: false });
    let sent = worker.sent();
    assert_eq!(sent[0]["metadata"]["properties"]["status"], "available");
    assert_eq!(sent[0]["metadata"]["properties"]["current_job_id"], Value::Null);
}

#[test]
fn a_conflict_means_busy() {
    let mut worker = Worker::up();
    worker.frame(message("bob", &job_request("p1", 0)));
    let id = worker.sent()[0]["request_id"].as_str().unwrap().to_owned();
    let mut error = ErrorFrame::new(Code::Conflict, "status is reserved");
    error.request_id = Some(id);
    worker.frame(ToPeer::Error(error));
    let sent = worker.sent();
    assert_eq!(sent[0]["payload"]["accepted"], false);
    assert_eq!(sent[0]["payload"]["reason"], "busy");
}

#[test]
fn a_grant_that_crosses_a_reservation_wins() {
    let mut worker = Worker::up();
    worker.frame(message("bob", &job_request("p1", 0)));
    let id = worker.sent()[0]["request_id"].as_str().unwrap().to_owned();
    worker.frame(ToPeer::ClaimGranted(grant("c1", 7)));
    let effects = worker.effects();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Persist(seen) if seen.fence == fence(7))));
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Send(frame) => Some(value(frame)),
        _ => None,
    });
    assert_eq!(told.unwrap()["payload"]["reason"], "busy");
    let mut error = ErrorFrame::new(Code::Conflict, "status is reserved");
    error.request_id = Some(id);
    worker.frame(ToPeer::Error(error));
    worker.input(Input::FencePersisted(fence(7)));
    worker.effects();
    assert_eq!(worker.start("c1"), Ok(()));
}

#[test]
fn no_assignment_frees_the_slot() {
    let mut worker = Worker::up();
    worker.frame(message("bob", &job_request("p1", 0)));
    worker.effects();
    worker.frame(updated("reserved", None));
    assert_eq!(worker.sent()[0]["payload"]["accepted"], true);
    worker.now = worker.now.plus_ms(ASSIGN_MS);
    worker.tick();
    assert_eq!(worker.sent()[0]["metadata"]["properties"]["status"], "available");
    worker.frame(message("bob", &json!({"app_message_type": "job_assignment", "job_id": "p1"})));
    worker.frame(message("eve", &job_request("p2", 0)));
    assert_eq!(worker.sent()[0]["metadata"]["properties"]["pending_job_id"], "p2");
}

#[test]
fn jobs_that_do_not_fit_are_refused_with_the_reason() {
    let mut worker = Worker::up();
    worker.frame(message("bob", &job_request("p1", 24_576)));
    assert_eq!(worker.sent()[0]["payload"]["reason"], "insufficient_memory");
    worker.frame(message("bob", &json!({"app_message_type": "job_request", "job_id": "p2", "job_type": "inference"})));
    assert_eq!(worker.sent()[0]["payload"]["reason"], "incompatible");
}

#[test]
fn a_bare_offer_takes_the_slot_first_a_second_one_is_told_busy() {
    let mut worker = Worker::up();
    worker.frame(offer("bob", None, None));
    let sent = worker.sent();
    assert_eq!(sent[0]["type"], "update_metadata");
    worker.frame(offer("eve", None, None));
    let refusal = &worker.sent()[0];
    assert_eq!((&refusal["type"], &refusal["target"]), (&json!("error"), &json!("eve")));
    assert_eq!(refusal["reason"], "worker_busy");
    worker.frame(updated("reserved", sent[0]["request_id"].as_str()));
    let admission = Admission::Plain { job: None };
    assert_eq!(worker.acts(), [Effect::Answer { from: peer("bob"), sdp: "offer-bob".into(), admission }]);
    worker.input(Input::Answered { to: peer("bob"), sdp: "sdp".into() });
    assert_eq!(worker.sent()[0]["type"], "answer");
    worker.input(Input::LinkClosed { peer: peer("bob") });
    assert_eq!(worker.sent()[0]["metadata"]["properties"]["status"], "available");
}

#[test]
fn draining_hands_back_what_nobody_uses_and_leaves_when_the_job_is_over() {
    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.input(Input::Drain);
    let effects = worker.effects();
    assert_eq!(effects.last(), Some(&Effect::Leave));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Send(FromPeer::ClaimReleased(_)))));

    let mut worker = Worker::up();
    worker.lease("c1", 7);
    worker.start("c1").unwrap();
    worker.input(Input::Drain);
    assert!(!worker.effects().contains(&Effect::Leave));
    worker.input(Input::JobOver { job: job("j1"), kept: false });
    let effects = worker.effects();
    assert_eq!(effects.last(), Some(&Effect::Leave));
    worker.frame(offer("bob", None, None));
    assert_eq!(worker.effects(), []);
    assert_eq!(worker.worker.next_timeout(), None);
}

// Helpers.

pub(crate) struct Worker {
    pub(crate) worker: PoolWorker,
    pub(crate) now: Time,
}

impl Worker {
    pub(crate) fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let now = Time(1_700_000_000_000);
        let metadata = Metadata::from(json!({
            "tags": ["sleap-rtc"],
            "properties": {
                "gpu_memory_mb": 16_384, "supported_models": ["base", "centroid"], "supported_job_types": ["training"],
            },
        }));
        let mut setup = Setup {
            peer_id: peer("gpu1"),
            room_id: RoomId::new("room1").unwrap(),
            token: Some("pass".into()),
            metadata,
            seen: Seen::default(),
            kept: Vec::new(),
            first: FirstTry::KeepTrying,
        };
        change(&mut setup);
        Self { worker: PoolWorker::new(setup, now), now }
    }

    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// Registered with a server that knows claims.
    pub(crate) fn up() -> Self {
        let mut worker = Self::new();
        worker.register(true);
        worker
    }

    pub(crate) fn register(&mut self, claims: bool) {
        self.tick();
        self.input(Input::Connected { id_token: None });
        self.frame(registered(claims));
        self.effects();
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.worker.handle(input, self.now, 12_345);
    }

    pub(crate) fn frame(&mut self, frame: ToPeer) {
        self.input(Input::Frame(frame));
    }

    pub(crate) fn tick(&mut self) {
        self.input(Input::Tick);
    }

    pub(crate) fn sleep(&mut self) {
        self.now = self.worker.next_timeout().unwrap().max(self.now);
        self.tick();
    }

    pub(crate) fn lease(&mut self, claim: &str, counter: u64) {
        self.frame(ToPeer::ClaimGranted(grant(claim, counter)));
        self.input(Input::FencePersisted(fence(counter)));
        self.effects();
    }

    pub(crate) fn start(&mut self, claim: &str) -> Result<(), StartRefused> {
        let start = Start { client: peer("ada"), job: job("j1"), claim: Some(ClaimId::new(claim).unwrap()) };
        self.worker.start(&start, self.now)
    }

    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.worker.next_effect()).collect()
    }

    /// Without reports.
    pub(crate) fn acts(&mut self) -> Vec<Effect> {
        let mut effects = self.effects();
        effects.retain(|effect| !matches!(effect, Effect::Report(_)));
        effects
    }

    pub(crate) fn sent(&mut self) -> Vec<Value> {
        let effects = self.effects();
        effects
            .iter()
            .filter_map(|effect| if let Effect::Send(frame) = effect { Some(value(frame)) } else { None })
            .collect()
    }

    /// Nothing else is wanted than this on disk.
    fn persists(&mut self) -> Fence {
        match self.effects().as_slice() {
            [Effect::Persist(seen)] => seen.fence,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn registers(&mut self) -> Value {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0]["type"], "register");
        sent.remove(0)
    }
}

pub(crate) fn value(frame: &FromPeer) -> Value {
    serde_json::from_str(&frame.encode()).unwrap()
}

pub(crate) fn peer(id: &str) -> PeerId {
    PeerId::new(id).unwrap()
}

pub(crate) fn job(id: &str) -> JobId {
    JobId::new(id).unwrap()
}

pub(crate) fn fence(counter: u64) -> Fence {
    Fence { epoch: 1, counter }
}

pub(crate) fn grant(claim: &str, counter: u64) -> ClaimGranted {
    ClaimGranted {
        claim_id: ClaimId::new(claim).unwrap(),
        fence: fence(counter),
        client: peer("ada"),
        client_key: None,
        job_id: job("j1"),
        attempt: 1,
        lease_until: Time(0),
    }
}

pub(crate) fn ended(claim: &str, reason: EndReason) -> ClaimEnded {
    ClaimEnded { claim_id: ClaimId::new(claim).unwrap(), reason }
}

pub(crate) fn registered(claims: bool) -> ToPeer {
    let features: &[&str] = if claims { &["claims/1"] } else { &[] };
    let frame: RegisteredAuth =
        serde_json::from_value(json!({"room_id": "room1", "peer_id": "gpu1", "features": features})).unwrap();
    ToPeer::RegisteredAuth(Box::new(frame))
}

pub(crate) fn offer(from: &str, claim: Option<&str>, id: Option<&str>) -> ToPeer {
    ToPeer::Offer(Description {
        sender: peer(from),
        target: peer("gpu1"),
        sdp: format!("offer-{from}"),
        job_id: id.map(job),
        claim_id: claim.map(|claim| ClaimId::new(claim).unwrap()),
    })
}

pub(crate) fn message(from: &str, payload: &Value) -> ToPeer {
    ToPeer::PeerMessage { from_peer_id: peer(from), to_peer_id: peer("gpu1"), payload: payload.clone() }
}

pub(crate) fn job_request(id: &str, min_gpu_memory_mb: u64) -> Value {
    json!({
        "app_message_type": "job_request", "job_id": id, "job_type": "training",
        "config": {"model_type": "centroid", "epochs": 10},
        "requirements": {"min_gpu_memory_mb": min_gpu_memory_mb},
    })
}

pub(crate) fn updated(status: &str, request_id: Option<&str>) -> ToPeer {
    ToPeer::MetadataUpdated {
        peer_id: peer("gpu1"),
        metadata: Metadata::from(json!({"properties": {"status": status}})),
        request_id: request_id.map(str::to_owned),
    }
}
