//! Worker and client in one room, over real sockets.

use serde_json::json;
use sleap_rtc_peer::api::Api;
use sleap_rtc_peer::client_pool::{ClientEvent, ClientPool};
use sleap_rtc_peer::home::FenceFile;
use sleap_rtc_peer::worker_pool::{WorkerEvent, WorkerHandle, WorkerPool};
use sleap_rtc_server::ExtraPort;
use sleap_rtc_session::pool_client::{self, ClaimRequest, Fact as ClientFact, Failure, Offer};
use sleap_rtc_session::pool_line::{Cause, FirstTry};
use sleap_rtc_session::pool_worker::{self, Admission, Fact, Start, StartRefused};
use sleap_rtc_wire::claim::{Claimed, EndReason, Reason};
use sleap_rtc_wire::signal;
use sleap_rtc_wire::{Code, Fence, Filters, JobId, Metadata};
use tokio::sync::mpsc;

use crate::rig::{Installation, Room, TestServer, peer};

#[tokio::test]
async fn a_worker_is_found_booked_reached_used_and_free_again() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Worker::join(&server, &room, "gpu1").await;
    let (client, ada, _events) = join(&server, &room, "laptop");
    assert_eq!(found(&client, "available").await, ["gpu1"]);

    let claimed = one(&client, claim("j1")).await;
    assert_eq!(claimed.worker_key, Some(worker.installation.key.public()));
    assert_eq!(found(&client, "reserved").await, ["gpu1"]);
    let (answer, ()) = tokio::join!(client.offer(offer(&claimed, "j1")), async {
        let (from, sdp, admission) = worker.offer().await;
        assert_eq!((from.as_str(), sdp.as_str()), ("laptop", "offer"));
        let Admission::Claim(grant) = admission else { panic!("{admission:?}") };
        assert_eq!((&grant.claim_id, grant.fence), (&claimed.claim_id, claimed.fence));
        assert_eq!(grant.client_key, Some(ada.key.public()));
        worker.handle.answered(from, "answer".to_owned()).await;
    });
    assert_eq!(answer.unwrap(), "answer");
    assert_eq!(worker.fences.load().unwrap().fence, claimed.fence);

    assert_eq!(worker.start(&claimed, "j2").await, Err(StartRefused::NotExpected));
    assert_eq!(worker.start(&claimed, "j1").await, Ok(()));
    assert_eq!(worker.start(&claimed, "j1").await, Err(StartRefused::Busy));
    until_found(&client, "busy").await;
    worker.handle.job_over(job("j1"), false).await;
    until_found(&client, "available").await;
}

#[tokio::test]
async fn both_learn_which_servers_help_to_find_a_path() {
    let server = TestServer::with(|config| {
        config.stun = ExtraPort::Needed(0);
        let turn = vec!["turn:relay:3478".to_owned()];
        config.ice_servers =
            vec![signal::IceServer { urls: turn, username: Some("ada".to_owned()), credential: Some("pw".to_owned()) }];
    })
    .await;
    let room = server.room().await;
    let worker = Worker::join(&server, &room, "gpu1").await;
    let (client, _, _events) = join(&server, &room, "laptop");
    assert_eq!(found(&client, "available").await, ["gpu1"]);
    for told in [client.ice_servers(), worker.handle.ice_servers()] {
        let [stun, turn] = &told[..] else { panic!("{told:?}") };
        assert!(stun.urls[0].starts_with("stun:127.0.0.1:") && stun.username.is_empty(), "{stun:?}");
        assert_eq!(
            (turn.urls[0].as_str(), turn.username.as_str(), turn.credential.as_str()),
            ("turn:relay:3478", "ada", "pw")
        );
    }
}

