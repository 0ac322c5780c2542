//! A claim that waits in line, over lost lines and restarts of the server.

use serde_json::json;
use sleap_rtc_session::pool_client::{CallId, ClaimRequest, Effect, Fact, Failure, Input, REPLY_MS};
use sleap_rtc_session::pool_line::{Cause, FirstTry};
use sleap_rtc_wire::claim::{ClaimEnded, ClaimWaiting, Claimed, EndReason, Reason, Seat, Workers};
use sleap_rtc_wire::signal::{AbsentPeer, PeerEntry};
use sleap_rtc_wire::{Code, ErrorFrame, Metadata, Time, ToPeer};

use crate::pool_client::{Client, claim, claimed, peer, registered, value};

const HOUR: u64 = 3_600_000;

#[test]
fn a_waiting_claim_is_asked_again_with_its_seat_and_the_time_that_is_left() {
    let mut client = Client::up();
    client.ask(1, HOUR, 1);
    let first = client.sent().remove(0);
    assert_eq!((&first["wait_ms"], first.get("seat")), (&json!(HOUR), None));
    client.frame(waiting("r1", 2, Some(seat(1))));
    assert_eq!(client.effects(), [Effect::Report(Fact::Waiting(in_line("r1", 2, Some(seat(1)))))]);
    // Without a new seat the old one stays good.
    client.frame(waiting("r1", 1, None));
    client.effects();

    client.now = client.now.plus_ms(HOUR / 2);
    client.input(Input::Disconnected(Cause::Closed("reset".into())));
    let effects = client.effects();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::ClaimDone { .. })), "{effects:?}");
    assert!(matches!(&effects[1], Effect::Report(Fact::Away { job_runs: false, .. })));
    let again = client.come_back();
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0]["request_id"], &again[0]["job_id"]), (&first["request_id"], &first["job_id"]));
    assert_eq!(again[0]["seat"], serde_json::to_value(seat(1)).unwrap());
    let left = again[0]["wait_ms"].as_u64().unwrap();
    assert!((HOUR / 2 - 2_000..HOUR / 2).contains(&left), "{left}");

    client.frame(claimed(&again[0], "c1"));
    assert!(
        matches!(&client.effects()[..], [Effect::ClaimDone { call: CallId(1), outcome: Ok(claims) }] if claims.len() == 1)
    );
}

#[test]
fn what_the_server_granted_while_the_line_broke_is_taken_when_it_is_told_again() {
    let mut client = Client::up();
    client.ask(1, HOUR, 2);
    let asked = client.sent().remove(0);
    client.frame(claimed(&asked, "c1"));
    client.input(Input::Disconnected(Cause::Closed("reset".into())));
    client.effects();
    let again = client.come_back();
    assert_eq!(again.len(), 1, "what came is not given back: {again:?}");
    client.frame(claimed(&again[0], "c1"));
    assert_eq!(client.effects(), []);
    client.frame(claimed(&again[0], "c2"));
    assert_eq!(granted(&mut client), ["c1", "c2"]);
}

#[test]
fn what_came_before_the_line_broke_and_is_not_told_again_is_given_back() {
    let mut client = Client::up();
    client.ask(1, HOUR, 2);
    let asked = client.sent().remove(0);
    client.frame(claimed(&asked, "stale"));
    client.input(Input::Disconnected(Cause::Closed("reset".into())));
    client.effects();
    let again = client.come_back();
    client.frame(claimed(&again[0], "c1"));
    client.frame(claimed(&again[0], "c2"));
    let effects = client.effects();
    assert_eq!(value(&effects[0]), json!({"type": "release", "claim_id": "stale"}));
    assert!(matches!(&effects[1], Effect::ClaimDone { outcome: Ok(claims), .. } if claims.len() == 2));
}

#[test]
fn several_workers_come_together_or_not_at_all() {
    let mut client = Client::up();
    client.ask(1, HOUR, 3);
    let asked = client.sent().remove(0);
    assert_eq!(asked["count"], 3);
    for id in ["c1", "c2"] {
        client.frame(claimed(&asked, id));
    }
    assert_eq!(client.effects(), []);
    client.frame(ToPeer::ClaimEnded(ClaimEnded { claim_id: claim("c2"), reason: EndReason::Lost }));
    let effects = client.effects();
    assert!(matches!(&effects[0], Effect::Report(Fact::ClaimEnded(_))));
    assert_eq!(value(&effects[1]), json!({"type": "release", "claim_id": "c1"}));
    let failure = Failure::ClaimEnded(EndReason::Lost);
    assert_eq!(effects[2], Effect::ClaimDone { call: CallId(1), outcome: Err(failure) });
    client.frame(claimed(&asked, "c3"));
    assert_eq!(value(&client.effects()[0]), json!({"type": "release", "claim_id": "c3"}), "nobody waits for it");
}

