use sleap_rtc_session::{Grant, JobRecord, KeyPair};
use sleap_rtc_wire::job::{EndState, Terminal, TrainOptions};
use sleap_rtc_wire::peer::Submission;
use sleap_rtc_wire::{ClaimId, Fence, PeerId, RoomId};

use super::*;

fn spec(run_name: &str) -> JobSpec {
    JobSpec {
        job_id: JobId::new("j").unwrap(),
        attempt: 1,
        trainer: "sleap-nn".to_owned(),
        run_name: run_name.to_owned(),
        labels: "labels/a.slp".to_owned(),
        val_labels: None,
        videos: vec![],
        stages: vec![],
        options: TrainOptions::default(),
    }
}

fn put(folder: &JobFolder, path: &str) {
    let path = folder.work().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, b"x").unwrap();
}

fn names(folder: &JobFolder, run: &str) -> Vec<String> {
    folder.results(&spec(run)).unwrap().files.into_iter().map(|file| file.path).collect()
}

#[test]
fn the_results_of_one_stage_lie_flat_and_those_of_two_by_stage() {
    let home = tempfile::tempdir().unwrap();
    let folder = JobFolder::of(home.path(), &JobId::new("one").unwrap());
    for path in ["models/run.x/best.ckpt", "models/run.x/viz/a.png", "logs/run.x.log", "labels/a.slp"] {
        put(&folder, path);
    }
    assert_eq!(names(&folder, "run.x"), ["best.ckpt", "trainer.log", "viz/a.png"]);

    let folder = JobFolder::of(home.path(), &JobId::new("two").unwrap());
    for path in ["models/r.a/best.ckpt", "logs/r.a.log", "models/r.b/best.ckpt", "logs/r.b.log"] {
        put(&folder, path);
    }
    assert_eq!(names(&folder, "r"), ["a/best.ckpt", "a/trainer.log", "b/best.ckpt", "b/trainer.log"]);
}

#[test]
fn a_client_fills_only_its_own_folders() {
    let home = tempfile::tempdir().unwrap();
    let store = ChunkStore::open(home.path().join("chunks")).unwrap();
    let folder = JobFolder::of(home.path(), &JobId::new("j").unwrap());
    let with = |path: &str| Manifest { files: vec![FileEntry { path: path.to_owned(), size: 0 }], chunks: vec![] };
    folder.make().unwrap();
    assert!(folder.assemble(&with("models/run/best.ckpt"), &store).is_err());
    assert!(!folder.work().exists());
    folder.assemble(&with("labels/a.slp"), &store).unwrap();
    assert!(folder.work().join("labels/a.slp").is_file());
}

/// A job of a client with this key, as its record has it.
pub(crate) fn record(folder: &JobFolder, job: &str, key: u8, ended: Option<Time>) {
    record_try(folder, job, 1, key, ended);
}

fn record_try(folder: &JobFolder, job: &str, attempt: u32, key: u8, ended: Option<Time>) {
    let grant = Grant {
        room: RoomId::new("a7f3d2e1").unwrap(),
        worker: PeerId::new("gpu-box").unwrap(),
        claim_id: ClaimId::new("c1").unwrap(),
        fence: Fence { epoch: 1, counter: 1 },
        job_id: JobId::new(job).unwrap(),
        attempt,
        client_key: KeyPair::from_seed(&[key; 32]).public(),
    };
    let submission = Box::new(Submission { job: spec("r"), files: 0, bytes: 0 });
    let mut text = JobRecord::Accepted { at: Time(0), grant, submission, reserved: 4096 }.line();
    if let Some(ended_at) = ended {
        let (state, code, cause, exit) = (EndState::Completed, None, None, None);
        let terminal = Terminal { state, stopped_early: false, code, cause, exit, ended_at };
        text.push_str(&JobRecord::Ended { terminal, seq: 7 }.line());
    }
    fs::create_dir_all(folder.root()).unwrap();
    fs::write(folder.record(), text).unwrap();
}

