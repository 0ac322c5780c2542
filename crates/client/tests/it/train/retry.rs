//! Workers that are silent, lost, and come back.

use std::time::Duration;

use sleap_rtc_client::jobs::{self, State};
use sleap_rtc_client::{Code, TrainError, TrainEvent, TrainOutcome, status};
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_session::ClientError;
use sleap_rtc_wire::job::What;

use super::rig::{Lab, files, start};
use super::worker::{Files, Script, TestWorker, noise};

fn model(seed: u64) -> Files {
    [("best.ckpt".to_owned(), noise(seed, 50_000))].into()
}

fn is_training(event: &TrainEvent) -> bool {
    matches!(event, TrainEvent::Job(event) if matches!(event.what, What::Epoch { .. }))
}

fn holds(seed: u64) -> Script {
    Script { holds: true, ..Script::leaves(model(seed)) }
}

/// A lab whose workers are lost after a second.
async fn impatient() -> Lab {
    let mut lab = Lab::new().await;
    lab.stop_server().await;
    lab.lost_ms = 1_000;
    lab.start_server().await;
    lab
}

#[tokio::test]
async fn status_shows_who_is_missed() {
    let lab = Lab::new().await;
    let worker = TestWorker::join(&lab, "gpu1", holds(1)).await;
    let mut training = start(lab.config(), lab.request());
    training.until(is_training).await;
    worker.kill().await;
    let found = loop {
        let found = status(&lab.config()).await.unwrap();
        if !found.absent.is_empty() {
            break found;
        }
    };
    assert_eq!(found.peers.iter().filter(|peer| peer.role == "worker").count(), 0);
    let missed = &found.absent[0];
    let job = jobs::latest(&lab.home()).unwrap().unwrap().job_id;
    let said = missed.metadata.property("status").and_then(|value| value.as_str());
    assert_eq!((missed.peer_id.as_str(), said, missed.job_id.as_ref()), ("gpu1", Some("silent"), Some(&job)));
}

#[tokio::test]
async fn a_worker_that_the_room_calls_lost_is_not_waited_for() {
    let lab = impatient().await;
    let worker = TestWorker::join(&lab, "gpu1", holds(1)).await;
    let mut config = lab.config();
    // Longer than the test may take.
    config.times.lost_ms = 3_600_000;
    let mut training = start(config, lab.request());
    training.until(is_training).await;
    worker.kill().await;
    lab.network.cut();
    let error = training.end().await.unwrap_err();
    let TrainError::Worker { error: ClientError::Lost { .. }, job_id, .. } = &error else { panic!("{error:?}") };
    assert_eq!(error.code(), Code::WorkerUnreachable);
    assert!(error.explained().hint.contains(&format!("sleap-rtc watch {job_id}")), "{}", error.explained());
    let file = jobs::load(&lab.home(), job_id).unwrap().unwrap();
    assert_eq!(jobs::state(&lab.home(), &file, Clock::start().now()), State::Lost);
}

#[tokio::test]
async fn a_lost_job_is_tried_elsewhere_once_that_is_wanted() {
    let lab = impatient().await;
    let first = TestWorker::join(&lab, "gpu1", holds(1)).await;
    let mut request = lab.request();
    (request.retry, request.wait) = (1, Duration::from_mins(5));
    let mut training = start(lab.config(), request);
    training.until(is_training).await;
    first.kill().await;
    lab.network.cut();
    training.until(|event| matches!(event, TrainEvent::Lost { attempt: 2, attempts: 2, .. })).await;
    let mut second = TestWorker::join(&lab, "gpu2", holds(2)).await;
    training.until(is_training).await;
    assert_eq!(second.job().await.attempt, 2);
    second.finish();
    let TrainOutcome::Trained { worker, landed, job_id, .. } = training.end().await.unwrap() else { panic!() };
    assert_eq!((worker.as_str(), files(&landed.folder)), ("gpu2", model(2)));
    let file = jobs::load(&lab.home(), &job_id).unwrap().unwrap();
    assert_eq!((file.attempt, file.earlier.len(), file.earlier[0].worker.as_str()), (2, 1, "gpu1"));
    assert_eq!(lab.landings(), ["run"]);
}

#[tokio::test]
async fn a_worker_that_only_we_cannot_reach_keeps_its_job() {
    let lab = Lab::new().await;
    let first = TestWorker::join(&lab, "gpu1", holds(1)).await;
    let mut request = lab.request();
    (request.retry, request.wait) = (1, Duration::from_mins(5));
    let mut config = lab.config();
    config.times.lost_ms = 1_000;
    let mut training = start(config, request);
    training.until(is_training).await;
    let second = TestWorker::join(&lab, "gpu2", Script::leaves(model(2))).await;
    lab.network.kill();
    lab.network.cut();
    let error = training.end().await.unwrap_err();
    assert!(matches!(&error, TrainError::Worker { error: ClientError::Lost { .. }, .. }), "{error:?}");
    let file = jobs::latest(&lab.home()).unwrap().unwrap();
    let holder = file.holder.unwrap();
    assert_eq!((file.attempt, holder.worker.as_str(), file.earlier.len()), (1, "gpu1", 0));
    assert!(!second.has_job(), "one run of a job that nobody has lost");
    drop(first);
}
