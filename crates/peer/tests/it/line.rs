//! Claims that wait, over real sockets: in line, over a restart of the server, and after a worker that does not come back.

use sleap_rtc_peer::client_pool::ClientEvent;
use sleap_rtc_peer::worker_pool::WorkerEvent;
use sleap_rtc_session::pool_client::{ClaimRequest, Fact as ClientFact, Failure};
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_session::pool_worker::{Fact, StartRefused};
use sleap_rtc_wire::claim::{ClaimWaiting, Claimed, Reason};
use sleap_rtc_wire::{Filters, Time};
use tokio::sync::mpsc::Receiver;

use crate::pools::{Worker, claim, found, job, join, one, until_found};
use crate::rig::{TestServer, peer};
use crate::wire::Wire;

/// Longer than any of these tests.
const PATIENT: u64 = 600_000;

#[tokio::test]
async fn a_claim_in_line_keeps_its_place_over_a_restart_of_the_server() {
    let mut server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Worker::join(&server, &room, "gpu1").await;
    let (ada, _, _events) = join(&server, &room, "laptop");
    run(&mut worker, &one(&ada, claim("j1")).await, "j1").await;

    let (bob, _, mut events) = join(&server, &room, "desktop");
    let waits = tokio::spawn(async move { (bob.claim(patient("j2")).await, bob) });
    let told = waiting(&mut events).await;
    assert_eq!((told.place, told.reason), (1, Reason::AllMatchingBusy));
    assert!(told.seat.is_some(), "for the time after a restart");
    let (eve, _, mut later) = join(&server, &room, "eve");
    let waits_too = tokio::spawn(async move { (eve.claim(patient("j3")).await, eve) });
    assert_eq!(waiting(&mut later).await.place, 2);

    server.stop().await;
    loop {
        if let ClientEvent::Fact(ClientFact::Away { job_runs, .. }) = events.recv().await.unwrap() {
            assert!(!job_runs, "nothing runs of those who wait");
            break;
        }
    }
    server.again().await;
    let mut place = 0;
    while place != 2 {
        place = waiting(&mut later).await.place;
    }
    until_found(&ada, "busy").await;
    worker.handle.job_over(job("j1"), false).await;
    let (granted, bob) = waits.await.unwrap();
    let granted = granted.unwrap();
    assert_eq!((granted.len(), granted[0].worker.as_str()), (1, "gpu1"));
    // Who gives it back lets the next one in.
    bob.release(granted[0].claim_id.clone()).await;
    let (granted, _eve) = waits_too.await.unwrap();
    assert_eq!(granted.unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_waits_no_more_lets_the_next_one_up() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Worker::join(&server, &room, "gpu1").await;
    let (ada, _, _events) = join(&server, &room, "laptop");
    run(&mut worker, &one(&ada, claim("j1")).await, "j1").await;
    let (bob, _, mut events) = join(&server, &room, "desktop");
    let (eve, _, mut later) = join(&server, &room, "eve");
    {
        let asked = bob.claim(patient("j2"));
        tokio::pin!(asked);
        tokio::select! {
            outcome = &mut asked => panic!("{outcome:?}"),
            told = waiting(&mut events) => assert_eq!(told.place, 1),
        }
        let eve = eve.clone();
        tokio::spawn(async move { eve.claim(patient("j3")).await });
        assert_eq!(waiting(&mut later).await.place, 2);
    }
    let mut place = 2;
    while place != 1 {
        place = waiting(&mut later).await.place;
    }
    // A wait has an end, which says why there was nobody.
    let short = bob.claim(ClaimRequest { wait_ms: 1, ..claim("j4") }).await;
    let Err(Failure::Refused(refused)) = short else { panic!("{short:?}") };
    assert_eq!(refused.reason, Reason::AllMatchingBusy);
}

#[tokio::test]
async fn several_workers_come_together() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let _one = Worker::join(&server, &room, "gpu1").await;
    let (client, _, mut events) = join(&server, &room, "laptop");
    let asks = client.clone();
    let both = tokio::spawn(async move { asks.claim(ClaimRequest { count: 2, ..patient("j1") }).await });
    assert_eq!(waiting(&mut events).await.reason, Reason::NoMatchingWorker);
    assert_eq!(found(&client, "available").await, ["gpu1"], "none is taken before all are there");
    let _two = Worker::join(&server, &room, "gpu2").await;
    let mut workers: Vec<_> = both.await.unwrap().unwrap().into_iter().map(|claimed| claimed.worker).collect();
    workers.sort();
    assert_eq!(workers, [peer("gpu1"), peer("gpu2")]);
}