#[tokio::test]
async fn of_two_clients_one_gets_the_worker_the_other_the_reason() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let _worker = Worker::join(&server, &room, "gpu1").await;
    let (ada, _, _events) = join(&server, &room, "laptop");
    let (bob, _, _events) = join(&server, &room, "desktop");
    let outcomes = tokio::join!(ada.claim(claim("j1")), bob.claim(claim("j2")));
    let (Ok(_), Err(failure)) = (match outcomes {
        (Err(failure), Ok(claimed)) => (Ok(claimed), Err(failure)),
        other => other,
    }) else {
        panic!("not one of two")
    };
    let Failure::Refused(refused) = &failure else { panic!("{failure:?}") };
    assert_eq!((refused.code, refused.reason), (Code::NoFreeWorker, Reason::AllMatchingBusy));
    assert_eq!(failure.to_string(), "the one worker that matches is busy");
}

#[tokio::test]
async fn a_claim_whose_caller_is_gone_is_given_back() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Worker::join(&server, &room, "gpu1").await;
    let (client, _, _events) = join(&server, &room, "laptop");
    let claimed = one(&client, claim("j1")).await;
    {
        let asked = client.offer(offer(&claimed, "j1"));
        tokio::select! {
            outcome = asked => panic!("{outcome:?}"),
            _ = worker.offer() => {}
        }
    }
    until_found(&client, "available").await;
    worker.until(|event| matches!(event, WorkerEvent::Withdraw { .. })).await;
    assert_eq!(worker.start(&claimed, "j1").await, Err(StartRefused::NotExpected));
}

#[tokio::test]
async fn a_running_job_outlives_the_server_and_is_found_again() {
    let mut server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Worker::join(&server, &room, "gpu1").await;
    let (client, _, mut events) = join(&server, &room, "laptop");
    let claimed = one(&client, claim("j1")).await;
    worker.until(|event| matches!(event, WorkerEvent::Fact(Fact::Expecting { .. }))).await;
    worker.start(&claimed, "j1").await.unwrap();
    client.job_runs(true).await;

    server.stop().await;
    worker.until(|event| matches!(event, WorkerEvent::Fact(Fact::Away { .. }))).await;
    loop {
        if let ClientEvent::Fact(ClientFact::Away { job_runs, .. }) = events.recv().await.unwrap() {
            assert!(job_runs);
            break;
        }
    }
    server.again().await;
    worker.until(|event| matches!(event, WorkerEvent::Fact(Fact::Registered(_)))).await;
    assert_eq!(found(&client, "busy").await, ["gpu1"]);
    let refused = client.claim(claim("j2")).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused(_)), "{refused:?}");

    let again = || Offer { worker: peer("gpu1"), sdp: "again".to_owned(), claim: None, job: Some(job("j1")) };
    for kept in [false, true] {
        let (answer, ()) = tokio::join!(client.offer(again()), async {
            let (from, _, admission) = worker.offer().await;
            assert_eq!(admission, Admission::Reattach(job("j1")));
            worker.handle.answered(from, "answer".to_owned()).await;
        });
        assert_eq!(answer.unwrap(), "answer");
        if !kept {
            worker.handle.job_over(job("j1"), true).await;
            until_found(&client, "available").await;
        }
    }
    // The server has just started: it may wait for its clients to come back into their order.
    let claimed = one(&client, ClaimRequest { wait_ms: 60_000, ..claim("j2") }).await;
    assert!(claimed.fence > Fence { epoch: 1, counter: u64::MAX }, "{:?}", claimed.fence);
}

#[tokio::test]
async fn a_lease_that_ends_is_over_for_worker_and_client() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Worker::join(&server, &room, "gpu1").await;
    let (client, _, mut events) = join(&server, &room, "laptop");
    let claimed = one(&client, ClaimRequest { lease_ms: 1, ..claim("j1") }).await;
    worker
        .until(|event| {
            matches!(event, WorkerEvent::Fact(Fact::ClaimEnded { reason: Some(EndReason::LeaseExpired), .. }))
        })
        .await;
    assert_eq!(worker.start(&claimed, "j1").await, Err(StartRefused::NotExpected));
    loop {
        if let ClientEvent::Fact(ClientFact::ClaimEnded(ended)) = events.recv().await.unwrap() {
            assert_eq!(ended.claim_id, claimed.claim_id);
            break;
        }
    }
}

