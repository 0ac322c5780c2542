//! The line: who waits is next, sees where it stands, may leave, and keeps its place over a restart of the server.

use std::time::Duration;

use sleap_rtc_client::jobs::{self, State};
use sleap_rtc_client::{Code, Controls, TrainError, TrainEvent, TrainOutcome, attach, command, workers};
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_wire::claim::{ClaimWaiting, Reason};
use sleap_rtc_wire::job::{EndState, What};
use sleap_rtc_wire::peer::Wish;
use sleap_rtc_wire::{Filters, JobId};
use tokio::sync::mpsc;

use super::rig::{Lab, Training, start};
use super::worker::{Files, Script, TestWorker, noise};

fn model() -> Files {
    [("best.ckpt".to_owned(), noise(7, 50_000))].into()
}

fn is_training(event: &TrainEvent) -> bool {
    matches!(event, TrainEvent::Job(event) if matches!(event.what, What::Epoch { .. }))
}

fn at(place: u32) -> impl Fn(&TrainEvent) -> bool {
    move |event| matches!(event, TrainEvent::Waiting(waiting) if waiting.place == place)
}

/// A worker that is busy with a job of ours until the test lets it go on.
async fn busy(lab: &Lab) -> (TestWorker, Training) {
    let worker = TestWorker::join(lab, "gpu1", Script { holds: true, ..Script::leaves(model()) }).await;
    let mut training = start(lab.config(), lab.request());
    training.until(is_training).await;
    (worker, training)
}

/// A training that waits, at this place.
async fn waits(lab: &Lab, place: u32) -> Training {
    let mut request = lab.request();
    request.wait = Duration::from_mins(5);
    let mut training = start(lab.config(), request);
    training.until(at(place)).await;
    training
}

fn job(training: &Training) -> JobId {
    let found = training.seen.iter().find_map(|event| match event {
        TrainEvent::Finding { job_id, .. } => Some(job_id.clone()),
        _ => None,
    });
    found.unwrap()
}

fn state(lab: &Lab, job: &JobId) -> State {
    let file = jobs::load(&lab.home(), job).unwrap().unwrap();
    jobs::state(&lab.home(), &file, Clock::start().now())
}

fn last_place(training: &Training) -> ClaimWaiting {
    let place = training.seen.iter().rev().find_map(|event| match event {
        TrainEvent::Waiting(waiting) => Some(waiting.clone()),
        _ => None,
    });
    place.unwrap()
}

#[tokio::test]
async fn who_waits_is_next() {
    let lab = Lab::new().await;
    let (worker, mut first) = busy(&lab).await;
    let mut second = waits(&lab, 1).await;
    let told = last_place(&second);
    assert_eq!((told.reason, told.workers.matching, told.workers.busy), (Reason::AllMatchingBusy, 1, 1));
    let State::Waiting(waiting) = state(&lab, &job(&second)) else { panic!("{:?}", state(&lab, &job(&second))) };
    assert_eq!((waiting.told.place, waiting.pid), (1, std::process::id()));
    worker.finish();
    assert!(matches!(first.end().await.unwrap(), TrainOutcome::Trained { .. }));
    assert!(matches!(second.end().await.unwrap(), TrainOutcome::Trained { .. }));
    assert_eq!(state(&lab, &job(&second)), State::Ended(EndState::Completed));
    assert_eq!(second.count(|event| matches!(event, TrainEvent::Finding { .. })), 1, "it has asked once");
}

#[tokio::test]
async fn who_does_not_wait_leaves_no_trace() {
    let lab = Lab::new().await;
    let (_worker, _first) = busy(&lab).await;
    let mut second = start(lab.config(), lab.request());
    let error = second.end().await.unwrap_err();
    assert_eq!(error.code(), Code::NoWorker);
    assert!(error.explained().cause.contains("the only one that matches is busy"), "{}", error.explained());
    assert_eq!(second.count(|event| matches!(event, TrainEvent::Waiting(_))), 0);
    assert_eq!(jobs::load(&lab.home(), &job(&second)).unwrap(), None);
}

#[tokio::test]
async fn a_wait_that_is_over_is_remembered() {
    let lab = Lab::new().await;
    let (_worker, _first) = busy(&lab).await;
    let mut request = lab.request();
    request.wait = Duration::from_millis(300);
    let mut second = start(lab.config(), request);
    assert_eq!(second.end().await.unwrap_err().code(), Code::NoWorker);
    assert_eq!(state(&lab, &job(&second)), State::Ended(EndState::Failed));
    let again = attach(&lab.config(), Some(&job(&second)), mpsc::channel(64).0, Controls::new()).await.unwrap_err();
    assert!(matches!(&again, TrainError::NeverRan { cause: Some(_), .. }), "{again:?}");
}

