//! A client's half of the signaling, told as a conversation with the server.

use serde_json::{Value, json};
use sleap_rtc_session::pool_client::{
    ANSWER_MS, CallId, ClaimRequest, Effect, Fact, Failure, Found, Input, Offer, PoolClient, QUEUE_MS, REPLY_MS, Setup,
};
use sleap_rtc_session::pool_line::{Cause, FirstTry};
use sleap_rtc_wire::claim::{ClaimEnded, ClaimRefused, Claimed, EndReason, Reason, Workers};
use sleap_rtc_wire::signal::{Description, RegisteredAuth};
use sleap_rtc_wire::{ClaimId, Code, ErrorFrame, Fence, Filters, JobId, Metadata, PeerId, RoomId, Time, ToPeer};

#[test]
fn a_claim_is_answered_by_the_worker_that_it_books() {
    let mut client = Client::up();
    client.claim(1);
    let sent = client.sent();
    assert_eq!(sent[0]["type"], "claim");
    assert_eq!(sent[0]["filters"], json!({"tags": ["sleap-rtc"]}));
    assert_eq!((&sent[0]["job_id"], &sent[0]["attempt"], &sent[0]["count"]), (&json!("j1"), &json!(1), &json!(1)));
    client.frame(claimed(&sent[0], "c1"));
    let outcome = match client.effects().as_slice() {
        [Effect::ClaimDone { call: CallId(1), outcome: Ok(claimed) }] => claimed[0].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(outcome.worker, peer("gpu1"));

    client.offer(2, Some("c1"));
    let sent = client.sent();
    assert_eq!((&sent[0]["type"], &sent[0]["target"]), (&json!("offer"), &json!("gpu1")));
    assert_eq!((&sent[0]["claim_id"], &sent[0]["job_id"]), (&json!("c1"), &json!("j1")));
    client.frame(answer());
    assert_eq!(client.effects(), [Effect::OfferDone { call: CallId(2), outcome: Ok("answer".into()) }]);
}

#[test]
fn a_refusal_carries_reason_and_numbers() {
    let mut client = Client::up();
    client.claim(1);
    let request_id = client.sent()[0]["request_id"].as_str().unwrap().to_owned();
    let refused = ClaimRefused {
        request_id,
        code: Code::NoFreeWorker,
        reason: Reason::AllMatchingBusy,
        message: "the one worker that matches is busy".into(),
        workers: Workers { matching: 1, busy: 1, ..Workers::default() },
    };
    client.frame(ToPeer::ClaimRefused(refused.clone()));
    let failure = Failure::Refused(refused);
    assert_eq!(failure.to_string(), "the one worker that matches is busy");
    assert_eq!(client.effects(), [Effect::ClaimDone { call: CallId(1), outcome: Err(failure) }]);
}

#[test]
fn a_worker_that_does_not_answer_costs_the_claim() {
    let mut client = Client::booked();
    client.offer(2, Some("c1"));
    client.effects();
    client.now = client.now.plus_ms(ANSWER_MS - 1);
    client.tick();
    assert_eq!(client.effects(), []);
    client.now = client.now.plus_ms(1);
    client.tick();
    let effects = client.effects();
    assert_eq!(value(&effects[0]), json!({"type": "release", "claim_id": "c1"}));
    let failure = Failure::WorkerSilent { worker: peer("gpu1") };
    assert_eq!(failure.to_string(), "worker gpu1 did not answer within 10 s");
    assert_eq!(effects[1], Effect::OfferDone { call: CallId(2), outcome: Err(failure) });
}

#[test]
fn a_busy_worker_says_so() {
    let mut client = Client::booked();
    client.offer(2, Some("c1"));
    client.effects();
    // As the deployed worker writes it, without a code.
    let error: ErrorFrame =
        serde_json::from_value(json!({"reason": "worker_busy", "message": "Worker is busy"})).unwrap();
    client.frame(ToPeer::Error(error.clone()));
    let effects = client.effects();
    assert_eq!(value(&effects[0])["type"], "release");
    let failure = Failure::WorkerRefused { worker: peer("gpu1"), error };
    assert_eq!(failure.to_string(), "worker gpu1 refused: Worker is busy");
    assert_eq!(effects[1], Effect::OfferDone { call: CallId(2), outcome: Err(failure) });
}

#[test]
fn what_the_server_says_to_a_late_release_is_not_the_workers_answer() {
    let mut client = Client::booked();
    client.input(Input::Release { claim: claim("c1") });
    client.offer(2, None);
    client.effects();
    let error = ErrorFrame::new(Code::ClaimNotFound, "no claim c1 of this peer");
    client.frame(ToPeer::Error(error.clone()));
    assert_eq!(client.effects(), [Effect::Report(Fact::ServerError(error))]);
    client.frame(answer());
    assert_eq!(client.effects(), [Effect::OfferDone { call: CallId(2), outcome: Ok("answer".into()) }]);
}

#[test]
fn a_claim_that_ends_while_the_worker_is_asked_ends_the_offer() {
    let mut client = Client::booked();
    client.offer(2, Some("c1"));
    client.effects();
    let ended = ClaimEnded { claim_id: claim("c1"), reason: EndReason::LeaseExpired };
    client.frame(ToPeer::ClaimEnded(ended.clone()));
    assert_eq!(
        client.effects(),
        [
            Effect::OfferDone { call: CallId(2), outcome: Err(Failure::ClaimEnded(EndReason::LeaseExpired)) },
            Effect::Report(Fact::ClaimEnded(ended)),
        ]
    );
}

#[test]
fn a_claim_that_nobody_waits_for_is_given_back() {
    let mut client = Client::up();
    client.claim(1);
    let sent = client.sent();
    client.input(Input::Abandon { call: CallId(1) });
    client.frame(claimed(&sent[0], "c1"));
    assert_eq!(client.sent(), [json!({"type": "release", "claim_id": "c1"})]);

    let mut client = Client::booked();
    client.offer(2, Some("c1"));
    client.effects();
    client.input(Input::Abandon { call: CallId(2) });
    assert_eq!(client.sent(), [json!({"type": "release", "claim_id": "c1"})]);
}

#[test]
fn what_could_not_be_given_back_without_a_line_is_given_back_with_the_next() {
    let mut client = Client::booked();
    client.offer(2, Some("c1"));
    client.input(Input::Disconnected(Cause::Closed("reset".into())));
    client.effects();
    client.sleep();
    client.input(Input::Connected { id_token: None });
    client.effects();
    client.frame(registered(true));
    assert_eq!(client.sent(), [json!({"type": "release", "claim_id": "c1"})]);
}

#[test]
fn a_server_that_cannot_be_reached_at_first_fails_every_call_at_once() {
    let mut client = Client::new(FirstTry::Once);
    client.tick();
    client.claim(1);
    client.effects();
    let cause = Cause::Unreachable("http://127.0.0.1:8001 cannot be reached: the connection was refused".into());
    client.input(Input::ConnectFailed(cause.clone()));
    assert_eq!(
        client.effects(),
        [
            Effect::Disconnect,
            Effect::ClaimDone { call: CallId(1), outcome: Err(Failure::GivenUp(cause.clone())) },
            Effect::GiveUp(cause.clone()),
        ]
    );
    client.discover(2);
    assert_eq!(client.effects(), [Effect::DiscoverDone { call: CallId(2), outcome: Err(Failure::GivenUp(cause)) }]);
    assert_eq!(client.client.next_timeout(), None);
}

#[test]
fn a_wrong_room_is_said_in_the_servers_words() {
    let mut client = Client::new(FirstTry::Once);
    client.tick();
    client.discover(1);
    client.input(Input::Connected { id_token: None });
    client.effects();
    client.frame(ToPeer::Error(ErrorFrame::new(Code::RoomNotFound, "Room not found")));
    let cause = Cause::Refused { code: Code::RoomNotFound, text: "Room not found".into() };
    assert_eq!(client.effects().last(), Some(&Effect::GiveUp(cause)));
}

#[test]
fn while_a_job_runs_the_server_may_stay_away() {
    let mut client = Client::booked();
    client.input(Input::JobRuns(true));
    client.input(Input::Disconnected(Cause::Closed("reset".into())));
    let effects = client.effects();
    assert_eq!(effects[0], Effect::Disconnect);
    assert!(matches!(&effects[1], Effect::Report(Fact::Away { job_runs: true, .. })));
    let mut pauses = Vec::new();
    for _ in 0..9 {
        client.sleep();
        assert_eq!(client.effects(), [Effect::Connect { fresh: false }]);
        client.input(Input::ConnectFailed(Cause::Unreachable("refused".into())));
        match &client.effects()[1] {
            Effect::Report(Fact::Away { retry_in_ms, .. }) => pauses.push(*retry_in_ms),
            other => panic!("{other:?}"),
        }
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!(pauses.iter().all(|pause| (1_000..=60_000).contains(pause)), "{pauses:?}");
    assert!(*pauses.last().unwrap() >= 30_000, "{pauses:?}");
    // Even a room that is gone.
    client.sleep();
    client.input(Input::Connected { id_token: None });
    client.frame(ToPeer::Error(ErrorFrame::new(Code::RoomNotFound, "Room not found")));
    assert!(!client.effects().iter().any(|effect| matches!(effect, Effect::GiveUp(_))));
}

#[test]
fn pauses_begin_anew_once_a_line_held_longer_than_the_last_of_them() {
    let mut client = Client::up();
    for (held, longest) in [(0, 1_000), (0, 2_000), (1_999, 4_000), (4_000, 1_000), (0, 2_000)] {
        client.now = client.now.plus_ms(held);
        client.input(Input::Disconnected(Cause::Closed("reset".into())));
        match client.effects().last() {
            Some(Effect::Report(Fact::Away { retry_in_ms, .. })) => {
                assert!((longest / 2..=longest).contains(retry_in_ms), "{retry_in_ms} after {held}");
            }
            other => panic!("{other:?}"),
        }
        client.sleep();
        client.input(Input::Connected { id_token: None });
        client.frame(registered(true));
        client.effects();
    }
}

#[test]
fn a_job_is_found_again_by_its_id_once_the_server_is_back() {
    let mut client = Client::booked();
    client.input(Input::JobRuns(true));
    client.input(Input::Disconnected(Cause::Closed("reset".into())));
    client.offer(2, None);
    client.effects();
    client.sleep();
    client.input(Input::Connected { id_token: None });
    client.frame(registered(true));
    let sent = client.sent();
    let offer = sent.last().unwrap();
    assert_eq!((&offer["type"], &offer["job_id"]), (&json!("offer"), &json!("j1")));
    assert!(offer.get("claim_id").is_none());
    client.frame(answer());
    assert_eq!(client.effects(), [Effect::OfferDone { call: CallId(2), outcome: Ok("answer".into()) }]);
}

#[test]
fn what_was_sent_when_the_line_broke_fails_what_was_not_waits() {
    let mut client = Client::up();
    client.claim(1);
    client.effects();
    client.input(Input::Disconnected(Cause::Closed("reset".into())));
    let lost = Failure::ServerLost(Cause::Closed("reset".into()));
    assert!(client.effects().contains(&Effect::ClaimDone { call: CallId(1), outcome: Err(lost) }));
    client.discover(2);
    client.now = client.now.plus_ms(QUEUE_MS);
    client.tick();
    let timed_out = Effect::DiscoverDone { call: CallId(2), outcome: Err(Failure::TimedOut) };
    assert!(client.effects().contains(&timed_out));
}

#[test]
fn a_server_that_does_not_answer_is_left() {
    let mut client = Client::up();
    client.discover(1);
    client.effects();
    client.now = client.now.plus_ms(REPLY_MS);
    client.tick();
    let effects = client.effects();
    assert_eq!(effects[0], Effect::Disconnect);
    let lost = Failure::ServerLost(Cause::NoAnswer);
    assert_eq!(effects[1], Effect::DiscoverDone { call: CallId(1), outcome: Err(lost) });
}

#[test]
fn answers_of_discoveries_are_told_apart_by_their_order() {
    let mut client = Client::up();
    client.discover(1);
    client.discover(2);
    client.input(Input::Abandon { call: CallId(1) });
    client.effects();
    client.frame(ToPeer::PeerList {
        to_peer_id: peer("laptop"),
        peers: Vec::new(),
        count: 0,
        total: None,
        absent: Vec::new(),
    });
    assert_eq!(client.effects(), []);
    client.frame(ToPeer::PeerList {
        to_peer_id: peer("laptop"),
        peers: Vec::new(),
        count: 0,
        total: None,
        absent: Vec::new(),
    });
    assert_eq!(client.effects(), [Effect::DiscoverDone { call: CallId(2), outcome: Ok(Found::default()) }]);
}

#[test]
fn a_server_without_claims_is_too_old() {
    let mut client = Client::new(FirstTry::Once);
    client.register(false);
    client.claim(1);
    assert_eq!(client.effects(), [Effect::ClaimDone { call: CallId(1), outcome: Err(Failure::NoClaims) }]);
}

#[test]
fn whoever_leaves_gives_back_what_no_job_uses() {
    let mut client = Client::booked();
    client.input(Input::Leave);
    let effects = client.effects();
    assert_eq!(value(&effects[0]), json!({"type": "release", "claim_id": "c1"}));
    assert_eq!(effects[1], Effect::Disconnect);

    let mut client = Client::booked();
    client.input(Input::JobRuns(true));
    client.input(Input::Leave);
    assert_eq!(client.effects(), [Effect::Disconnect]);
}

// Helpers.

pub(crate) struct Client {
    pub(crate) client: PoolClient,
    pub(crate) now: Time,
}

impl Client {
    pub(crate) fn new(first: FirstTry) -> Self {
        let now = Time(1_700_000_000_000);
        let setup = Setup {
            peer_id: peer("laptop"),
            room_id: RoomId::new("room1").unwrap(),
            token: Some("pass".into()),
            metadata: Metadata::from(json!({"tags": ["sleap-rtc", "training-client"]})),
            first,
        };
        Self { client: PoolClient::new(setup, now), now }
    }

    pub(crate) fn up() -> Self {
        let mut client = Self::new(FirstTry::Once);
        client.register(true);
        client
    }

    /// Up, with claim `c1` on `gpu1`.
    fn booked() -> Self {
        let mut client = Self::up();
        client.claim(1);
        let sent = client.sent();
        client.frame(claimed(&sent[0], "c1"));
        client.effects();
        client
    }

    pub(crate) fn register(&mut self, claims: bool) {
        self.tick();
        assert_eq!(self.effects(), [Effect::Connect { fresh: false }]);
        self.input(Input::Connected { id_token: Some("idt".into()) });
        let sent = self.sent();
        assert_eq!(sent[0]["type"], "register");
        assert_eq!((&sent[0]["role"], &sent[0]["features"]), (&json!("client"), &json!(["claims/1"])));
        self.frame(registered(claims));
        self.effects();
    }

    pub(crate) fn request() -> ClaimRequest {
        ClaimRequest {
            filters: Filters::parse(json!({"tags": ["sleap-rtc"]})).unwrap(),
            count: 1,
            wait_ms: 0,
            lease_ms: 30_000,
            job_id: JobId::new("j1").unwrap(),
            attempt: 1,
        }
    }

    fn claim(&mut self, call: u64) {
        self.input(Input::Claim { call: CallId(call), request: Self::request() });
    }

    fn discover(&mut self, call: u64) {
        self.input(Input::Discover { call: CallId(call), filters: Filters::default(), absent: false });
    }

    fn offer(&mut self, call: u64, id: Option<&str>) {
        let offer =
            Offer { worker: peer("gpu1"), sdp: "offer".into(), claim: id.map(claim), job: JobId::new("j1").ok() };
        self.input(Input::Offer { call: CallId(call), offer });
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.client.handle(input, self.now, u64::MAX);
    }

    pub(crate) fn frame(&mut self, frame: ToPeer) {
        self.input(Input::Frame(frame));
    }

    pub(crate) fn tick(&mut self) {
        self.input(Input::Tick);
    }

    pub(crate) fn sleep(&mut self) {
        self.now = self.client.next_timeout().unwrap().max(self.now);
        self.tick();
    }

    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.client.next_effect()).collect()
    }

    pub(crate) fn sent(&mut self) -> Vec<Value> {
        self.effects().iter().filter(|effect| matches!(effect, Effect::Send(_))).map(value).collect()
    }
}