#[tokio::test]
async fn those_who_wait_hear_when_a_worker_is_free_at_the_latest() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut worker = Worker::join(&server, &room, "gpu1").await;
    let (ada, _, _events) = join(&server, &room, "laptop");
    run(&mut worker, &one(&ada, claim("j1")).await, "j1").await;
    let (bob, _, mut events) = join(&server, &room, "desktop");
    tokio::spawn(async move { bob.claim(patient("j2")).await });
    assert_eq!(waiting(&mut events).await.estimate_ms, None);
    let hour = Time(now().0 + 3_600_000);
    worker.handle.free_at(job("j1"), hour).await;
    let mut told = None;
    while told.is_none() {
        told = waiting(&mut events).await.estimate_ms;
    }
    assert!((3_500_000..=3_601_000).contains(&told.unwrap()), "{told:?}");
    let free_at = async || {
        let peers = ada.discover(workers(), false).await.unwrap().peers;
        peers[0].metadata.property("free_at").and_then(serde_json::Value::as_u64)
    };
    assert_eq!(free_at().await, Some(hour.0.div_ceil(1000)));
    worker.handle.job_over(job("j1"), false).await;
    while free_at().await.is_some() {}
}

#[tokio::test]
async fn a_worker_that_goes_for_good_is_not_missed_and_one_that_breaks_off_is() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut leaves = Worker::join(&server, &room, "gpu1").await;
    let breaks = Worker::join(&server, &room, "gpu2").await;
    let (client, _, _events) = join(&server, &room, "laptop");
    leaves.handle.drain().await;
    leaves.until(|event| matches!(event, WorkerEvent::Left)).await;
    drop(breaks);
    let mut found = client.discover(workers(), true).await.unwrap();
    while !found.peers.is_empty() {
        found = client.discover(workers(), true).await.unwrap();
    }
    let absent: Vec<_> = found.absent.iter().map(|absent| absent.peer_id.as_str()).collect();
    assert_eq!(absent, ["gpu2"]);
    assert_eq!(found.absent[0].metadata.property("status").unwrap(), "silent");
    assert!(client.discover(workers(), false).await.unwrap().absent.is_empty());
}

#[tokio::test]
async fn a_worker_whose_name_another_one_takes_does_not_come_back() {
    let server = TestServer::start().await;
    let room = server.room().await;
    let mut first = Worker::join(&server, &room, "gpu1").await;
    let second = first.twin(&server, &room, "gpu1").await;
    let event = first.until(|event| matches!(event, WorkerEvent::GaveUp(_))).await;
    assert!(matches!(event, WorkerEvent::GaveUp(Cause::Replaced)), "{event:?}");
    assert!(first.pool.next().await.is_none());
    let (client, _, _events) = join(&server, &room, "laptop");
    assert_eq!(found(&client, "available").await, ["gpu1"]);
    drop(second);
}

#[tokio::test]
async fn a_worker_that_returns_after_its_job_went_elsewhere_gives_it_up() {
    let server = TestServer::with(|config| config.room.lost_ms = 200).await;
    let room = server.room().await;
    let wire = Wire::to(server.address()).await;
    let mut far = Worker::join_by(wire.api(), &room, "gpu1").await;
    let (client, _, _events) = join(&server, &room, "laptop");
    let first = one(&client, claim("j1")).await;
    run(&mut far, &first, "j1").await;
    let mut near = Worker::join(&server, &room, "gpu2").await;

    wire.cut();
    far.until(|event| matches!(event, WorkerEvent::Fact(Fact::Away { .. }))).await;
    let again = || ClaimRequest { attempt: 2, ..patient("j1") };
    // As long as the first one may come back with it, nobody else gets the job.
    let second = loop {
        match client.claim(again()).await {
            Ok(claims) => break claims[0].clone(),
            Err(Failure::Refused(refused)) => assert_eq!(refused.reason, Reason::JobRuns),
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(second.worker, peer("gpu2"));
    run(&mut near, &second, "j1").await;

    wire.mend();
    let event = far.until(|event| matches!(event, WorkerEvent::Superseded { .. })).await;
    assert!(matches!(event, WorkerEvent::Superseded { job: ended } if ended == job("j1")));
    assert_eq!(far.start(&first, "j1").await, Err(StartRefused::Busy), "until the run is over it has the slot");
    far.handle.job_over(job("j1"), true).await;
    until_found(&client, "available").await;
    assert_eq!(found(&client, "busy").await, ["gpu2"]);
}

// Helpers.

/// The job runs on the worker that was claimed for it.
async fn run(worker: &mut Worker, claimed: &Claimed, id: &str) {
    worker.until(|event| matches!(event, WorkerEvent::Fact(Fact::Expecting { .. }))).await;
    worker.start(claimed, id).await.unwrap();
}

async fn waiting(events: &mut Receiver<ClientEvent>) -> ClaimWaiting {
    loop {
        if let ClientEvent::Fact(ClientFact::Waiting(waiting)) = events.recv().await.unwrap() {
            return waiting;
        }
    }
}

fn patient(id: &str) -> ClaimRequest {
    ClaimRequest { wait_ms: PATIENT, ..claim(id) }
}

fn workers() -> Filters {
    Filters::parse(serde_json::json!({"role": "worker"})).unwrap()
}

fn now() -> Time {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Time(since.as_millis() as u64)
}
