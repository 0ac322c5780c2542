//! What the dashboard in a browser does: it cannot open a link, and works through the server.

use std::io::{BufRead as _, BufReader};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::finding::{status, until_free};
use super::jobs::the_ports;
use super::lab::Member;
use super::{Lab, PyWorker, step};
use crate::house::until;

/// A browser of somebody who is logged in.
struct Browser {
    http: String,
    jwt: String,
    room: String,
    worker: String,
}

/// The events of one channel as they come.
struct Stream(Arc<Mutex<Vec<Value>>>);

impl Browser {
    fn of(lab: &Lab, member: &Member, worker: &PyWorker) -> Self {
        let jwt = member.home.credentials()["jwt"].as_str().expect("a token").to_owned();
        Self { http: lab.house.http().to_owned(), jwt, room: member.room.clone(), worker: worker.id.clone() }
    }

    fn post(&self, path: &str, mut body: Value) -> Value {
        body["room_id"] = json!(self.room);
        if path != "/api/stream-ticket" {
            body["peer_id"] = json!(self.worker);
        }
        let bearer = format!("Bearer {}", self.jwt);
        let reply = ureq::post(format!("{}{path}", self.http)).header("Authorization", &bearer).send_json(body);
        reply.unwrap_or_else(|error| panic!("{path}: {error}")).body_mut().read_json().expect("JSON")
    }

    /// As `EventSource` does: without a header, with a ticket.
    fn stream(&self, channel: &str) -> Stream {
        let ticket = self.post("/api/stream-ticket", json!({"channel": channel}));
        let ticket = ticket["ticket"].as_str().expect("a ticket");
        let channel = channel.replace(':', "%3A");
        let url = format!("{}/stream/{channel}?ticket={ticket}", self.http);
        let reply = ureq::get(url).call().expect("a stream");
        let events = Arc::<Mutex<Vec<Value>>>::default();
        let heard = events.clone();
        // Ends when the server does.
        std::thread::spawn(move || {
            let reader = BufReader::new(reply.into_body().into_reader());
            for line in reader.lines().map_while(Result::ok) {
                if let Some(event) = line.strip_prefix("data: ") {
                    heard.lock().expect("the events").push(serde_json::from_str(event).expect("JSON"));
                }
            }
        });
        Stream(events)
    }

    fn submit(&self, worker: &PyWorker, epochs: u32) -> String {
        let config = json!({
            "type": "train",
            "config_paths": [worker.home.at("centroid.yaml")],
            "labels_path": worker.home.at("flies.pkg.slp"),
            "max_epochs": epochs,
        });
        let submitted = self.post("/api/jobs/submit", json!({"config": config}));
        submitted["job_id"].as_str().expect("an id").to_owned()
    }
}

impl Stream {
    fn has(&self, fits: impl Fn(&Value) -> bool) -> bool {
        self.0.lock().expect("the events").iter().any(fits)
    }

    fn until(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.0.lock().expect("the events").iter().find(|event| fits(event)).cloned())
    }

    fn status(&self, wanted: &str) -> Value {
        self.until(&format!("the job is {wanted}"), |event| event["status"] == wanted)
    }
}

#[test]
fn hazard_14_a_browser_lists_a_folder_trains_and_cancels_and_the_worker_counts_as_taken() {
    let Some(lab) = Lab::open() else { return };
    let ada = lab.member("ada");
    let _ports = the_ports();
    // The inference after the training lasts longer than the room waits for another part of a job after one has ended (10 s).
    let knobs = [("STANDIN_SLOW_MS", "20"), ("STANDIN_JOIN_MS", "500"), ("STANDIN_TRACK_MS", "12000")];
    let worker = lab.worker_with(&ada, &knobs);
    let browser = Browser::of(&lab, &ada, &worker);
    let channel = browser.stream(&format!("worker:{}", worker.id));
    step("list a folder through the server", || {
        browser.post("/api/fs/list", json!({"path": worker.home.data(), "req_id": "r1"}));
        let listed = channel.until("the folder is listed", |event| event["req_id"] == "r1");
        let names: Vec<&Value> =
            listed["entries"].as_array().expect("entries").iter().map(|entry| &entry["name"]).collect();
        assert!(names.contains(&&json!("flies.pkg.slp")), "{listed}");
    });
    step("a job through the server", || {
        let job = browser.submit(&worker, 2);
        let stream = browser.stream(&job);
        stream.status("submitted");
        stream.status("accepted");
        stream.until("an epoch has ended", |event| event["event"] == "epoch_end");
        stream.status("complete");
        stream.until("the inference begins", |event| event["status"] == "running" && event["stage"] == "inference");
        let mut looks = 0;
        until("the inference ends", || {
            looks += 1;
            // In this order: what is asked for first was true before what is looked at next.
            let shown = status(&ada, &worker.id);
            let ended = stream.has(|event| event["predictions_path"].is_string());
            assert!(ended || shown != "available", "the worker infers, and is shown as free");
            ended.then_some(())
        });
        assert!(looks > 3, "the inference was over before anybody could look");
    });
    until_free(&ada, &worker.id);
    step("cancel a job through the server", || {
        let job = browser.submit(&worker, 500);
        let stream = browser.stream(&job);
        stream.until("it trains", |event| event["event"] == "epoch_end");
        // Python workers say `available` all the time.
        assert_ne!(status(&ada, &worker.id), "available");
        browser.post(&format!("/api/jobs/{job}/cancel"), json!({"mode": "cancel"}));
        let failed = stream.status("failed");
        assert_eq!(failed["message"], "Job cancelled by user", "{failed}");
    });
    until_free(&ada, &worker.id);
    assert!(worker.has_never_dropped_its_link());
}