pub(crate) fn value(effect: &Effect) -> Value {
    match effect {
        Effect::Send(frame) => serde_json::from_str(&frame.encode()).unwrap(),
        other => panic!("not a frame: {other:?}"),
    }
}

pub(crate) fn peer(id: &str) -> PeerId {
    PeerId::new(id).unwrap()
}

pub(crate) fn claim(id: &str) -> ClaimId {
    ClaimId::new(id).unwrap()
}

pub(crate) fn registered(claims: bool) -> ToPeer {
    let features: &[&str] = if claims { &["claims/1"] } else { &[] };
    let frame: RegisteredAuth =
        serde_json::from_value(json!({"room_id": "room1", "peer_id": "laptop", "features": features})).unwrap();
    ToPeer::RegisteredAuth(Box::new(frame))
}

pub(crate) fn claimed(request: &Value, id: &str) -> ToPeer {
    ToPeer::Claimed(Claimed {
        request_id: request["request_id"].as_str().unwrap().to_owned(),
        claim_id: claim(id),
        fence: Fence { epoch: 1, counter: 7 },
        worker: peer("gpu1"),
        worker_key: None,
        lease_until: Time(0),
    })
}

fn answer() -> ToPeer {
    ToPeer::Answer(Description {
        sender: peer("gpu1"),
        target: peer("laptop"),
        sdp: "answer".into(),
        job_id: None,
        claim_id: None,
    })
}