#[test]
fn whoever_waits_no_more_gives_up_the_place_and_what_is_granted_in_that_moment() {
    let mut client = Client::up();
    client.ask(1, HOUR, 1);
    let asked = client.sent().remove(0);
    client.frame(waiting("r1", 1, None));
    client.effects();
    client.input(Input::Abandon { call: CallId(1) });
    assert_eq!(client.sent(), [json!({"type": "withdraw", "request_id": "r1"})]);
    client.frame(claimed(&asked, "c1"));
    let effects = client.effects();
    assert_eq!(value(&effects[0]), json!({"type": "release", "claim_id": "c1"}));
    assert_eq!(effects[1], Effect::Report(Fact::LateClaim { claim: claim("c1") }));

    // A claim that is answered at once has no place to give up.
    client.ask(2, 0, 1);
    client.effects();
    client.input(Input::Abandon { call: CallId(2) });
    assert_eq!(client.effects(), []);
}

#[test]
fn whoever_leaves_gives_up_every_place() {
    let mut client = Client::up();
    client.ask(1, HOUR, 2);
    let asked = client.sent().remove(0);
    client.frame(claimed(&asked, "c1"));
    client.input(Input::Leave);
    let effects = client.effects();
    assert_eq!(value(&effects[0]), json!({"type": "withdraw", "request_id": "r1"}));
    assert_eq!(value(&effects[1]), json!({"type": "release", "claim_id": "c1"}));
    assert_eq!(effects[2], Effect::ClaimDone { call: CallId(1), outcome: Err(Failure::Left) });
    assert_eq!(effects[3..], [Effect::Disconnect]);
}

#[test]
fn the_wait_counts_from_the_first_asking() {
    let mut client = Client::up();
    client.ask(1, HOUR, 1);
    client.frame(waiting("r1", 1, Some(seat(1))));
    client.effects();
    // The server is away when the wait is over, and for longer than an answer may take.
    client.now = client.now.plus_ms(HOUR - 1_000);
    client.input(Input::Disconnected(Cause::Closed("reset".into())));
    client.effects();
    client.sleep();
    client.effects();
    client.input(Input::ConnectFailed(Cause::Unreachable("refused".into())));
    client.now = client.now.plus_ms(1_000 + REPLY_MS);
    client.tick();
    let timed_out = Effect::ClaimDone { call: CallId(1), outcome: Err(Failure::TimedOut) };
    assert!(client.effects().contains(&timed_out));
}

#[test]
fn a_server_that_comes_back_as_the_wait_ends_says_why_there_is_nobody() {
    let mut client = Client::up();
    client.ask(1, HOUR, 1);
    client.frame(waiting("r1", 1, Some(seat(1))));
    client.now = client.now.plus_ms(HOUR - 100);
    client.input(Input::Disconnected(Cause::Closed("reset".into())));
    client.effects();
    let again = client.come_back();
    assert_eq!((&again[0]["wait_ms"], &again[0]["seat"]["proof"]), (&json!(0), &json!("proof1")));
}

#[test]
fn a_server_that_owes_the_end_of_the_wait_is_left() {
    let mut client = Client::up();
    client.ask(1, HOUR, 1);
    client.frame(waiting("r1", 1, None));
    client.effects();
    client.now = client.now.plus_ms(HOUR + REPLY_MS);
    client.tick();
    let effects = client.effects();
    assert_eq!(effects[0], Effect::Disconnect);
    let lost = Failure::ServerLost(Cause::NoAnswer);
    assert_eq!(effects[1], Effect::ClaimDone { call: CallId(1), outcome: Err(lost) });
}

