//! The real trainer, where the environment names one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sleap_rtc_wire::job::{TrainOptions, VideoPath};
use sleap_rtc_worker::trainer::{Config, Exit, Plan, Progress, Stage, StageRun, Trainer, TrainerEvent, Verdict};

use super::support::{Job, all_events, is_batch, steps, until};

/// The path of a `sleap-nn`, or a line that says how to have one.
fn real() -> Option<PathBuf> {
    let path = std::env::var_os("SLEAP_RTC_TEST_TRAINER").map(PathBuf::from);
    if path.is_none() {
        println!(
            "skipped: set SLEAP_RTC_TEST_TRAINER to a sleap-nn; scripts/install-trainer-cpu.sh DIR makes DIR/bin/sleap-nn"
        );
    }
    path
}

/// Quick settings for the flies: as the example, with fewer steps.
fn quick() -> Config {
    let text = fs::read_to_string(super::support::example("centroid.yaml")).unwrap();
    Config::parse(&text.replace("min_train_steps_per_epoch: 20", "min_train_steps_per_epoch: 3")).unwrap()
}

#[tokio::test]
async fn the_real_trainer_trains_a_package() {
    let Some(program) = real() else { return };
    let job = Job::new(&[]);
    let trainer = Trainer::probe(&program).await.unwrap();
    let mut running = trainer.start(StageRun { config: quick(), ..job.run() }).await.unwrap();
    let events = all_events(&mut running).await;
    let outcome = running.wait().await;
    assert_eq!(outcome.verdict, Verdict::Completed { stopped_early: false }, "{}", outcome.log_tail);
    assert_eq!(outcome.exit, Some(Exit::Code(0)));
    assert!(fs::metadata(outcome.model_dir.unwrap().join("best.ckpt")).unwrap().len() > 1_000_000);
    let plan = TrainerEvent::Plan(Plan { steps: Some(3), epochs: Some(2) });
    assert!(events.contains(&plan), "{:?}", steps(&events));
    let steps = steps(&events);
    let losses: Vec<_> = steps.iter().filter(|step| matches!(step, Progress::EpochEnd { .. })).collect();
    let whole = |step: &&&Progress| matches!(step, Progress::EpochEnd { train_loss: Some(train), val_loss: Some(val), .. } if *train > 0.0 && *val > 0.0);
    assert_eq!(losses.iter().filter(whole).count(), 2, "{steps:?}");
    assert_eq!(steps.first(), Some(&Progress::TrainBegin));
    assert_eq!(steps.last(), Some(&Progress::TrainEnd));
}

#[tokio::test]
async fn the_real_trainer_stops_early_and_keeps_the_model() {
    let Some(program) = real() else { return };
    let job = Job::new(&[]);
    let mut run = StageRun { config: quick(), ..job.run() };
    run.stage.options.epochs = Some(1000);
    let mut running = Trainer::probe(&program).await.unwrap().start(run).await.unwrap();
    until(&mut running, is_batch).await;
    running.stop();
    let outcome = running.wait().await;
    assert_eq!(outcome.verdict, Verdict::Completed { stopped_early: true }, "{}", outcome.log_tail);
    assert!(outcome.model_dir.is_some());
}

#[tokio::test]
async fn the_real_trainer_is_cancelled() {
    let Some(program) = real() else { return };
    let job = Job::new(&[]);
    let mut run = StageRun { config: quick(), ..job.run() };
    run.stage.options.epochs = Some(1000);
    let mut running = Trainer::probe(&program).await.unwrap().start(run).await.unwrap();
    until(&mut running, is_batch).await;
    running.cancel();
    assert_eq!(running.wait().await.verdict, Verdict::Cancelled);
}

/// `two.slp` in the job's folder: `flies.slp`, half of its frames in a second video of the same name.
fn two_videos_of_one_name(program: &Path, job: &Job) {
    let script = r"
import sys, sleap_io as sio
labels = sio.load_slp(sys.argv[1])
labels.videos[0].replace_filename('C:\\data\\a\\clip.mp4', open=False)
labels.videos.append(sio.Video(filename='/data/b/clip.mp4', open_backend=False))
for frame in labels.labeled_frames[15:]: frame.video = labels.videos[1]
labels.save('two.slp', verbose=False)
";
    let python = Command::new(program.with_file_name("python"))
        .args(["-c", script])
        .arg(super::support::example("flies.slp").canonicalize().unwrap())
        .current_dir(job.dir())
        .status();
    assert!(python.unwrap().success());
}

/// The trainer writes the configurations itself, for labels whose two videos have one name and are not where the labels
/// say; then it trains with them.
#[tokio::test]
async fn the_real_trainer_configures_itself_and_finds_videos() {
    let Some(program) = real() else { return };
    let job = Job::new(&[]);
    two_videos_of_one_name(&program, &job);
    let video = |stored: &str, path: &str| VideoPath { stored: stored.into(), path: path.into() };
    let videos =
        vec![video("C:\\data\\a\\clip.mp4", "videos/0/clip.mp4"), video("/data/b/clip.mp4", "videos/1/clip.mp4")];
    for video in &videos {
        let path = job.dir().join(&video.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(super::support::example("clip.mp4"), path).unwrap();
    }
    let trainer = Trainer::probe(&program).await.unwrap();
    let configs = trainer.auto_config(&job.dir(), "two.slp", &videos, Some("topdown")).await.unwrap();
    let names: Vec<_> = configs.iter().map(|config| config.name.as_str()).collect();
    assert_eq!(names, ["centroid", "centered_instance"]);
    let small = configs[0].yaml.replace("min_train_steps_per_epoch: 200", "min_train_steps_per_epoch: 2");
    let small = small.replace("filters: 32", "filters: 4").replace("scale: 0.5", "scale: 0.25");
    let stage = Stage {
        labels: vec!["two.slp".into()],
        videos,
        options: TrainOptions { epochs: Some(1), batch_size: Some(2), lr: Some(1e-3), pipeline: None },
        ..job.run().stage
    };
    let run = StageRun { config: Config::parse(&small).unwrap(), stage, ..job.run() };
    let outcome = trainer.start(run).await.unwrap().wait().await;
    assert_eq!(outcome.verdict, Verdict::Completed { stopped_early: false }, "{}", outcome.log_tail);
    let saved = fs::read_to_string(outcome.model_dir.unwrap().join("training_config.yaml")).unwrap();
    assert!(saved.contains("lr: 0.001") && saved.contains("batch_size: 2"), "{saved}");
    // What it saved can be given again.
    assert_eq!(Config::parse(&saved).unwrap().model(), "centroid");
}

#[tokio::test]
async fn the_real_trainers_last_error_line_is_the_cause() {
    let Some(program) = real() else { return };
    let job = Job::new(&[]);
    fs::write(job.dir().join("cut.slp"), &fs::read(job.dir().join("flies.pkg.slp")).unwrap()[..100_000]).unwrap();
    let mut run = StageRun { config: quick(), ..job.run() };
    run.stage.labels = vec!["cut.slp".into()];
    let outcome = Trainer::probe(&program).await.unwrap().start(run).await.unwrap().wait().await;
    let Verdict::Failed(failure) = &outcome.verdict else { panic!("{outcome:?}") };
    assert!(failure.cause.contains("truncated file"), "{failure:?}\n{}", outcome.log_tail);
}
