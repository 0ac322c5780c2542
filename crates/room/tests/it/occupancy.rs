//! Workers of the deployed kind: what is free among them is what the room saw, whatever they say.

use serde_json::{Value, json};
use sleap_rtc_room::{Answer, Call, Effect, Input, RoomConfig};
use sleap_rtc_wire::record::{RoomKind, Switches, Taken};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{Code, ConnId, ErrorFrame, FromPeer, Text, ToPeer};

use crate::desk::*;

/// A minute, ms.
const MINUTE: u64 = 60_000;

#[test]
fn hazard_14_a_worker_with_an_offer_is_nobody_elses() {
    let mut lab = Lab::new();
    assert_eq!(lab.desk.put(offer(lab.ana, "ana", "old")).first(), Some(&handed(lab.old, &offer_text("ana", "old"))));
    assert_eq!(lab.available(), [""; 0], "in the step in which the offer was handed on");
    assert_effects(lab.desk.put(offer(lab.ben, "ben", "old")), [sent(lab.ben, busy("ben", "reserved"))]);
    assert_eq!(lab.status(), "reserved");
}

#[test]
fn the_one_whom_a_worker_answers_has_it_until_it_says_available() {
    let mut lab = Lab::new();
    lab.engage();
    lab.desk.wait(10 * HOUR);
    lab.desk.tick();
    assert_eq!(lab.status(), "reserved");
    assert_effects(lab.desk.put(offer(lab.ben, "ben", "old")), [sent(lab.ben, busy("ben", "reserved"))]);
    lab.says("available");
    assert_eq!(lab.available(), ["old"]);
    assert!(lab.reaches("ben"));
}

/// `field.md` §1b: status `reserved` stays after offer→disconnect.
#[test]
fn status_reserved_does_not_stay_after_offer_and_disconnect() {
    let mut lab = Lab::new();
    lab.engage();
    lab.desk.go(closes(lab.ana));
    lab.desk.wait(2 * MINUTE - 1);
    lab.desk.tick();
    assert_eq!(lab.status(), "reserved", "it may be a network that is away for a moment");
    lab.desk.wait(1);
    assert_eq!(lab.available(), ["old"], "the worker has not said anything, and never will");
    assert!(lab.reaches("ben"));
}

#[test]
fn a_worker_that_does_not_answer_is_free_again() {
    let mut lab = Lab::new();
    assert!(lab.reaches("ana"));
    lab.says("reserved");
    lab.desk.wait(29_999);
    assert_eq!(lab.available(), [""; 0]);
    assert_eq!(lab.desk.room.next_timeout(), Some(lab.desk.now.plus_ms(1)));
    lab.desk.wait(1);
    assert_eq!(lab.available(), ["old"], "its `reserved` was about the offer");
}

#[test]
fn an_answer_that_comes_late_counts_if_nobody_else_has_the_worker() {
    let mut lab = Lab::new();
    assert!(lab.reaches("ana"));
    lab.desk.wait(31_000);
    assert_effects(lab.desk.put(answer(lab.old, "old", "ana")), [handed(lab.ana, &answer_text("old", "ana"))]);
    assert_eq!(lab.available(), [""; 0]);
    lab.says("available");

    assert!(lab.reaches("ana"));
    lab.desk.wait(31_000);
    assert!(lab.reaches("ben"));
    assert_effects(lab.desk.put(answer(lab.old, "old", "ana")), []);
    assert_effects(lab.desk.put(answer(lab.old, "old", "ben")), [handed(lab.ben, &answer_text("old", "ben"))]);
}

#[test]
fn hazard_14_a_worker_frees_itself_by_registering_again_where_it_is() {
    let mut lab = Lab::new();
    lab.engage();
    // What it sends when its client's connection has closed.
    lab.registers_again(lab.old, "available");
    assert_eq!(lab.available(), ["old"]);
}

#[test]
fn what_a_worker_said_before_it_read_the_offer_is_no_proof() {
    let mut lab = Lab::new();
    assert!(lab.reaches("ana"));
    // A second registration that crossed the offer on its way.
    lab.registers_again(lab.old, "available");
    lab.says("available");
    assert_eq!(lab.available(), [""; 0]);
    assert!(!lab.reaches("ben"));
    // Whatever it says from here on is newer.
    lab.says("reserved");
    lab.says("available");
    assert_eq!(lab.available(), ["old"]);
}