#[test]
fn results_are_kept_for_fourteen_days_after_the_end_of_the_job() {
    let home = tempfile::tempdir().unwrap();
    let now = Time(100 * KEPT_MS);
    let [old, spared, fresh, running] = ["old", "spared", "fresh", "running"].map(|job| {
        let folder = JobFolder::of(home.path(), &JobId::new(job).unwrap());
        let ended = match job {
            "running" => None,
            "fresh" => Some(Time(99 * KEPT_MS)),
            _ => Some(Time(99 * KEPT_MS - 1)),
        };
        record(&folder, job, 1, ended);
        folder
    });
    let arriving = JobFolder::of(home.path(), &JobId::new("arriving").unwrap());
    arriving.make().unwrap();
    let in_use = [JobId::new("spared").unwrap()].into();
    assert_eq!(sweep(home.path(), &in_use, now).unwrap(), [JobId::new("old").unwrap()]);
    assert!(!old.root().exists());
    for kept in [&spared, &fresh, &running, &arriving] {
        assert!(kept.root().is_dir(), "{kept:?}");
    }
    assert_eq!(jobs(home.path()).unwrap().len(), 3);
    assert!(!arriving.root().exists(), "at the start of the worker nothing arrives");
}

#[test]
fn what_came_from_the_client_goes_after_the_end_and_the_rest_stays() {
    let home = tempfile::tempdir().unwrap();
    let folder = JobFolder::of(home.path(), &JobId::new("j").unwrap());
    for path in ["labels/a.slp", "videos/0-a.mp4", "models/r/best.ckpt", "logs/r.log"] {
        put(&folder, path);
    }
    let inputs = || folder.work().join("labels").exists() || folder.work().join("videos").exists();
    record(&folder, "j", 1, None);
    sweep(home.path(), &HashSet::new(), Time(5)).unwrap();
    assert!(inputs(), "it runs");
    record(&folder, "j", 1, Some(Time(5)));
    sweep(home.path(), &[JobId::new("j").unwrap()].into(), Time(5)).unwrap();
    assert!(inputs(), "its client is here");
    for _ in 0..2 {
        assert_eq!(sweep(home.path(), &HashSet::new(), Time(5)).unwrap(), []);
    }
    assert_eq!(names(&folder, "r"), ["best.ckpt", "trainer.log"]);
    assert!(!inputs());
}

#[test]
fn a_job_that_was_accepted_once_is_not_removed_by_one_that_was_not() {
    let home = tempfile::tempdir().unwrap();
    let folder = JobFolder::of(home.path(), &JobId::new("j").unwrap());
    folder.make().unwrap();
    folder.remove_unrecorded().unwrap();
    assert!(!folder.root().exists());
    record(&folder, "j", 1, Some(Time(1)));
    folder.remove_unrecorded().unwrap();
    assert!(folder.root().is_dir());
}

#[test]
fn what_an_earlier_attempt_left_is_kept_apart_for_as_long() {
    let home = tempfile::tempdir().unwrap();
    let now = Time(100 * KEPT_MS);
    let folder = JobFolder::of(&home.path().join("jobs"), &JobId::new("j").unwrap());
    let apart = |attempt: u32| JobFolder(home.path().join(format!("earlier/j.{attempt}")));
    for (attempt, ended_at) in [(1, Time(99 * KEPT_MS - 1)), (2, Time(99 * KEPT_MS))] {
        record_try(&folder, "j", attempt, 1, Some(ended_at));
        for path in ["labels/a.slp", "models/r/best.ckpt"] {
            put(&folder, path);
        }
        folder.make().unwrap();
        assert!(folder.root().is_dir() && folder.state().unwrap().is_none(), "made new");
        assert_eq!(apart(attempt).state().unwrap().unwrap().grant.attempt, attempt);
    }
    // Of the job that is here now nothing goes with them.
    record_try(&folder, "j", 3, 1, Some(now));
    assert_eq!(sweep(&home.path().join("jobs"), &HashSet::new(), now).unwrap(), []);
    assert!(!apart(1).root().exists());
    assert!(apart(2).work().join("models/r/best.ckpt").is_file());
    assert!(!apart(2).work().join("labels").exists());
    assert_eq!(jobs(&home.path().join("jobs")).unwrap().len(), 1);
}

#[test]
fn of_a_try_without_an_end_nothing_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let folder = JobFolder::of(&home.path().join("jobs"), &JobId::new("j").unwrap());
    record(&folder, "j", 1, None);
    folder.make().unwrap();
    assert!(!home.path().join("earlier").exists());
    assert!(folder.state().unwrap().is_none());
}
