//! What a user wants.

use sleap_rtc_client::{TrainEvent, TrainOutcome, command, jobs, status};
use sleap_rtc_wire::job::{EndState, Phase, What};
use sleap_rtc_wire::peer::Wish;

use super::rig::{Lab, files, start};
use super::worker::{Files, Script, TestWorker, noise};
use crate::data;

fn model() -> Files {
    [
        ("best.ckpt", noise(7, 12 << 20)),
        ("empty.txt", Vec::new()),
        ("training_config.yaml", b"a: 1\n".to_vec()),
        ("viz/a.png", noise(8, 70_000)),
    ]
    .into_iter()
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .collect()
}

fn is_training(event: &TrainEvent) -> bool {
    matches!(event, TrainEvent::Job(event) if matches!(event.what, What::Epoch { .. }))
}

#[tokio::test]
async fn a_model_comes_home() {
    let lab = Lab::new().await;
    let mut worker = TestWorker::join(&lab, "gpu1", Script::leaves(model())).await;
    let mut training = start(lab.config(), lab.request());
    let outcome = training.end().await.unwrap();

    let TrainOutcome::Trained { job_id, worker: by, terminal, landed } = outcome else { panic!("{outcome:?}") };
    assert_eq!((by.as_str(), terminal.state, terminal.stopped_early), ("gpu1", EndState::Completed, false));
    assert_eq!(landed.folder, lab.models().join("run"));
    assert_eq!(files(&landed.folder), model());
    assert_eq!(lab.landings(), ["run"]);
    let job = worker.job().await;
    assert_eq!((job.run_name.as_str(), job.labels.as_str(), &job.job_id), ("run", "labels/tiny.pkg.slp", &job_id));
    assert_eq!(
        std::fs::read(worker.folder.join("work/labels/tiny.pkg.slp")).unwrap(),
        std::fs::read(data("tiny.pkg.slp")).unwrap()
    );

    let told: Vec<_> = training.seen.iter().filter_map(phase).collect();
    let wanted = [
        "reading",
        "planned",
        "finding",
        "found",
        "connecting",
        "connected",
        "accepted",
        "job",
        "sending",
        "receiving",
        "landed",
    ];
    assert_eq!(told.iter().fold(Vec::new(), first_of_each), wanted);
    let file = jobs::load(&lab.home(), &job_id).unwrap().unwrap();
    assert_eq!((file.end, file.landed), (Some(terminal), Some(landed)));
}

fn first_of_each(mut seen: Vec<&'static str>, name: &&'static str) -> Vec<&'static str> {
    if !seen.contains(name) {
        seen.push(name);
    }
    seen
}