#[tokio::test]
async fn a_drained_worker_is_gone_from_the_room() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Worker::join(&server, &room, "gpu1").await;
    let (client, _, _events) = join(&server, &room, "laptop");
    let claimed = one(&client, claim("j1")).await;
    worker.until(|event| matches!(event, WorkerEvent::Fact(Fact::Expecting { .. }))).await;
    worker.start(&claimed, "j1").await.unwrap();
    worker.handle.drain().await;
    assert_eq!(found(&client, "busy").await, ["gpu1"]);
    worker.handle.job_over(job("j1"), false).await;
    worker.until(|event| matches!(event, WorkerEvent::Left)).await;
    assert!(worker.pool.next().await.is_none());
    assert!(client.discover(Filters::default(), false).await.unwrap().peers.is_empty());
}

#[tokio::test]
async fn a_worker_that_leaves_takes_nobody_of_its_name_out_of_another_room() {
    let server = TestServer::start().await;
    let (room, other) = (server.room().await, server.room().await);
    let mut worker = Worker::join(&server, &room, "gpu1").await;
    let _namesake = worker.twin(&server, &other, "gpu1").await;
    let (client, _, _events) = join(&server, &other, "laptop");
    assert_eq!(found(&client, "available").await, ["gpu1"]);
    worker.handle.drain().await;
    worker.until(|event| matches!(event, WorkerEvent::Left)).await;
    assert_eq!(found(&client, "available").await, ["gpu1"]);
}

#[tokio::test]
async fn a_client_that_nobody_hears_says_so_at_once() {
    let mut server = TestServer::start().await;
    let room = server.room().await;
    server.stop().await;
    let (client, _, mut events) = join(&server, &room, "laptop");
    let failure = client.claim(claim("j1")).await.unwrap_err();
    let wanted = format!("{}/key-signin cannot be reached: the connection was refused", server.url());
    assert_eq!(failure, Failure::GivenUp(Cause::Unreachable(wanted)));
    assert!(matches!(events.recv().await, Some(ClientEvent::GaveUp(_))));
}

#[tokio::test]
async fn wrong_room_and_wrong_token_are_final() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let wrong_token = Room { id: room.id.clone(), token: "wrong".to_owned() };
    let (client, _, _events) = join(&server, &wrong_token, "laptop");
    let failure = client.discover(Filters::default(), false).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::GivenUp(Cause::Refused { code: Code::AuthFailed, text }) if text == "Invalid token"),
        "{failure:?}"
    );
    let wrong_room = Room { id: sleap_rtc_wire::RoomId::new("nowhere").unwrap(), token: room.token };
    let mut worker = Worker::new(&server, &wrong_room, "gpu1");
    let event = worker.until(|event| matches!(event, WorkerEvent::GaveUp(_))).await;
    let WorkerEvent::GaveUp(Cause::Refused { code, text }) = event else { panic!("{event:?}") };
    assert_eq!((code, text.as_str()), (Code::RoomNotFound, "Room not found"));
}

// Helpers.

pub(crate) struct Worker {
    pub(crate) pool: WorkerPool,
    pub(crate) handle: WorkerHandle,
    installation: Installation,
    fences: FenceFile,
}

impl Worker {
    fn new(server: &TestServer, room: &Room, id: &str) -> Self {
        Self::of(Installation::new(), server.api(), room, id)
    }

