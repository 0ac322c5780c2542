//! A stage from start to end.

use std::collections::BTreeSet;
use std::fs;

use sleap_rtc_wire::job::{Stream, TrainOptions, VideoPath};
use sleap_rtc_worker::trainer::{Config, Exit, Plan, Progress, Stage, StageRun, TrainerError, TrainerEvent, Verdict};

use super::support::{Job, all_events, eventually, is_batch, steps, until};

#[tokio::test]
async fn two_epochs_are_told_and_leave_a_model() {
    let job = Job::new(&[]);
    let mut running = job.start().await;
    let events = all_events(&mut running).await;
    let outcome = running.wait().await;

    assert_eq!(outcome.verdict, Verdict::Completed { stopped_early: false });
    assert_eq!(outcome.exit, Some(Exit::Code(0)));
    let model = outcome.model_dir.unwrap();
    assert_eq!(model, job.dir().join("models/centroid"));
    assert_eq!(fs::metadata(model.join("best.ckpt")).unwrap().len(), 1_015_465);

    let steps = steps(&events);
    let told: Vec<_> = steps.iter().map(std::mem::discriminant).collect();
    let (begin, end) =
        (Progress::EpochBegin { epoch: 0 }, Progress::EpochEnd { epoch: 0, train_loss: None, val_loss: None });
    let expected = [&Progress::TrainBegin, &begin, &end, &begin, &end, &Progress::TrainEnd];
    assert_eq!(told, expected.map(std::mem::discriminant));
    let plans: Vec<_> = events.iter().filter(|event| matches!(event, TrainerEvent::Plan(_))).collect();
    assert_eq!(plans, [&TrainerEvent::Plan(Plan { steps: Some(20), epochs: Some(2) })]);
    let line = "Training on cpu accelerator";
    assert!(
        events.iter().any(|e| matches!(e, TrainerEvent::Log { stream: Stream::Out, line: l } if l.ends_with(line)))
    );
    assert!(
        events.iter().any(|e| matches!(e, TrainerEvent::Log { stream: Stream::Err, line } if line == "Seed set to 42"))
    );
    let log = fs::read_to_string(outcome.log_file).unwrap();
    assert!(log.contains("err Seed set to 42") && log.contains("Finished training at"), "{log}");
    assert!(outcome.log_tail.contains("Evaluation on `val.0` dataset"));
}