#[test]
fn hazard_01_a_register_on_a_new_socket_is_no_proof() {
    let mut lab = Lab::new();
    lab.engage();
    for (n, closes_first) in [(20, false), (21, true)] {
        if closes_first {
            lab.desk.go(closes(lab.old));
        }
        lab.old = lab.desk.enter(conn(n), "old", old_worker("old"));
        assert_eq!(lab.status(), "reserved", "it says available and holds a client's connection");
        assert!(!lab.reaches("ben"));
    }
    // On that socket it says so once more when the client has left.
    lab.registers_again(lab.old, "available");
    assert_eq!(lab.available(), ["old"]);
}

#[test]
fn hazard_01_a_restarted_server_does_not_show_a_taken_worker_as_free() {
    let mut lab = Lab::new();
    lab.engage();
    let since = lab.desk.now;
    assert_eq!(lab.stored(), Some(Taken { by: Some(peer("ana")), job_id: None, since }));
    lab.desk.restart(quiet());
    lab.come_back();
    assert_eq!(lab.status(), "reserved");
    assert!(!lab.reaches("ben"));
    lab.desk.wait(12 * HOUR - 1);
    lab.desk.tick();
    assert_eq!(lab.status(), "reserved");
    lab.desk.wait(1);
    assert_eq!(lab.available(), ["old"], "nobody has said anything for half a day");
    assert_eq!(lab.stored(), None);
}

#[test]
fn after_a_restart_the_workers_own_word_counts_as_before() {
    let mut lab = Lab::new();
    lab.engage();
    lab.desk.restart(quiet());
    lab.come_back();
    // Its client, which may be the same program or not, comes by the same name: it has the worker.
    assert!(lab.reaches("ana"));
    lab.registers_again(lab.old, "available");
    assert_eq!(lab.available(), ["old"]);
}

#[test]
fn what_nobody_has_confirmed_is_not_remembered_over_a_restart() {
    let mut lab = Lab::new();
    assert!(lab.reaches("ana"));
    assert_eq!(lab.stored(), None);
    lab.desk.restart(quiet());
    lab.come_back();
    assert_eq!(lab.available(), ["old"], "offer and answer are lost with the server");
}

#[test]
fn a_worker_that_is_gone_for_long_is_forgotten_over_restarts_too() {
    let mut lab = Lab::new();
    lab.engage();
    lab.desk.restart(quiet());
    lab.desk.tick();
    lab.desk.wait(7 * HOUR);
    lab.desk.restart(quiet());
    lab.desk.wait(5 * HOUR);
    lab.desk.tick();
    assert_eq!(lab.desk.room.stats().occupied, 0);
    assert_eq!(lab.desk.workers.len(), 0, "{:?}", lab.desk.workers);
}

#[test]
fn the_same_client_may_offer_again() {
    let mut lab = Lab::new();
    lab.engage();
    assert!(lab.reaches("ana"), "its reconnect");
    lab.desk.wait(MINUTE);
    lab.desk.tick();
    assert_eq!(lab.status(), "reserved", "whether that is answered or not");
    lab.desk.go(closes(lab.ana));
    lab.desk.wait(MINUTE);
    lab.ana = lab.desk.enter(conn(30), "ana", plain("ana", "client", json!({})));
    assert!(lab.reaches("ana"), "also by a new connection");
    lab.desk.wait(2 * MINUTE);
    lab.desk.tick();
    assert_eq!(lab.status(), "reserved");
}

#[test]
fn a_room_that_everybody_has_left_stays_until_it_knows_that_the_client_has_gone() {
    let mut lab = Lab::new();
    lab.engage();
    for peer in [lab.old, lab.ana, lab.ben] {
        lab.desk.go(closes(peer));
    }
    assert!(!lab.desk.room.may_unload(), "the store does not know since when the client is away");
    lab.desk.wait(2 * MINUTE);
    lab.desk.tick();
    assert!(lab.desk.room.may_unload());
    lab.desk.restart(quiet());
    lab.come_back();
    assert_eq!(lab.available(), ["old"]);
}

