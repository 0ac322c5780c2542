//! Every way in which a training ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use sleap_rtc_wire::job::FailCode;
use sleap_rtc_worker::trainer::{
    Device, Exit, Failure, Outcome, Progress, Stage, StageRun, Trainer, TrainerError, Verdict,
};

use super::support::{Job, all_events, gone, is_alive, is_batch, number_in, steps, until};

fn failure(outcome: &Outcome) -> &Failure {
    match &outcome.verdict {
        Verdict::Failed(failure) => failure,
        other => panic!("{other:?}\n{}", outcome.log_tail),
    }
}

#[tokio::test]
async fn stop_ends_early_and_keeps_the_model() {
    let job = Job::new(&[("STANDIN_SLOW_MS", "20")]);
    let mut run = job.run();
    run.stage.options.epochs = Some(100);
    let mut running = job.trainer().await.start(run).await.unwrap();
    until(&mut running, is_batch).await;
    running.stop();
    let steps = steps(&all_events(&mut running).await);
    let outcome = running.wait().await;
    assert_eq!(outcome.verdict, Verdict::Completed { stopped_early: true });
    assert!(outcome.model_dir.is_some());
    assert_eq!(steps.last(), Some(&Progress::TrainEnd));
}

/// The trainer has not connected yet when the wish comes: it is repeated.
#[tokio::test]
async fn stop_before_the_trainer_listens_is_not_lost() {
    let job = Job::new(&[("STANDIN_SLOW_MS", "20"), ("STANDIN_IMPORT_MS", "300")]);
    let mut run = job.run();
    run.stage.options.epochs = Some(100);
    let running = job.trainer().await.start(run).await.unwrap();
    running.controls().stop();
    assert_eq!(running.wait().await.verdict, Verdict::Completed { stopped_early: true });
}

#[tokio::test]
async fn cancel_ends_it_and_its_children() {
    let job = Job::new(&[("STANDIN_SLOW_MS", "20"), ("STANDIN_CHILD", "1")]);
    let mut running = job.start().await;
    until(&mut running, is_batch).await;
    let child = number_in(&job.dir().join("child.pid")).await;
    assert!(is_alive(child));
    running.cancel();
    let outcome = running.wait().await;
    assert_eq!(outcome.verdict, Verdict::Cancelled);
    assert_eq!(outcome.exit, Some(Exit::Code(0)), "SIGTERM while training ends with 0");
    gone(child).await;
}

#[tokio::test]
async fn cancel_kills_what_does_not_listen() {
    let job = Job::new(&[("STANDIN_SLOW_MS", "20"), ("STANDIN_IGNORE_SIGTERM", "1"), ("STANDIN_DEAF", "1")]);
    let mut run = job.run();
    run.stage.options.epochs = Some(100_000);
    run.timing.cancel_grace = Duration::from_millis(100);
    let mut running = job.trainer().await.start(run).await.unwrap();
    until(&mut running, is_batch).await;
    running.stop();
    running.cancel();
    let outcome = running.wait().await;
    assert_eq!((outcome.verdict, outcome.exit), (Verdict::Cancelled, Some(Exit::Signal(9))));
}

#[tokio::test]
async fn cancel_reaches_a_trainer_that_says_nothing() {
    let job = Job::new(&[("STANDIN_SILENT", "1")]);
    let running = job.start().await;
    running.cancel();
    let outcome = running.wait().await;
    assert_eq!((outcome.verdict, outcome.exit), (Verdict::Cancelled, Some(Exit::Signal(15))));
}

#[tokio::test]
async fn a_trainer_that_fails_is_quoted() {
    let line = "ValueError: num_samples should be a positive integer value, but got num_samples=0";
    let job = Job::new(&[("STANDIN_FAIL_AFTER_EPOCHS", "1"), ("STANDIN_ERROR", line)]);
    let outcome = job.start().await.wait().await;
    assert_eq!((failure(&outcome).code, failure(&outcome).cause.as_str()), (FailCode::TrainerFailed, line));
    assert_eq!(outcome.exit, Some(Exit::Code(1)));
    assert!(outcome.model_dir.is_some(), "the model of the epoch that was whole is kept");
    assert!(outcome.log_tail.ends_with(line));
}

#[tokio::test]
async fn a_trainer_that_fails_in_set_up_leaves_no_model() {
    let line = "OSError: [Errno 28] No space left on device: 'models/centroid/best.ckpt'";
    let job = Job::new(&[("STANDIN_FAIL_AFTER_EPOCHS", "0"), ("STANDIN_ERROR", line), ("STANDIN_EXIT", "3")]);
    let outcome = job.start().await.wait().await;
    assert_eq!((failure(&outcome).code, failure(&outcome).cause.as_str()), (FailCode::DiskFull, line));
    assert_eq!((outcome.exit, outcome.model_dir), (Some(Exit::Code(3)), None));
}

