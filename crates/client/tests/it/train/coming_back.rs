//! Cut links, servers that are away, users who leave.

use sleap_rtc_client::local::LandingError;
use sleap_rtc_client::{Controls, TrainError, TrainEvent, TrainOutcome, attach};
use sleap_rtc_wire::job::What;
use tokio::sync::mpsc;

use super::rig::{Lab, files, start};
use super::worker::{Files, Script, TestWorker, noise};
use crate::data;

fn model() -> Files {
    [("best.ckpt".to_owned(), noise(3, 12 << 20)), ("log.txt".to_owned(), b"done\n".to_vec())].into()
}

fn is_training(event: &TrainEvent) -> bool {
    matches!(event, TrainEvent::Job(event) if matches!(event.what, What::Epoch { .. }))
}

fn assert_home(lab: &Lab, outcome: &TrainOutcome) {
    let TrainOutcome::Trained { landed, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(files(&landed.folder), model());
    assert_eq!(lab.landings(), ["run"]);
}

#[tokio::test]
async fn a_link_that_is_cut_at_any_step_is_made_again() {
    type Step = fn(&TrainEvent) -> bool;
    let steps: [(&str, Step); 4] = [
        ("accepted", |event| matches!(event, TrainEvent::Accepted { .. })),
        ("sending", |event| matches!(event, TrainEvent::Sending { .. })),
        ("training", is_training),
        ("receiving", |event| matches!(event, TrainEvent::Receiving { done, total } if done < total)),
    ];
    for (name, step) in steps {
        let lab = Lab::new().await;
        let _worker = TestWorker::join(&lab, "gpu1", Script::leaves(model())).await;
        let mut request = lab.request();
        request.labels = data("flies.pkg.slp");
        let mut training = start(lab.config(), request);
        training.until(step).await;
        lab.network.cut();
        let outcome = training.end().await.unwrap();
        assert_home(&lab, &outcome);
        assert_eq!(
            training.count(|event| matches!(event, TrainEvent::Reconnecting { accepted: true, .. })),
            1,
            "{name}"
        );
        assert_eq!(training.count(is_training), 1, "{name}: each line of the story once");
    }
}

#[tokio::test]
async fn the_server_may_be_gone_while_the_job_runs() {
    let mut lab = Lab::new().await;
    let script = Script { holds: true, ..Script::leaves(model()) };
    let worker = TestWorker::join(&lab, "gpu1", script).await;
    let mut training = start(lab.config(), lab.request());
    training.until(is_training).await;
    lab.stop_server().await;
    training.until(|event| matches!(event, TrainEvent::ServerAway { .. })).await;
    worker.finish();
    let outcome = training.end().await.unwrap();
    assert_home(&lab, &outcome);
}

#[tokio::test]
async fn a_server_that_comes_back_brings_the_two_together_again() {
    let mut lab = Lab::new().await;
    let script = Script { holds: true, ..Script::leaves(model()) };
    let worker = TestWorker::join(&lab, "gpu1", script).await;
    let mut training = start(lab.config(), lab.request());
    training.until(is_training).await;
    lab.stop_server().await;
    lab.network.cut();
    training.until(|event| matches!(event, TrainEvent::ServerAway { .. })).await;
    lab.start_server().await;
    training.until(|event| matches!(event, TrainEvent::Connected { .. })).await;
    assert_eq!(training.count(|event| matches!(event, TrainEvent::ServerBack)), 1);
    worker.finish();
    assert_home(&lab, &training.end().await.unwrap());
}

#[tokio::test]
async fn who_leaves_comes_back_for_the_results() {
    let lab = Lab::new().await;
    let script = Script { holds: true, ..Script::leaves(model()) };
    let worker = TestWorker::join(&lab, "gpu1", script).await;
    let mut training = start(lab.config(), lab.request());
    training.until(is_training).await;
    training.controls.leave();
    let outcome = training.end().await.unwrap();
    let TrainOutcome::Left { job_id, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(lab.landings(), [""; 0]);
    worker.finish();

    let (events, mut told) = mpsc::channel(1);
    let looking = tokio::spawn(async move {
        let mut epochs = 0;
        while let Some(event) = told.recv().await {
            epochs += usize::from(is_training(&event));
        }
        epochs
    });
    let outcome = attach(&lab.config(), Some(&job_id), events, Controls::new()).await.unwrap();
    assert_home(&lab, &outcome);
    assert_eq!(looking.await.unwrap(), 0, "what was shown before is not shown again");
}

#[tokio::test]
async fn who_has_cancelled_need_not_wait_for_a_worker_that_is_away() {
    let lab = Lab::new().await;
    let script = Script { holds: true, ..Script::leaves(model()) };
    let _worker = TestWorker::join(&lab, "gpu1", script).await;
    let mut training = start(lab.config(), lab.request());
    training.until(is_training).await;
    lab.network.kill();
    training.until(|event| matches!(event, TrainEvent::Reconnecting { .. })).await;
    training.controls.cancel();
    training.controls.leave();
    assert!(matches!(training.end().await.unwrap(), TrainOutcome::Left { .. }));
}

#[tokio::test]
async fn a_client_that_is_killed_while_results_come_gets_the_rest_later() {
    let lab = Lab::new().await;
    let _worker = TestWorker::join(&lab, "gpu1", Script::leaves(model())).await;
    let mut training = start(lab.config(), lab.request());
    training.until(|event| matches!(event, TrainEvent::Receiving { done, total } if done < total)).await;
    training.task.abort();
    (&mut training.task).await.unwrap_err();
    assert!(lab.landings().iter().all(|name| name.starts_with('.')), "{:?}", lab.landings());

    let (events, mut told) = mpsc::channel(1);
    let first = tokio::spawn(async move {
        let mut first = None;
        while let Some(event) = told.recv().await {
            if let TrainEvent::Receiving { done, .. } = event {
                first = first.or(Some(done));
            }
        }
        first
    });
    let outcome = loop {
        match attach(&lab.config(), None, events.clone(), Controls::new()).await {
            // The thread of the disk ends a little later than the task.
            Err(TrainError::Models(LandingError::InUse(_))) => tokio::task::yield_now().await,
            outcome => break outcome.unwrap(),
        }
    };
    drop(events);
    assert_home(&lab, &outcome);
    assert!(first.await.unwrap().unwrap() > 4 << 20, "what had come is not sent again");
}