/// The training loss is the mean of the epoch's own batches, which the trainer tells only an epoch later.
#[tokio::test]
async fn the_mean_loss_of_each_epoch_is_right() {
    let job = Job::new(&[]);
    let mut run = job.run();
    run.stage.options.epochs = Some(3);
    let mut running = job.trainer().await.start(run).await.unwrap();
    let steps = steps(&all_events(&mut running).await);
    let mean = |epoch: u32| {
        (0..20).map(|batch| 0.0125 * 0.6_f64.powf(f64::from(epoch) + f64::from(batch) / 20.0)).sum::<f64>() / 20.0
    };
    let mut ends = 0;
    for step in &steps {
        if let Progress::EpochEnd { epoch, train_loss: Some(train), val_loss: Some(val) } = step {
            assert!((train - mean(*epoch)).abs() < 1e-12, "{step:?}");
            assert!((val - 0.0125 * 0.6_f64.powf(f64::from(*epoch) + 1.0)).abs() < 1e-12, "{step:?}");
            ends += 1;
        }
    }
    assert_eq!(ends, 3, "{steps:?}");
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_nobody_up() {
    let job = Job::new(&[("STANDIN_FILL_LINES", "20000")]);
    let mut running = job.start().await;
    until(&mut running, |event| matches!(event, TrainerEvent::Log { .. })).await;
    let outcome = running.wait().await;
    assert_eq!(outcome.verdict, Verdict::Completed { stopped_early: false });
    let log = fs::read_to_string(outcome.log_file).unwrap();
    assert_eq!(log.lines().filter(|line| line.starts_with("out line ")).count(), 20_000);
}

#[tokio::test]
async fn lines_that_were_left_out_are_counted_and_steps_are_never_left_out() {
    let job = Job::new(&[("STANDIN_FILL_LINES", "20000")]);
    let trainer = job.trainer().await;
    let mut running = trainer.start(job.run()).await.unwrap();
    // Only once all is over does the reader come.
    let last = job.dir().join("models/centroid/labels_pr.val.0.slp");
    eventually("the evaluation", || last.exists().then_some(())).await;
    let events = all_events(&mut running).await;
    let skipped: u64 = events.iter().map(|e| if let TrainerEvent::Skipped { lines } = e { *lines } else { 0 }).sum();
    let seen = events.iter().filter(|e| matches!(e, TrainerEvent::Log { .. })).count() as u64;
    assert!(skipped > 0 && seen <= 1024, "{skipped} {seen}");
    let log = fs::read_to_string(running.wait().await.log_file).unwrap();
    assert_eq!(skipped + seen, log.lines().filter(|line| line.len() > 4).count() as u64);
    assert_eq!(steps(&events).last(), Some(&Progress::TrainEnd));
}

#[tokio::test]
async fn a_run_that_diverges_is_told_to_the_end() {
    let job = Job::new(&[("STANDIN_NAN", "1")]);
    let mut running = job.start().await;
    let events = all_events(&mut running).await;
    let nan = events.iter().any(|event| {
        matches!(event, TrainerEvent::Progress { progress: Progress::EpochEnd { train_loss: Some(loss), .. }, raw }
            if loss.is_nan() && raw.contains("NaN"))
    });
    assert!(nan, "{:?}", steps(&events));
}

#[tokio::test]
async fn the_environment_holds_no_secret() {
    let job = Job::new(&[("STANDIN_ENVIRONMENT", "1")]);
    // Cargo sets this one for every test; the trainer must not see it, nor anything else that is not on the list.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let running = job.start().await;
    assert_eq!(running.wait().await.verdict, Verdict::Completed { stopped_early: false });
    let text = fs::read_to_string(job.dir().join("environment.txt")).unwrap();
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(!names.iter().any(|name| name.starts_with("CARGO") || name.starts_with("SLEAP_RTC")), "{names:?}");
    for line in ["PYTHONUNBUFFERED=1", "CUDA_VISIBLE_DEVICES=", "OMP_NUM_THREADS=1"] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn a_stage_is_refused_before_anything_starts() {
    let job = Job::new(&[]);
    let trainer = job.trainer().await;
    let wants_val = "model_config: {head_configs: {centroid: {}}}\ndata_config: {val_labels_path: [v.slp]}";
    let refused = trainer.start(StageRun { config: Config::parse(wants_val).unwrap(), ..job.run() }).await;
    assert!(matches!(refused, Err(TrainerError::NoValLabels)));
    let stage = Stage { run_name: "../out".into(), ..job.run().stage };
    let refused = trainer.start(StageRun { stage, ..job.run() }).await;
    assert!(matches!(refused, Err(TrainerError::Command(_))));
    fs::create_dir_all(job.dir().join("models/centroid")).unwrap();
    let refused = trainer.start(job.run()).await;
    assert!(matches!(refused, Err(TrainerError::System { .. })));
}

#[tokio::test]
async fn videos_are_named_to_the_trainer() {
    let job = Job::new(&[]);
    job.bring("flies.slp");
    let mut run = job.run();
    run.stage.labels = vec!["flies.slp".into()];
    run.stage.videos = vec![VideoPath { stored: "clip.mp4".into(), path: "videos/0/clip.mp4".into() }];
    let trainer = job.trainer().await;
    let missing = trainer.start(run.clone()).await.unwrap().wait().await;
    assert!(matches!(&missing.verdict, Verdict::Failed(f) if f.cause.contains("Video does not exist")), "{missing:?}");
    fs::create_dir_all(job.dir().join("videos/0")).unwrap();
    fs::rename(job.dir().join("flies.slp"), job.dir().join("labels.slp")).unwrap();
    fs::write(job.dir().join("videos/0/clip.mp4"), "video").unwrap();
    run.stage.labels = vec!["labels.slp".into()];
    let found = trainer.start(run).await.unwrap().wait().await;
    assert_eq!(found.verdict, Verdict::Completed { stopped_early: false });
}

#[tokio::test]
async fn the_trainer_writes_configurations_that_can_be_trained() {
    let job = Job::new(&[]);
    let trainer = job.trainer().await;
    let configs = trainer.auto_config(&job.dir(), "flies.pkg.slp", &[], None).await.unwrap();
    let names: Vec<_> = configs.iter().map(|config| config.name.as_str()).collect();
    assert_eq!(names, ["centroid", "centered_instance"]);
    assert!(!job.dir().join("auto").exists());
    for config in configs {
        let stage = Stage {
            run_name: config.name.clone(),
            options: TrainOptions { epochs: Some(1), ..TrainOptions::default() },
            ..job.run().stage
        };
        let config = Config::parse(&config.yaml).unwrap();
        let mut running = trainer.start(StageRun { config, stage, ..job.run() }).await.unwrap();
        until(&mut running, is_batch).await;
        assert_eq!(running.wait().await.verdict, Verdict::Completed { stopped_early: false });
    }
    let one = trainer.auto_config(&job.dir(), "flies.pkg.slp", &[], Some("bottomup")).await.unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].name, "bottomup");
}

#[tokio::test]
async fn labels_that_cannot_be_used_are_named_by_the_trainer() {
    let job = Job::new(&[]);
    let trainer = job.trainer().await;
    fs::write(job.dir().join("cut.slp"), &fs::read(job.dir().join("flies.pkg.slp")).unwrap()[..100_000]).unwrap();
    let error = trainer.auto_config(&job.dir(), "cut.slp", &[], None).await.unwrap_err();
    assert!(matches!(&error, TrainerError::Auto(line) if line.contains("truncated file")), "{error}");
    let error = trainer.auto_config(&job.dir(), "flies.pkg.slp", &[], Some("nosuch")).await.unwrap_err();
    assert!(error.to_string().contains("nosuch"), "{error}");
    let error = trainer.auto_config(&job.dir(), "../x.slp", &[], None).await.unwrap_err();
    assert!(matches!(error, TrainerError::Command(_)));
    let mut run = job.run();
    run.stage.labels = vec!["cut.slp".into()];
    let outcome = trainer.start(run).await.unwrap().wait().await;
    assert!(matches!(&outcome.verdict, Verdict::Failed(f) if f.cause.contains("truncated file")), "{outcome:?}");
}

/// As Python workers start it.
#[test]
fn a_stand_in_that_is_started_by_its_name_has_the_knobs_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    sleap_rtc_e2e::standin::install(crate::house::binary::standin(), folder.path(), &[("STANDIN_VERSION", "9.9.9")])
        .unwrap();
    let mut command = std::process::Command::new("sleap-nn");
    let told = command.arg("--version").env("PATH", folder.path()).current_dir("/").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout), "sleap-nn 9.9.9\n");
}
