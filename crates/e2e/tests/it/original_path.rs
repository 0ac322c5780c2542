//! A peer as the original design has it, which knows no claims: anonymous sign-in, discovery, `job_request`. The worker is a
//! real process.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::house::House;
use crate::house::wait::PATIENCE;

/// A client of the original design, in the room.
pub(crate) struct Seed {
    id: String,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Seed {
    pub(crate) async fn join(house: &House) -> Self {
        let url = format!("{}/anonymous-signin", house.http());
        let signed_in: Value = ureq::post(&url).send_empty().unwrap().body_mut().read_json().unwrap();
        let id = signed_in["username"].as_str().unwrap().to_owned();
        let (socket, _) = connect_async(house.ws()).await.unwrap();
        let mut seed = Self { id: id.clone(), socket };
        seed.send(json!({
            "type": "register", "peer_id": id, "room_id": house.get("SLEAP_RTC_ROOM_ID"),
            "token": house.get("SLEAP_RTC_ROOM_TOKEN"), "id_token": signed_in["id_token"], "role": "client",
            "metadata": {"tags": ["sleap-rtc", "training-client"], "properties": {"platform": "linux"}},
        }))
        .await;
        seed.next("registered_auth").await;
        seed
    }

    async fn send(&mut self, frame: Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next frame, which must be of this type.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        let frame = self.frame().await;
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    async fn frame(&mut self) -> Value {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("a frame in time").unwrap().unwrap();
            if let Message::Text(text) = message {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Every worker, whatever it does.
    pub(crate) async fn workers(&mut self) -> Vec<Value> {
        let filters = json!({"role": "worker"});
        self.send(json!({"type": "discover_peers", "from_peer_id": self.id, "filters": filters})).await;
        self.next("peer_list").await["peers"].as_array().unwrap().clone()
    }

    /// The frame that the original's `find_available_workers` sends, as it stands.
    pub(crate) async fn available_workers(&mut self) -> Vec<Value> {
        let filters = json!({
            "role": "worker", "tags": ["sleap-rtc", "training-worker"],
            "properties": {"gpu_memory_mb": {"$gte": 0}, "status": "available"},
        });
        self.send(json!({"type": "discover_peers", "from_peer_id": self.id, "filters": filters})).await;
        let list = self.next("peer_list").await;
        list["peers"].as_array().unwrap().clone()
    }

    pub(crate) async fn say(&mut self, to: &str, payload: Value) {
        self.send(json!({"type": "peer_message", "from_peer_id": self.id, "to_peer_id": to, "payload": payload})).await;
    }

    pub(crate) async fn request(&mut self, to: &str, job: &str) {
        self.say(
            to,
            json!({
                "app_message_type": "job_request", "job_id": job, "job_type": "training",
                "dataset_info": {"format": "slp", "frame_count": 12}, "config": {"model_type": "centroid", "epochs": 2},
                "requirements": {"min_gpu_memory_mb": 0}, "timeout_ms": 5000,
            }),
        )
        .await;
    }

    /// The worker's answer to a request.
    pub(crate) async fn response(&mut self) -> Value {
        let frame = self.next("peer_message").await;
        assert_eq!(frame["payload"]["app_message_type"], "job_response", "{frame}");
        frame["payload"].clone()
    }
}

#[tokio::test]
async fn a_peer_that_knows_no_claims_finds_reserves_and_gives_back_a_worker() {
    let house = House::with_room();
    let _worker = house.worker();
    let mut ada = Seed::join(&house).await;
    let mut bob = Seed::join(&house).await;
    let found = ada.available_workers().await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["role"], "worker");
    let properties = &found[0]["metadata"]["properties"];
    assert!(properties["gpu_model"].is_string() && properties["sleap_nn_version"].is_string(), "{properties}");
    let gpu_box = found[0]["peer_id"].as_str().unwrap().to_owned();

    let asked = tokio::time::Instant::now();
    ada.request(&gpu_box, "job-of-ada").await;
    let yes = ada.response().await;
    assert_eq!((&yes["job_id"], &yes["accepted"]), (&json!("job-of-ada"), &json!(true)), "{yes}");
    assert_eq!(yes["estimated_duration_minutes"], 1.0, "two epochs of half a minute");
    // The answer came after the reservation: nobody finds the worker any more.
    assert_eq!(bob.available_workers().await, Vec::<Value>::new());

    bob.request(&gpu_box, "job-of-bob").await;
    let no = bob.response().await;
    assert_eq!((&no["accepted"], &no["reason"]), (&json!(false), &json!("busy")), "{no}");

    // Ada says nothing more: ten seconds later the worker is free again, and bob gets it.
    while bob.available_workers().await.is_empty() {
        assert!(asked.elapsed() < PATIENCE, "the reservation is never given up");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(asked.elapsed() > Duration::from_secs(9), "given up too early");
    bob.request(&gpu_box, "job-of-bob").await;
    assert_eq!(bob.response().await["accepted"], true);
}

#[tokio::test]
async fn a_peer_that_knows_no_claims_may_change_its_mind() {
    let house = House::with_room();
    let _worker = house.worker();
    let mut ada = Seed::join(&house).await;
    let gpu_box = ada.available_workers().await[0]["peer_id"].as_str().unwrap().to_owned();
    ada.request(&gpu_box, "job-1").await;
    assert_eq!(ada.response().await["accepted"], true);
    ada.say(&gpu_box, json!({"app_message_type": "job_cancel", "job_id": "job-1", "reason": "a typo"})).await;
    let cancelled = ada.next("peer_message").await;
    assert_eq!(cancelled["payload"]["app_message_type"], "job_cancelled");
    let waited = tokio::time::Instant::now();
    while ada.available_workers().await.is_empty() {
        assert!(waited.elapsed() < PATIENCE, "the reservation is never given up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Both are looked at together: the worker belongs to one of the two designs at a time.
#[tokio::test]
async fn a_worker_reserved_the_old_way_is_not_given_to_a_claim() {
    let house = House::with_room();
    let _worker = house.worker();
    let mut ada = Seed::join(&house).await;
    let gpu_box = ada.available_workers().await[0]["peer_id"].as_str().unwrap().to_owned();
    ada.request(&gpu_box, "job-1").await;
    assert_eq!(ada.response().await["accepted"], true);
    // From now on it may take a minute until the offer comes.
    ada.say(&gpu_box, json!({"app_message_type": "job_assignment", "job_id": "job-1", "initiate_connection": true}))
        .await;
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    let refused = laptop.run(&["train", "flies.pkg.slp", "--config", "centroid.yaml"]);
    let fault = refused.fails(sleap_rtc_cli::exit::Exit::NoWorker);
    assert!(fault.error.contains("no worker in"), "{}", fault.text);
}