#[test]
fn what_the_server_refuses_for_good_ends_the_wait() {
    let mut client = Client::up();
    client.ask(1, HOUR, 1);
    client.frame(waiting("r1", 1, None));
    client.input(Input::Disconnected(Cause::Closed("reset".into())));
    client.effects();
    client.sleep();
    client.input(Input::Connected { id_token: None });
    client.effects();
    client.frame(ToPeer::Error(ErrorFrame::new(Code::RoomNotFound, "Room not found")));
    let cause = Cause::Refused { code: Code::RoomNotFound, text: "Room not found".into() };
    let given_up = Failure::GivenUp(cause.clone());
    assert_eq!(
        client.effects(),
        [Effect::Disconnect, Effect::ClaimDone { call: CallId(1), outcome: Err(given_up) }, Effect::GiveUp(cause)]
    );
}

#[test]
fn an_error_that_names_nobody_is_not_the_answer_to_a_claim_in_line() {
    let mut client = Client::up();
    client.ask(1, HOUR, 1);
    client.frame(waiting("r1", 1, None));
    client.effects();
    client.frame(ToPeer::Error(ErrorFrame::new(Code::RateLimited, "slowly")));
    assert!(matches!(&client.effects()[..], [Effect::Report(Fact::ServerError(_))]));
    let mut named = ErrorFrame::new(Code::TooLarge, "too many filters");
    named.request_id = Some("r1".to_owned());
    client.frame(ToPeer::Error(named.clone()));
    let failed = Effect::ClaimDone { call: CallId(1), outcome: Err(Failure::Server(named)) };
    assert_eq!(client.effects(), [failed]);
}

#[test]
fn whoever_lost_the_place_to_another_program_does_not_take_it_back() {
    let mut client = Client::up();
    client.ask(1, HOUR, 1);
    client.effects();
    client.input(Input::Disconnected(Cause::Replaced));
    let effects = client.effects();
    assert_eq!(effects[0], Effect::Disconnect);
    assert_eq!(effects[2], Effect::GiveUp(Cause::Replaced));
    assert_eq!(client.client.next_timeout(), None);
}

#[test]
fn silent_workers_come_only_if_they_are_asked_for() {
    let mut client = Client::new(FirstTry::Once);
    client.register(true);
    client.input(Input::Discover { call: CallId(1), filters: sleap_rtc_wire::Filters::default(), absent: true });
    assert_eq!(client.sent()[0]["absent"], true);
    let here = PeerEntry {
        peer_id: peer("gpu1"),
        role: "worker".into(),
        metadata: Metadata::default(),
        connected_at: 1.0,
        was_silent_ms: None,
    };
    let silent = AbsentPeer { peer_id: peer("gpu2"), metadata: Metadata::default(), seen_at: 1.0, job_id: None };
    client.frame(ToPeer::PeerList {
        to_peer_id: peer("laptop"),
        peers: vec![here.clone()],
        count: 1,
        total: Some(700),
        absent: vec![silent.clone()],
    });
    match client.effects().as_slice() {
        [Effect::DiscoverDone { call: CallId(1), outcome: Ok(found) }] => {
            assert_eq!((&found.peers, found.total, &found.absent), (&vec![here], 700, &vec![silent]));
        }
        other => panic!("{other:?}"),
    }
}

// Helpers.

impl Client {
    fn ask(&mut self, call: u64, wait_ms: u64, count: u32) {
        let request = ClaimRequest { wait_ms, count, ..Self::request() };
        self.input(Input::Claim { call: CallId(call), request });
    }

    /// The line is there again; what is sent after `register`.
    fn come_back(&mut self) -> Vec<serde_json::Value> {
        self.sleep();
        self.effects();
        self.input(Input::Connected { id_token: None });
        self.effects();
        self.frame(registered(true));
        self.sent()
    }
}

fn granted(client: &mut Client) -> Vec<String> {
    let effects = client.effects();
    let [Effect::ClaimDone { outcome: Ok(claims), .. }] = &effects[..] else { panic!("{effects:?}") };
    claims.iter().map(|Claimed { claim_id, .. }| claim_id.to_string()).collect()
}

fn seat(n: u64) -> Seat {
    Seat { asked_at: Time(n), until: Time(n + 600_000), proof: format!("proof{n}") }
}

fn in_line(request_id: &str, place: u32, seat: Option<Seat>) -> ClaimWaiting {
    let workers = Workers { matching: 1, busy: 1, ..Workers::default() };
    let reason = Reason::AllMatchingBusy;
    ClaimWaiting { request_id: request_id.to_owned(), place, reason, workers, estimate_ms: None, seat }
}

fn waiting(request_id: &str, place: u32, seat: Option<Seat>) -> ToPeer {
    ToPeer::ClaimWaiting(in_line(request_id, place, seat))
}