fn phase(event: &TrainEvent) -> Option<&'static str> {
    Some(match event {
        TrainEvent::Reading { .. } => "reading",
        TrainEvent::Planned { .. } => "planned",
        TrainEvent::Finding { .. } => "finding",
        TrainEvent::Found { .. } => "found",
        TrainEvent::Connecting => "connecting",
        TrainEvent::Connected { .. } => "connected",
        TrainEvent::Accepted { .. } => "accepted",
        TrainEvent::Sending { .. } => "sending",
        TrainEvent::Job(_) => "job",
        TrainEvent::Receiving { .. } => "receiving",
        TrainEvent::Landed { .. } => "landed",
        _ => return None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_comes_home_over_webrtc() {
    let mut lab = Lab::new().await;
    lab.webrtc = true;
    let _worker = TestWorker::join(&lab, "gpu1", Script::leaves(model())).await;
    let mut training = start(lab.config(), lab.request());
    let outcome = training.end().await.unwrap();
    let TrainOutcome::Trained { landed, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(files(&landed.folder), model());
    let path = Some("webrtc".to_owned());
    assert_eq!(training.count(|event| matches!(event, TrainEvent::Connected { path: by } if *by == path)), 1);
}

#[tokio::test]
async fn nothing_is_ever_overwritten() {
    let lab = Lab::new().await;
    let _worker = TestWorker::join(&lab, "gpu1", Script::leaves(model())).await;
    for name in ["run", "run-1"] {
        let outcome = start(lab.config(), lab.request()).end().await.unwrap();
        let TrainOutcome::Trained { landed, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(landed.folder, lab.models().join(name));
    }
}

#[tokio::test]
async fn a_run_gets_a_name_of_its_own() {
    let lab = Lab::new().await;
    let _worker = TestWorker::join(&lab, "gpu1", Script::leaves(model())).await;
    let mut request = lab.request();
    request.run_name = None;
    let outcome = start(lab.config(), request).end().await.unwrap();
    let TrainOutcome::Trained { landed, .. } = outcome else { panic!("{outcome:?}") };
    let name = landed.folder.file_name().unwrap().to_str().unwrap();
    let (time, what) = name.split_once('.').unwrap();
    assert_eq!((time.len(), what), ("261124_103512".len(), "tiny"));
}

#[tokio::test]
async fn a_stop_keeps_the_model() {
    let lab = Lab::new().await;
    let script = Script { holds: true, ..Script::leaves(model()) };
    let _worker = TestWorker::join(&lab, "gpu1", script).await;
    let mut training = start(lab.config(), lab.request());
    training.until(is_training).await;
    training.controls.stop();
    let outcome = training.end().await.unwrap();
    let TrainOutcome::Trained { terminal, landed, .. } = outcome else { panic!("{outcome:?}") };
    assert!(terminal.stopped_early);
    assert_eq!(files(&landed.folder), model());
}

#[tokio::test]
async fn a_cancel_leaves_nothing() {
    let lab = Lab::new().await;
    let script = Script { holds: true, ..Script::leaves(model()) };
    let _worker = TestWorker::join(&lab, "gpu1", script).await;
    let mut training = start(lab.config(), lab.request());
    training.until(is_training).await;
    training.controls.cancel();
    let outcome = training.end().await.unwrap();
    assert!(matches!(outcome, TrainOutcome::Cancelled { .. }), "{outcome:?}");
    assert_eq!(lab.landings(), [""; 0]);
}

#[tokio::test]
async fn a_job_is_stopped_from_another_terminal() {
    let lab = Lab::new().await;
    let script = Script { holds: true, ..Script::leaves(model()) };
    let _worker = TestWorker::join(&lab, "gpu1", script).await;
    let mut training = start(lab.config(), lab.request());
    training.until(is_training).await;
    let end = tokio::spawn(async move {
        let outcome = training.end().await;
        (training, outcome)
    });
    let obeyed = command(&lab.config(), None, Wish::Stop).await.unwrap();
    let name = obeyed.worker.as_ref().map(|(_, name)| name.as_str());
    assert_eq!((obeyed.wish, obeyed.end, name), (Wish::Stop, None, Some("gpu-box")));
    let (_, outcome) = end.await.unwrap();
    assert!(matches!(outcome.unwrap(), TrainOutcome::Trained { terminal, .. } if terminal.stopped_early));

    let late = command(&lab.config(), Some(&obeyed.job_id), Wish::Cancel).await.unwrap();
    assert_eq!(late.end, Some(EndState::Completed));
}

#[tokio::test]
async fn status_shows_who_is_there_and_what_it_does() {
    let lab = Lab::new().await;
    let script = Script { holds: true, ..Script::leaves(model()) };
    let _worker = TestWorker::join(&lab, "gpu1", script).await;
    let shown = async || {
        let peers = status(&lab.config()).await.unwrap().peers;
        let worker = peers.into_iter().find(|peer| peer.role == "worker").unwrap();
        let text = |name| worker.metadata.property(name).and_then(|value| value.as_str().map(str::to_owned));
        (text("status").unwrap(), text("current_job_id"))
    };
    assert_eq!(shown().await, ("available".to_owned(), None));
    let mut training = start(lab.config(), lab.request());
    training
        .until(|event| matches!(event, TrainEvent::Job(event) if event.what == What::Phase { phase: Phase::Training }))
        .await;
    let job = jobs::latest(&lab.home()).unwrap().unwrap();
    assert_eq!(shown().await, ("busy".to_owned(), Some(job.job_id.to_string())));
    assert_eq!(
        status(&lab.config()).await.unwrap().peers.len(),
        2,
        "the worker, the client that trains, not ourselves"
    );
}
