//! What goes wrong, and how it is said.

use std::path::Path;

use sleap_rtc_client::{Code, TrainError, TrainEvent, command};
use sleap_rtc_session::ClientError;
use sleap_rtc_wire::claim::Reason;
use sleap_rtc_wire::job::{FailCode, What};
use sleap_rtc_wire::manifest::Hash;
use sleap_rtc_wire::peer::Wish;

use super::rig::{Lab, files, start};
use super::worker::{Files, Script, TestWorker, noise};

fn model() -> Files {
    [("best.ckpt".to_owned(), noise(5, 100_000))].into()
}

fn is_training(event: &TrainEvent) -> bool {
    matches!(event, TrainEvent::Job(event) if matches!(event.what, What::Epoch { .. }))
}

/// The error in the words of the user, and its kind.
fn told(error: &TrainError) -> (Code, String) {
    (error.code(), error.explained().to_string())
}

#[tokio::test]
async fn bad_input_is_found_before_anybody_is_asked() {
    let mut lab = Lab::new().await;
    lab.stop_server().await;
    let truncated = lab.folder.path().join("cut.slp");
    let whole = std::fs::read(crate::data("tiny.pkg.slp")).unwrap();
    std::fs::write(&truncated, &whole[..whole.len() / 2]).unwrap();
    for labels in [lab.folder.path().join("none.slp"), truncated] {
        let mut request = lab.request();
        request.labels = labels;
        let mut training = start(lab.config(), request);
        let error = training.end().await.unwrap_err();
        assert!(matches!(error, TrainError::Input(_)), "{error:?}");
        assert_eq!(error.code(), Code::BadInput);
        assert_eq!(training.count(|event| matches!(event, TrainEvent::Finding { .. })), 0);
    }
    let mut request = lab.request();
    request.run_name = Some("a/b".to_owned());
    assert_eq!(start(lab.config(), request).end().await.unwrap_err().code(), Code::Usage);
    assert_eq!(lab.landings(), [""; 0]);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_found_before_anybody_is_asked() {
    let lab = Lab::new().await;
    std::fs::write(lab.models(), b"a file").unwrap();
    let mut training = start(lab.config(), lab.request());
    assert_eq!(training.end().await.unwrap_err().code(), Code::LocalDisk);
    assert_eq!(training.count(|event| matches!(event, TrainEvent::Finding { .. })), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let mut lab = Lab::new().await;
    lab.stop_server().await;
    let error = start(lab.config(), lab.request()).end().await.unwrap_err();
    let (code, text) = told(&error);
    assert_eq!(code, Code::ServerUnreachable);
    assert!(text.contains("cannot be reached") && text.contains("the connection was refused"), "{text}");
    assert_eq!(lab.landings(), [""; 0]);
}

#[tokio::test]
async fn a_room_that_lets_nobody_in() {
    let lab = Lab::new().await;
    let room = lab.room.to_string();
    for (room, token, what) in
        [(room.as_str(), "wrong", "did not let you in"), ("nosuch", lab.token.as_str(), "there is no room nosuch")]
    {
        let mut training = start(lab.config_with(room, token), lab.request());
        let error = training.end().await.unwrap_err();
        let away = training.count(|event| matches!(event, TrainEvent::ServerAway { .. }));
        assert_eq!(away, 0, "a server that says no is not away");
        let (code, text) = told(&error);
        assert_eq!(code, Code::RoomRefused, "{text}");
        assert!(text.contains(what) && !text.contains(&lab.token), "{text}");
    }
    let error = start(lab.config_with(&room, ""), lab.request()).end().await.unwrap_err();
    let (code, text) = told(&error);
    assert_eq!(code, Code::RoomRefused, "{text}");
    assert!(text.contains("no token of the room is set, and you are not a member"), "{text}");
}

#[tokio::test]
async fn no_worker() {
    let lab = Lab::new().await;
    let refused = async |request| {
        let error = start(lab.config(), request).end().await.unwrap_err();
        assert_eq!(error.code(), Code::NoWorker);
        let TrainError::NoWorker { refused, .. } = error else { panic!("{error:?}") };
        (refused.reason, refused.workers.matching, refused.workers.busy)
    };
    assert_eq!(refused(lab.request()).await, (Reason::NoMatchingWorker, 0, 0));

    let script = Script { holds: true, ..Script::leaves(model()) };
    let worker = TestWorker::join(&lab, "gpu1", script).await;
    let mut large = lab.request();
    large.min_gpu_memory_mb = Some(24_000);
    let error = start(lab.config(), large).end().await.unwrap_err();
    let (code, text) = told(&error);
    assert_eq!(code, Code::NoWorker);
    assert!(text.contains("1 worker is there; the largest GPU is that of gpu-box, 8188 MB"), "{text}");

    let mut first = start(lab.config(), lab.request());
    first.until(is_training).await;
    let mut fits = lab.request();
    (fits.min_gpu_memory_mb, fits.tags) = (Some(8000), vec!["training-worker".to_owned()]);
    assert_eq!(refused(fits).await, (Reason::AllMatchingBusy, 1, 1));
    worker.finish();
    first.end().await.unwrap();
    assert_eq!(lab.landings(), ["run"]);
}

#[tokio::test]
async fn a_server_that_goes_while_a_worker_is_connected_to() {
    let mut lab = Lab::new().await;
    let _worker = TestWorker::join(&lab, "gpu1", Script::leaves(model())).await;
    let mut config = lab.config();
    config.times.connect_ms = 1_000;
    lab.network.kill();
    let mut training = start(config, lab.request());
    training.until(|event| matches!(event, TrainEvent::Connecting)).await;
    lab.stop_server().await;
    let error = training.end().await.unwrap_err();
    // A server that ends in good order may still say that the worker's claim is over.
    match told(&error) {
        (Code::ServerUnreachable, text) => {
            assert!(text.contains("cannot be reached") && text.contains("cause: connection lost"), "{text}");
        }
        (Code::WorkerUnreachable, text) => assert!(text.contains("the claim ended"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(lab.landings(), [""; 0]);
}

#[tokio::test]
async fn a_tag_that_nobody_has_is_the_cause() {
    let lab = Lab::new().await;
    let _worker = TestWorker::join(&lab, "gpu1", Script::leaves(model())).await;
    let mut request = lab.request();
    request.tags = vec!["nosuch".to_owned()];
    let error = start(lab.config(), request).end().await.unwrap_err();
    let (code, text) = told(&error);
    assert_eq!(code, Code::NoWorker);
    assert!(text.contains("cause: 1 worker is there, none with the tag nosuch"), "{text}");
}

#[tokio::test]
async fn a_configuration_that_the_worker_refuses() {
    let lab = Lab::new().await;
    let reject = Some((FailCode::BadConfig, "centroid: trainer_config.ckpt_dir is not allowed"));
    let _worker = TestWorker::join(&lab, "gpu1", Script { reject, ..Script::leaves(model()) }).await;
    let error = start(lab.config(), lab.request()).end().await.unwrap_err();
    let (code, text) = told(&error);
    assert_eq!(code, Code::BadInput);
    assert!(text.contains("trainer_config.ckpt_dir is not allowed") && text.contains("gpu-box"), "{text}");
    assert_eq!(lab.landings(), [""; 0]);
}

#[tokio::test]
async fn a_trainer_that_fails() {
    let lab = Lab::new().await;
    let left: Files = [("trainer.log".to_owned(), b"ValueError: no instances\n".to_vec())].into();
    let script = Script { fails: Some("ValueError: no instances"), ..Script::leaves(left.clone()) };
    let _worker = TestWorker::join(&lab, "gpu1", script).await;
    let error = start(lab.config(), lab.request()).end().await.unwrap_err();
    let (code, text) = told(&error);
    assert_eq!(code, Code::JobFailed);
    assert!(text.contains("cause: ValueError: no instances"), "{text}");
    assert_eq!(lab.landings(), ["run.failed"], "no half model under the name of a whole one");
    assert_eq!(files(&lab.models().join("run.failed")), left);
}

#[tokio::test]
async fn a_worker_that_is_killed() {
    let lab = Lab::new().await;
    let script = Script { holds: true, ..Script::leaves(model()) };
    let worker = TestWorker::join(&lab, "gpu1", script).await;
    let mut config = lab.config();
    config.times.lost_ms = 1_000;
    let mut training = start(config, lab.request());
    training.until(is_training).await;
    worker.kill().await;
    lab.network.cut();
    let error = training.end().await.unwrap_err();
    let TrainError::Worker { error: ClientError::Lost { .. }, .. } = &error else { panic!("{error:?}") };
    assert_eq!(error.code(), Code::WorkerUnreachable);
    assert!(training.count(|event| matches!(event, TrainEvent::Reconnecting { accepted: true, .. })) > 0);
    assert_eq!(lab.landings(), [""; 0]);
}

#[tokio::test]
async fn a_worker_that_no_link_reaches() {
    let lab = Lab::new().await;
    let _worker = TestWorker::join(&lab, "gpu1", Script::leaves(model())).await;
    lab.network.kill();
    let mut config = lab.config();
    config.times.connect_ms = 1_000;
    let error = start(config, lab.request()).end().await.unwrap_err();
    let (code, text) = told(&error);
    assert_eq!(code, Code::WorkerUnreachable, "{text}");
    assert!(text.contains("gpu-box cannot be reached"), "{text}");
    assert_eq!(lab.landings(), [""; 0]);
}

/// Makes a chunk of the results go to a device that is always full.
#[cfg(target_os = "linux")]
fn no_room_for(partial: &Path, bytes: &[u8]) {
    let name = Hash::of(bytes).to_string();
    let chunk = partial.join(".chunks").join(&name[..2]).join(&name[2..]);
    std::fs::create_dir_all(chunk.parent().unwrap()).unwrap();
    // The store numbers its parts over the whole process.
    for number in 0..20_000 {
        let part = chunk.with_extension(format!("part-{}-{number}", std::process::id()));
        std::os::unix::fs::symlink("/dev/full", part).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn results_for_which_there_is_no_room() {
    let lab = Lab::new().await;
    let script = Script { holds: true, ..Script::leaves(model()) };
    let worker = TestWorker::join(&lab, "gpu1", script).await;
    let mut training = start(lab.config(), lab.request());
    training.until(is_training).await;
    let partial = lab.landings().into_iter().find(|name| lab.models().join(name).is_dir()).unwrap();
    no_room_for(&lab.models().join(partial), &model()["best.ckpt"]);
    worker.finish();
    let error = training.end().await.unwrap_err();
    let TrainError::Results { error: failed, .. } = &error else { panic!("{error:?}") };
    assert_eq!((failed.code, failed.told), (FailCode::DiskFull, false));
    let (code, text) = told(&error);
    assert_eq!(code, Code::LocalDisk);
    assert!(text.contains("no room for it here") && text.contains("No space left"), "{text}");
    assert!(lab.landings().iter().all(|name| name.starts_with('.')), "{:?}", lab.landings());
}

#[tokio::test]
async fn a_command_for_a_job_that_is_nowhere() {
    let lab = Lab::new().await;
    let error = command(&lab.config(), None, Wish::Stop).await.unwrap_err();
    assert_eq!(error.code(), Code::NoSuchJob);
}
