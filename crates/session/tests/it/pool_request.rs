//! The original's way to a worker: `job_request` to several, the smallest estimate gets `job_assignment`, the others free
//! themselves.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sleap_rtc_session::pool_worker::{ASSIGN_MS, Admission, Effect};
use sleap_rtc_wire::ToPeer;

use crate::pool_worker::{Worker, job, message, peer, updated};

/// Workers in one room, whose updates the room confirms.
struct Lab(BTreeMap<&'static str, Worker>);

impl Lab {
    fn new<const N: usize>(names: [&'static str; N]) -> Self {
        Self(names.into_iter().map(|name| (name, Worker::up())).collect())
    }

    /// Asks every worker; what they answer once the room has marked them.
    fn request(&mut self, from: &str, minutes: &[(&'static str, f64)]) -> BTreeMap<&'static str, Value> {
        let mut answers = BTreeMap::new();
        for (name, minutes) in minutes {
            let worker = self.0.get_mut(name).unwrap();
            let request = json!({
                "app_message_type": "job_request", "job_id": "p1", "job_type": "training",
                "requirements": {"estimated_duration_minutes": minutes},
            });
            worker.frame(message(from, &request));
            let update = worker.sent().remove(0);
            assert_eq!(update["if"], json!({"properties": {"status": "available"}}));
            worker.frame(updated("reserved", update["request_id"].as_str()));
            answers.insert(*name, worker.sent().remove(0)["payload"].clone());
        }
        answers
    }

    fn say(&mut self, name: &str, frame: ToPeer) -> Vec<Value> {
        let worker = self.0.get_mut(name).unwrap();
        worker.frame(frame);
        worker.sent()
    }

    fn wait(&mut self, name: &str, ms: u64) -> Vec<Value> {
        let worker = self.0.get_mut(name).unwrap();
        worker.now = worker.now.plus_ms(ms);
        worker.tick();
        worker.sent()
    }
}

#[test]
fn of_several_workers_the_smallest_estimate_gets_the_job_and_the_others_are_free_again() {
    let mut lab = Lab::new(["gpu1", "gpu2", "gpu3"]);
    let answers = lab.request("ada", &[("gpu1", 40.0), ("gpu2", 15.0), ("gpu3", 30.0)]);
    for answer in answers.values() {
        assert_eq!((&answer["app_message_type"], &answer["accepted"]), (&json!("job_response"), &json!(true)));
        assert_eq!((&answer["job_id"], &answer["estimated_start_time_sec"]), (&json!("p1"), &json!(0)));
        assert!(answer["worker_info"]["available_memory_mb"].is_u64());
    }
    let minutes = |answer: &Value| answer["estimated_duration_minutes"].as_f64().unwrap();
    let (best, _) = answers.iter().min_by(|a, b| minutes(a.1).total_cmp(&minutes(b.1))).unwrap();
    assert_eq!(*best, "gpu2");

    let assignment = json!({"app_message_type": "job_assignment", "job_id": "p1", "initiate_connection": true});
    let sent = lab.say(best, message("ada", &assignment));
    assert_eq!(sent[0]["metadata"]["properties"]["status"], "busy");
    for other in ["gpu1", "gpu3"] {
        assert_eq!(lab.wait(other, ASSIGN_MS - 1), Vec::<Value>::new());
        let sent = lab.wait(other, 1);
        let properties = &sent[0]["metadata"]["properties"];
        assert_eq!((&properties["status"], &properties["pending_job_id"]), (&json!("available"), &Value::Null));
        assert_eq!(lab.say(other, message("ada", &assignment)), Vec::<Value>::new(), "too late");
    }
    // The one that was chosen waits on for the offer.
    assert_eq!(lab.wait(best, ASSIGN_MS), Vec::<Value>::new());
}

#[test]
fn somebody_else_is_told_busy_until_the_slot_is_free_again() {
    let mut lab = Lab::new(["gpu1"]);
    lab.request("ada", &[("gpu1", 10.0)]);
    let other = json!({"app_message_type": "job_request", "job_id": "p2"});
    let sent = lab.say("gpu1", message("bob", &other));
    assert_eq!((&sent[0]["payload"]["accepted"], &sent[0]["payload"]["reason"]), (&json!(false), &json!("busy")));
    // Whoever asks again for the same hears the same.
    let again = json!({"app_message_type": "job_request", "job_id": "p1"});
    assert_eq!(lab.say("gpu1", message("ada", &again))[0]["payload"]["accepted"], true);
    lab.wait("gpu1", ASSIGN_MS);
    let sent = lab.say("gpu1", message("bob", &other));
    assert_eq!(sent[0]["metadata"]["properties"]["pending_job_id"], "p2");
}

#[test]
fn an_assignment_of_somebody_else_or_of_another_job_books_nothing() {
    let mut lab = Lab::new(["gpu1"]);
    lab.request("ada", &[("gpu1", 10.0)]);
    for (from, id) in [("bob", "p1"), ("ada", "p2")] {
        let assignment = json!({"app_message_type": "job_assignment", "job_id": id});
        assert_eq!(lab.say("gpu1", message(from, &assignment)), Vec::<Value>::new());
    }
    let worker = lab.0.get_mut("gpu1").unwrap();
    worker.frame(message("ada", &json!({"app_message_type": "job_assignment", "job_id": "p1"})));
    worker.effects();
    worker.frame(crate::pool_worker::offer("ada", None, None));
    let admission = Admission::Plain { job: Some(job("p1")) };
    assert_eq!(worker.acts(), [Effect::Answer { from: peer("ada"), sdp: "offer-ada".into(), admission }]);
}