    fn of(installation: Installation, api: Api, room: &Room, id: &str) -> Self {
        let fences = FenceFile::of(&installation.folder.path().join("worker/cpu"), &room.id);
        let setup = pool_worker::Setup {
            peer_id: peer(id),
            room_id: room.id.clone(),
            token: Some(room.token.clone()),
            metadata: Metadata::from(json!({"tags": ["sleap-rtc"], "properties": {"gpu_memory_mb": 16_000}})),
            seen: fences.load().unwrap(),
            kept: Vec::new(),
            first: FirstTry::KeepTrying,
        };
        let pool = WorkerPool::start(api, installation.key.clone(), setup, fences.clone());
        let handle = pool.handle();
        Self { pool, handle, installation, fences }
    }

    pub(crate) async fn join(server: &TestServer, room: &Room, id: &str) -> Self {
        Self::join_by(server.api(), room, id).await
    }

    /// By another way to the server.
    pub(crate) async fn join_by(api: Api, room: &Room, id: &str) -> Self {
        Self::of(Installation::new(), api, room, id).registered().await
    }

    /// Another program of the same installation.
    pub(crate) async fn twin(&self, server: &TestServer, room: &Room, id: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let installation = Installation { folder, key: self.installation.key.clone() };
        Self::of(installation, server.api(), room, id).registered().await
    }

    async fn registered(mut self) -> Self {
        self.until(|event| matches!(event, WorkerEvent::Fact(Fact::Registered(_)))).await;
        self
    }

    pub(crate) async fn until(&mut self, is_it: impl Fn(&WorkerEvent) -> bool) -> WorkerEvent {
        loop {
            let event = self.pool.next().await.unwrap();
            if is_it(&event) {
                return event;
            }
        }
    }

    async fn offer(&mut self) -> (sleap_rtc_wire::PeerId, String, Admission) {
        match self.until(|event| matches!(event, WorkerEvent::Offer { .. })).await {
            WorkerEvent::Offer { from, sdp, admission } => (from, sdp, admission),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn start(&self, claimed: &Claimed, id: &str) -> Result<(), StartRefused> {
        let claim = Some(claimed.claim_id.clone());
        self.handle.start(Start { client: peer("laptop"), job: job(id), claim }).await
    }
}

pub(crate) fn join(
    server: &TestServer,
    room: &Room,
    id: &str,
) -> (ClientPool, Installation, mpsc::Receiver<ClientEvent>) {
    let installation = Installation::new();
    let setup = pool_client::Setup {
        peer_id: peer(id),
        room_id: room.id.clone(),
        token: Some(room.token.clone()),
        metadata: Metadata::from(json!({"tags": ["sleap-rtc", "training-client"]})),
        first: FirstTry::Once,
    };
    let (pool, events) = ClientPool::start(server.api(), installation.key.clone(), setup);
    (pool, installation, events)
}

pub(crate) fn job(id: &str) -> JobId {
    JobId::new(id).unwrap()
}

pub(crate) fn claim(id: &str) -> ClaimRequest {
    ClaimRequest { filters: Filters::default(), count: 1, wait_ms: 0, lease_ms: 60_000, job_id: job(id), attempt: 1 }
}

fn offer(claimed: &Claimed, id: &str) -> Offer {
    Offer {
        worker: claimed.worker.clone(),
        sdp: "offer".to_owned(),
        claim: Some(claimed.claim_id.clone()),
        job: Some(job(id)),
    }
}

/// Books one worker.
pub(crate) async fn one(client: &ClientPool, request: ClaimRequest) -> Claimed {
    client.claim(request).await.unwrap().remove(0)
}

pub(crate) async fn found(client: &ClientPool, status: &str) -> Vec<String> {
    let filters = Filters::parse(json!({"role": "worker", "properties": {"status": status}})).unwrap();
    let peers = client.discover(filters, false).await.unwrap().peers;
    peers.iter().map(|entry| entry.peer_id.to_string()).collect()
}

pub(crate) async fn until_found(client: &ClientPool, status: &str) {
    while found(client, status).await.is_empty() {}
}