#[test]
fn nobody_else_gets_the_name_of_a_worker_that_is_away_with_a_job() {
    let mut lab = Lab::new();
    lab.engage();
    lab.desk.go(closes(lab.old));
    for role in ["worker", "client"] {
        let frames = lab.desk.go(registers(conn(51), keyed("mallory"), plain("old", role, json!({}))));
        assert_eq!(only(frames), (conn(51), error(Code::Forbidden, "Peer old belongs to somebody else")));
    }
    lab.old = lab.desk.enter(conn(52), "old", old_worker("old"));
    assert_eq!(lab.status(), "reserved");
    assert!(!lab.reaches("ben"));
}

#[test]
fn somebody_of_the_same_name_is_not_the_same_client() {
    let mut lab = Lab::new();
    lab.engage();
    lab.desk.go(closes(lab.ana));
    lab.ana = lab.desk.enter(conn(30), "ben", plain("ana", "client", json!({})));
    assert!(!lab.reaches("ana"));
}

#[test]
fn a_client_of_ours_that_is_back_has_its_worker_still() {
    let mut lab = Lab::new();
    lab.ana = lab.desk.client("ana", 31);
    lab.engage();
    lab.desk.go(closes(lab.ana));
    lab.desk.wait(MINUTE);
    lab.ana = lab.desk.client("ana", 32);
    lab.desk.wait(2 * MINUTE);
    lab.desk.tick();
    assert_eq!(lab.status(), "reserved");
}

#[test]
fn a_worker_that_refuses_an_offer_is_not_the_clients() {
    let mut lab = Lab::new();
    assert!(lab.reaches("ana"));
    let refusal = r#"{"type":"error","target":"ana","reason":"worker_busy","current_status":"busy"}"#;
    assert_effects(lab.desk.put(heard(lab.old, refusal)), [handed(lab.ana, refusal)]);
    assert_eq!(lab.available(), ["old"], "as it says itself");
    assert!(lab.reaches("ben"));
}

#[test]
fn candidates_of_others_reach_nobodys_connection() {
    let mut lab = Lab::new();
    lab.engage();
    let candidate = |name| json!({"type": "candidate", "sender": name, "target": "old", "candidate": {}}).to_string();
    assert_effects(lab.desk.put(heard(lab.ben, &candidate("ben"))), []);
    let own = candidate("ana");
    assert_effects(lab.desk.put(heard(lab.ana, &own)), [handed(lab.old, &own)]);
}

#[test]
fn where_offers_are_not_strict_a_worker_is_whose_it_answers() {
    let switches = Switches { strict_offers: false, ..Switches::default() };
    let mut record = record(RoomKind::Named);
    record.switches = switches;
    let mut lab = Lab::with(Desk::with(record, quiet()));
    lab.engage();
    assert!(lab.reaches("ben"));
    lab.desk.go(answer(lab.old, "old", "ben"));
    lab.desk.go(closes(lab.ana));
    lab.desk.wait(3 * MINUTE);
    lab.desk.tick();
    assert_eq!(lab.status(), "reserved", "ana's leaving does not matter any more");
}

#[test]
fn workers_of_ours_judge_their_offers_themselves() {
    let mut lab = Lab::new();
    let new = lab.desk.worker("new", 40);
    for (conn, name) in [(lab.ana, "ana"), (lab.ben, "ben")] {
        assert_effects(lab.desk.put(offer(conn, name, "new")), [handed(new, &offer_text(name, "new"))]);
    }
    assert_eq!(lab.desk.shown(lab.ben, "ben", "new", "status"), "available");
}

#[test]
fn free_workers_come_first() {
    let mut lab = Lab::new();
    lab.desk.enter(conn(41), "other", old_worker("other"));
    lab.engage();
    assert_eq!(lab.desk.found(lab.ben, "ben", json!({"role": "worker"})), ["other", "old"]);
    assert_eq!(lab.desk.found(lab.ben, "ben", json!({"role": "worker", "limit": 1})), ["other"]);
    assert_eq!(lab.available(), ["other"]);
}