#[tokio::test]
async fn a_trainer_that_crashes_is_a_failure() {
    let job = Job::new(&[("STANDIN_CRASH_AFTER_EPOCHS", "1")]);
    let outcome = job.start().await.wait().await;
    assert_eq!(outcome.exit, Some(Exit::Signal(6)));
    assert!(failure(&outcome).cause.contains("signal 6"));
}

#[tokio::test]
async fn exit_0_alone_is_no_success() {
    let job = Job::new(&[("STANDIN_TERMINATE_AFTER_EPOCHS", "1")]);
    let outcome = job.start().await.wait().await;
    assert_eq!(outcome.exit, Some(Exit::Code(0)));
    assert!(failure(&outcome).cause.contains("ended from outside"));
    let job = Job::new(&[("STANDIN_NO_MODEL", "1")]);
    let outcome = job.start().await.wait().await;
    assert_eq!(outcome.exit, Some(Exit::Code(0)));
    assert!(failure(&outcome).cause.contains("no best.ckpt"));
}

#[tokio::test]
async fn a_promised_gpu_that_is_not_used_ends_the_job_at_once() {
    let on_gpu = |job: &Job| {
        let mut run = job.run();
        run.stage.options.epochs = Some(100_000);
        StageRun { stage: Stage { device: Device::Gpu("0".into()), ..run.stage }, ..run }
    };
    let without = Job::new(&[]);
    let outcome = without.trainer().await.start(on_gpu(&without)).await.unwrap().wait().await;
    assert_eq!(failure(&outcome).code, FailCode::NoGpu);
    let with = Job::new(&[("STANDIN_GPU", "1")]);
    let mut running = with.trainer().await.start(on_gpu(&with)).await.unwrap();
    until(&mut running, is_batch).await;
    running.stop();
    assert_eq!(running.wait().await.verdict, Verdict::Completed { stopped_early: true });
}

#[tokio::test]
async fn a_trainer_that_hangs_when_all_is_written_has_completed() {
    let job = Job::new(&[("STANDIN_HANG_AT_END", "1")]);
    let mut run = job.run();
    run.timing.hang_after = Duration::from_millis(200);
    run.timing.cancel_grace = Duration::from_millis(100);
    let outcome = job.trainer().await.start(run).await.unwrap().wait().await;
    assert_eq!(outcome.verdict, Verdict::Completed { stopped_early: false });
}

#[tokio::test]
async fn a_running_that_is_dropped_leaves_nothing_behind() {
    let job = Job::new(&[("STANDIN_SLOW_MS", "20"), ("STANDIN_CHILD", "1"), ("STANDIN_IGNORE_SIGTERM", "1")]);
    let mut running = job.start().await;
    until(&mut running, is_batch).await;
    let child = number_in(&job.dir().join("child.pid")).await;
    drop(running);
    gone(child).await;
}

#[tokio::test]
async fn a_program_that_is_no_trainer_is_named() {
    let old = Job::new(&[("STANDIN_VERSION", "0.3.3")]);
    let error = Trainer::probe(old.program()).await.unwrap_err();
    assert!(matches!(error, TrainerError::TooOld { .. }) && error.to_string().contains("0.3.3"), "{error}");
    let other = Trainer::probe(Path::new("/bin/true")).await.unwrap_err();
    assert!(matches!(other, TrainerError::Broken { .. }), "{other}");
    let none = Trainer::probe(Path::new("/nosuch/sleap-nn")).await.unwrap_err();
    assert!(matches!(none, TrainerError::Broken { .. }), "{none}");
    assert_eq!(Job::new(&[]).trainer().await.version(), "0.3.5");
}

/// The variable under which this test binary runs itself as a worker.
const AS_WORKER: &str = "STANDIN_TEST_AS_WORKER";

/// Not a test of its own: the worker that [`a_worker_that_is_killed_takes_its_trainer_along`] kills.
#[tokio::test]
async fn as_a_worker() {
    let Ok(folder) = std::env::var(AS_WORKER) else { return };
    let job = Job::new(&[("STANDIN_CHILD", "1"), ("STANDIN_SLOW_MS", "20"), ("STANDIN_IGNORE_SIGTERM", "1")]);
    let mut run = job.run();
    run.stage.options.epochs = Some(100_000);
    let mut running = job.trainer().await.start(run).await.unwrap();
    until(&mut running, is_batch).await;
    let child = number_in(&job.dir().join("child.pid")).await;
    fs::write(Path::new(&folder).join("pid"), child.to_string()).unwrap();
    running.wait().await;
}

#[tokio::test]
async fn a_worker_that_is_killed_takes_its_trainer_along() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "trainer::ends::as_a_worker", "--nocapture"])
        .env(AS_WORKER, folder.path())
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let child = number_in(&folder.path().join("pid")).await;
    assert!(is_alive(child));
    worker.kill().unwrap();
    worker.wait().unwrap();
    gone(child).await;
}