#[tokio::test]
async fn a_job_that_waits_is_watched_and_cancelled_from_another_terminal() {
    let lab = Lab::new().await;
    let (worker, mut first) = busy(&lab).await;
    let mut second = waits(&lab, 1).await;
    let mut third = waits(&lab, 2).await;
    let id = job(&second);

    let (events, _told) = mpsc::channel(64);
    let watched = attach(&lab.config(), Some(&id), events, Controls::new()).await.unwrap_err();
    let TrainError::InLine { waiting, .. } = &watched else { panic!("{watched:?}") };
    assert_eq!((waiting.told.place, watched.code()), (1, Code::NoWorker));

    let end = tokio::spawn(async move { second.end().await });
    let obeyed = command(&lab.config(), Some(&id), Wish::Cancel).await.unwrap();
    assert_eq!((obeyed.worker, obeyed.end), (None, None));
    assert!(matches!(end.await.unwrap().unwrap(), TrainOutcome::Cancelled { .. }));
    assert_eq!(state(&lab, &id), State::Ended(EndState::Cancelled));
    third.until(at(1)).await;

    let late = command(&lab.config(), Some(&id), Wish::Stop).await.unwrap();
    assert_eq!((late.worker, late.end), (None, Some(EndState::Cancelled)));
    worker.finish();
    first.end().await.unwrap();
    assert!(matches!(third.end().await.unwrap(), TrainOutcome::Trained { .. }));
}

#[tokio::test]
async fn ctrl_c_in_line_gives_the_place_up() {
    let lab = Lab::new().await;
    let (_worker, _first) = busy(&lab).await;
    let mut second = waits(&lab, 1).await;
    let mut third = waits(&lab, 2).await;
    second.controls.cancel();
    assert!(matches!(second.end().await.unwrap(), TrainOutcome::Cancelled { .. }));
    third.until(at(1)).await;
}

#[tokio::test]
async fn a_program_that_is_killed_is_not_shown_as_waiting() {
    let lab = Lab::new().await;
    let (_worker, _first) = busy(&lab).await;
    let second = waits(&lab, 1).await;
    let id = job(&second);
    second.task.abort();
    assert!(second.task.await.unwrap_err().is_cancelled());
    assert_eq!(state(&lab, &id), State::Gone);
    let error = command(&lab.config(), Some(&id), Wish::Cancel).await.unwrap_err();
    assert!(matches!(error, TrainError::NeverRan { .. }), "{error:?}");
    let latest = jobs::latest(&lab.home()).unwrap().unwrap();
    assert_ne!(latest.job_id, id, "the one that runs");
}

#[tokio::test]
async fn a_restart_of_the_server_keeps_the_places() {
    let mut lab = Lab::new().await;
    let (worker, mut first) = busy(&lab).await;
    let mut second = waits(&lab, 1).await;
    let mut third = waits(&lab, 2).await;
    lab.stop_server().await;
    for waiting in [&mut second, &mut third] {
        waiting
            .until(|event| matches!(event, TrainEvent::ServerAway { place_kept_ms: Some(ms), .. } if *ms > 500_000))
            .await;
    }
    lab.start_server().await;
    for (place, waiting) in [(1, &mut second), (2, &mut third)] {
        waiting.until(|event| matches!(event, TrainEvent::ServerBack)).await;
        let busy =
            |event: &TrainEvent| matches!(event, TrainEvent::Waiting(told) if told.reason == Reason::AllMatchingBusy);
        waiting.until(busy).await;
        assert_eq!(last_place(waiting).place, place);
    }
    worker.finish();
    assert!(matches!(first.end().await.unwrap(), TrainOutcome::Trained { .. }));
    assert!(matches!(second.end().await.unwrap(), TrainOutcome::Trained { .. }));
    assert!(matches!(third.end().await.unwrap(), TrainOutcome::Trained { .. }));
}

#[tokio::test]
async fn a_client_that_looks_for_a_worker_sees_the_free_ones() {
    let lab = Lab::new().await;
    let (_worker, _first) = busy(&lab).await;
    let _second = TestWorker::join(&lab, "gpu2", Script::leaves(model())).await;
    let found = async |filters| {
        let found = workers(&lab.config(), filters).await.unwrap();
        found.into_iter().map(|worker| worker.peer_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(found(None).await, ["gpu2"]);
    let all = Filters::parse(serde_json::json!({"role": "worker"})).unwrap();
    assert_eq!(found(Some(all)).await, ["gpu2", "gpu1"], "the free one first");
}

#[tokio::test]
async fn a_server_that_has_just_started_turns_nobody_away() {
    let mut lab = Lab::new().await;
    let _worker = TestWorker::join(&lab, "gpu1", Script::leaves(model())).await;
    lab.stop_server().await;
    lab.start_server().await;
    // The worker is expected, and may not be there yet.
    let mut training = start(lab.config(), lab.request());
    assert!(matches!(training.end().await.unwrap(), TrainOutcome::Trained { .. }));
}