#[test]
fn hazard_14_a_worker_runs_a_job_while_it_says_available() {
    let mut lab = Lab::new();
    let effects = lab.assign("job_1");
    assert_eq!(effects.first(), Some(&handed(lab.old, r#"{"type":"job_assigned"}"#)));
    assert_eq!(Lab::answer_of(&effects), Answer::Forwarded);
    assert_eq!(lab.available(), [""; 0], "in the step in which it was assigned");
    lab.reports("job_1", json!({"status": "accepted"}));
    lab.says("available");
    lab.registers_again(lab.old, "available");
    assert_eq!(lab.status(), "busy", "that is not about the job");
    assert_eq!(lab.desk.shown(lab.ben, "ben", "old", "current_job_id"), "job_1");
    assert_effects(lab.desk.put(offer(lab.ben, "ben", "old")), [sent(lab.ben, busy("ben", "busy"))]);
    let again = lab.assign("job_2");
    assert_eq!(Lab::answer_of(&again), Answer::WorkerBusy);
    assert_eq!(lab.status(), "busy");
}

#[test]
fn a_tracking_job_is_over_soon_after_its_end() {
    for (status, after) in [("complete", 10_000), ("failed", 10_000), ("rejected", 0)] {
        let mut lab = Lab::new();
        lab.assign("job_1");
        lab.reports("job_1", json!({"status": "accepted"}));
        lab.reports("job_2", json!({"status": status}));
        lab.desk.wait(after);
        assert_eq!(lab.available(), [""; 0], "that is another job");
        lab.reports("job_1", json!({"status": status}));
        if after > 0 {
            lab.desk.wait(after - 1);
            assert_eq!(lab.available(), [""; 0], "a second model, or the inference, may follow");
            lab.desk.wait(1);
        }
        assert_eq!(lab.available(), ["old"], "{status}");
    }
}

#[test]
fn two_stage_job_has_one_id_and_one_end() {
    let mut lab = Lab::new();
    lab.assign("job_1");
    for part in [
        json!({"status": "accepted"}),
        json!({"status": "running", "epoch": 1}),
        json!({"status": "complete"}),
        json!({"event": "model_type_switch", "model_type": "centroid"}),
        json!({"status": "running", "message": "Training model 2/2"}),
    ] {
        lab.reports("job_1", part);
    }
    lab.desk.wait(11 * HOUR);
    assert_eq!(lab.status(), "busy", "the second model is silent for long");
    lab.reports("job_1", json!({"status": "complete"}));
    lab.progress("job_1");
    lab.reports("job_1", json!({"status": "running", "stage": "inference"}));
    lab.desk.wait(MINUTE);
    assert_eq!(lab.status(), "busy");
    lab.reports("job_1", json!({"status": "complete", "stage": "inference"}));
    assert_eq!(lab.available(), ["old"]);
}

#[test]
fn an_inference_that_is_skipped_is_the_end() {
    let mut lab = Lab::new();
    lab.assign("job_1");
    lab.reports("job_1", json!({"status": "failed", "message": "Job cancelled by user"}));
    lab.reports("job_1", json!({"status": "running", "message": "INFERENCE_SKIPPED::{\"reason\": \"cancelled\"}"}));
    assert_eq!(lab.available(), ["old"]);
}

#[test]
fn a_job_of_which_nothing_is_heard_is_over() {
    let mut lab = Lab::new();
    lab.assign("job_1");
    lab.desk.wait(30_000);
    assert_eq!(lab.available(), ["old"], "the worker has not taken it");
    lab.reports("job_1", json!({"status": "accepted"}));
    assert_eq!(lab.status(), "busy", "it has, late");
    for _ in 0..3 {
        lab.desk.wait(11 * HOUR);
        lab.progress("job_1");
    }
    lab.desk.wait(12 * HOUR);
    assert_eq!(lab.available(), ["old"]);
}

#[test]
fn a_job_survives_the_worker_s_connection_and_the_server() {
    let mut lab = Lab::new();
    lab.assign("job_1");
    lab.reports("job_1", json!({"status": "running"}));
    lab.old = lab.desk.enter(conn(20), "old", old_worker("old"));
    assert_eq!(lab.status(), "busy");
    assert_eq!(lab.stored().map(|taken| (taken.by, taken.job_id)), Some((None, Some("job_1".to_owned()))));
    lab.desk.restart(quiet());
    lab.come_back();
    assert_eq!(lab.status(), "busy");
    lab.reports("job_1", json!({"status": "complete", "stage": "inference"}));
    assert_eq!(lab.available(), ["old"]);
}

#[test]
fn a_job_is_assigned_to_free_workers_of_the_deployed_kind_only() {
    let mut lab = Lab::new();
    lab.desk.worker("new", 40);
    let calls_for = |worker: &str| {
        calls(7, Call::Assign { worker: peer(worker), job_id: "j".to_owned(), text: "{}".to_owned().into() })
    };
    assert_eq!(lab.desk.put(calls_for("new")), [answered(Answer::Unsupported)]);
    assert_eq!(lab.desk.put(calls_for("nobody")), [answered(Answer::NoSuchPeer)]);
    lab.says("reserved");
    assert_eq!(lab.desk.put(calls_for("old")), [answered(Answer::WorkerBusy)], "it has promised itself");
    lab.says("available");
    lab.engage();
    assert_eq!(lab.desk.put(calls_for("old")), [answered(Answer::WorkerBusy)]);
}

#[test]
fn a_worker_that_goes_for_good_or_becomes_another_is_nobodys() {
    for goes in [
        |lab: &mut Lab| _ = lab.desk.go(calls(1, Call::DeletePeer(peer("old")))),
        |lab: &mut Lab| {
            // What its process does when it ends: the connection first.
            lab.desk.go(closes(lab.old));
            lab.desk.go(calls(1, Call::DeletePeer(peer("old"))));
        },
        |lab: &mut Lab| _ = lab.desk.go(says(lab.old, FromPeer::Leave)),
    ] {
        let mut lab = Lab::new();
        lab.engage();
        goes(&mut lab);
        assert_eq!((lab.desk.room.stats().occupied, lab.stored()), (0, None));
    }
    let mut lab = Lab::new();
    lab.engage();
    lab.desk.enter(conn(50), "old", worker("old"));
    assert_eq!(lab.desk.room.stats().occupied, 0, "it has become one of ours, which tells by itself");
    assert_eq!(lab.desk.found(lab.ben, "ben", json!({"properties": {"status": "available"}})), ["old"]);
}

#[test]
fn a_worker_of_the_deployed_kind_is_no_reason_to_wait() {
    let mut lab = Lab::new();
    let zoe = lab.desk.client("zoe", 60);
    lab.engage();
    let refused = lab.desk.refused(zoe, claim("r1"));
    assert_eq!((refused.workers.matching, refused.workers.busy), (0, 0), "it cannot be claimed, taken or not");
}

#[test]
fn no_more_workers_are_remembered_than_peers_may_be_here() {
    let config = RoomConfig { max_peers: 3, ..quiet() };
    let mut lab = Lab::with(Desk::with(record(RoomKind::Named), config));
    for n in 0..6 {
        lab.engage();
        lab.desk.go(closes(lab.old));
        let name = format!("old{n}");
        lab.name.clone_from(&name);
        lab.old = lab.desk.enter(conn(70 + n), &name, old_worker(&name));
    }
    assert_eq!(lab.desk.room.stats().occupied, 3);
    assert_eq!(lab.desk.workers.len(), 3);
}

/// A room with one worker of the deployed kind and two such clients, each on a machine of its own.
struct Lab {
    desk: Desk,
    old: ConnId,
    ana: ConnId,
    ben: ConnId,
    name: String,
}

impl Lab {
    fn new() -> Self {
        Self::with(Desk::with(record(RoomKind::Named), quiet()))
    }

    fn with(mut desk: Desk) -> Self {
        let old = desk.enter(conn(1), "old", old_worker("old"));
        let ana = desk.enter(conn(2), "ana", plain("ana", "client", json!({})));
        let ben = desk.enter(conn(3), "ben", plain("ben", "client", json!({})));
        Self { desk, old, ana, ben, name: "old".to_owned() }
    }

    /// All are back after a restart.
    fn come_back(&mut self) {
        *self = Self::with(std::mem::replace(&mut self.desk, Desk::new()));
    }

    /// Whether this client's offer is handed on to the worker.
    fn reaches(&mut self, client: &str) -> bool {
        let conn = if client == "ana" { self.ana } else { self.ben };
        let frames = self.desk.go(offer(conn, client, &self.name));
        frames.iter().any(|(to, frame)| *to == self.old && matches!(frame, ToPeer::Relayed(_)))
    }

    /// Ana's offer, and all that the worker does then.
    fn engage(&mut self) {
        assert!(self.reaches("ana"));
        self.says("reserved");
        let answer = answer(self.old, &self.name, "ana");
        assert_eq!(self.desk.go(answer).len(), 1);
    }

    fn says(&mut self, word: &str) {
        let status = status(&self.name, word);
        let frames = self.desk.go(says(self.old, status));
        assert!(matches!(only(frames), (_, ToPeer::MetadataUpdated { .. })));
    }

    fn registers_again(&mut self, conn: ConnId, word: &str) {
        let register = plain(&self.name, "worker", json!({"status": word}));
        self.desk.enter(conn, &self.name.clone(), register);
    }

    fn assign(&mut self, job: &str) -> Vec<Effect> {
        let text = Text::from(r#"{"type":"job_assigned"}"#.to_owned());
        self.desk.put(calls(7, Call::Assign { worker: peer(&self.name), job_id: job.to_owned(), text }))
    }

    fn answer_of(effects: &[Effect]) -> Answer {
        let answers = effects.iter().filter_map(|effect| match effect {
            Effect::Answer { answer, .. } => Some(*answer),
            _ => None,
        });
        answers.last().unwrap()
    }

    fn reports(&mut self, job: &str, mut report: Value) {
        report["type"] = "job_status".into();
        report["job_id"] = job.into();
        self.desk.go(heard(self.old, &report.to_string()));
    }

    fn progress(&mut self, job: &str) {
        let report = json!({"type": "job_progress", "job_id": job, "event": "epoch_end"});
        self.desk.go(heard(self.old, &report.to_string()));
    }

    /// As everybody sees it.
    fn status(&mut self) -> Value {
        self.desk.shown(self.ben, "ben", &self.name.clone(), "status")
    }

    fn available(&mut self) -> Vec<String> {
        self.desk.found(self.ben, "ben", json!({"role": "worker", "properties": {"status": "available"}}))
    }

    fn stored(&self) -> Option<Taken> {
        self.desk.workers.get(&peer(&self.name))?.taken.clone()
    }
}

/// Nobody is pinged.
fn quiet() -> RoomConfig {
    RoomConfig { ping_ms: 1 << 50, ..RoomConfig::default() }
}

fn old_worker(name: &str) -> Register {
    plain(name, "worker", json!({"status": "available"}))
}

fn offer_text(from: &str, to: &str) -> String {
    json!({"type": "offer", "sender": from, "target": to, "sdp": "v=0"}).to_string()
}

fn offer(conn: ConnId, from: &str, to: &str) -> Input {
    heard(conn, &offer_text(from, to))
}

fn answer_text(from: &str, to: &str) -> String {
    json!({"type": "answer", "sender": from, "target": to, "sdp": "v=0"}).to_string()
}

fn answer(conn: ConnId, from: &str, to: &str) -> Input {
    heard(conn, &answer_text(from, to))
}

fn heard(conn: ConnId, text: &str) -> Input {
    says(conn, FromPeer::decode(&Text::from(text.to_owned())).unwrap())
}

fn handed(conn: ConnId, text: &str) -> Effect {
    sent(conn, ToPeer::Relayed(text.to_owned().into()))
}

fn busy(client: &str, status: &str) -> ToPeer {
    let error = ErrorFrame::worker_busy(&peer(client), status);
    assert_eq!((error.code, error.reason.as_str()), (Code::WorkerBusy, "worker_busy"));
    ToPeer::Error(error)
}

fn answered(answer: Answer) -> Effect {
    Effect::Answer { id: sleap_rtc_room::CallId(7), answer }
}
