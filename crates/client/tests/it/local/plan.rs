use std::fs;
use std::path::{Path, PathBuf};

use sleap_rtc_client::local::{Input, Plan, PlanError, safe_name};
use sleap_rtc_wire::job::VideoPath;
use sleap_rtc_wire::limits;

use crate::data;

fn prepare(labels: &Path, configs: &[PathBuf]) -> Result<Plan, PlanError> {
    Plan::prepare(&Input { labels, configs, videos: &[] })
}

fn write(path: PathBuf, bytes: impl AsRef<[u8]>) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.files.iter().map(|file| file.name.as_str()).collect()
}

#[test]
fn a_package_goes_alone() {
    let plan = prepare(&data("minimal_instance.pkg.slp"), &[]).unwrap();
    assert_eq!(names(&plan), ["labels/minimal_instance.pkg.slp"]);
    assert_eq!((plan.labels.as_str(), plan.total_len()), ("labels/minimal_instance.pkg.slp", 43_128));
    assert_eq!((plan.videos, plan.stages), (vec![], vec![]));
}

#[test]
fn the_examples_can_be_sent() {
    let configs = [data("centroid.yaml"), data("bottomup.yaml")];
    let plan = prepare(&data("flies.pkg.slp"), &configs).unwrap();
    assert_eq!((names(&plan), plan.total_len()), (vec!["labels/flies.pkg.slp"], 3_420_306));
    assert_eq!(plan.slp.labelled_frames, Some(12));
    assert_eq!(plan.stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(), ["centroid", "bottomup"]);
    let plan = prepare(&data("flies.slp"), &configs).unwrap();
    assert_eq!((names(&plan), plan.total_len()), (vec!["labels/flies.slp", "videos/0-clip.mp4"], 27_662 + 306_605));
}

#[test]
fn plain_labels_go_with_their_videos() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("-my labels.slp");
    fs::copy(data("images.slp"), &labels).unwrap();
    write(folder.path().join("clip.mp4"), b"film");
    for i in 0..3 {
        write(folder.path().join(format!("frames/img.00{i}.png")), [0; 10]);
    }
    let plan = prepare(&labels, &[]).unwrap();
    assert_eq!(
        names(&plan),
        [
            "labels/_-my labels.slp",
            "videos/0/000000-img.000.png",
            "videos/0/000001-img.001.png",
            "videos/0/000002-img.002.png",
            "videos/1-clip.mp4",
        ]
    );
    assert_eq!(plan.files[4].len, 4);
    let video = |stored: &str, path: &str| VideoPath { stored: stored.into(), path: path.into() };
    assert_eq!(plan.videos[0], video("frames/img.000.png", "videos/0/000000-img.000.png"));
    assert_eq!(plan.videos[3], video("clip.mp4", "videos/1-clip.mp4"));
}

#[test]
fn paths_of_windows_are_in_the_map_as_the_trainer_calls_them() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("old.slp");
    fs::copy(data("old.slp"), &labels).unwrap();
    for name in ["Aufnahme ü 1.mp4", "clip.avi", "a/1.png", "a/2.png", "top.mp4"] {
        write(folder.path().join(name), b"x");
    }
    let plan = prepare(&labels, &[]).unwrap();
    assert_eq!(plan.videos[0].stored, "D:/Lab/Fly videos/Aufnahme ü 1.mp4");
    assert_eq!(plan.videos[0].path, "videos/0-Aufnahme ü 1.mp4");
    assert_eq!(plan.videos[3].path, "videos/2/000001-2.png");
}

#[test]
fn a_missing_video_stops_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("flies.slp");
    fs::copy(data("flies.slp"), &labels).unwrap();
    let error = prepare(&labels, &[]).unwrap_err();
    let words = error.explained();
    assert_eq!(words.what, format!("1 video of {} cannot be sent", labels.display()));
    assert_eq!(words.cause, "not found on this machine: clip.mp4");
    let given = write(folder.path().join("films/clip.mp4"), b"film");
    let plan = Plan::prepare(&Input { labels: &labels, configs: &[], videos: std::slice::from_ref(&given) }).unwrap();
    assert_eq!(plan.files[1].local, given);
}

#[test]
fn configurations_are_stages_with_names_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let configs = [
        write(folder.path().join("a/centroid.yaml"), "one: 1\n"),
        write(folder.path().join("b/Centroid.yml"), "two: 2\n"),
        write(folder.path().join("con.yaml"), "three: 3\n"),
    ];
    let plan = prepare(&data("tiny.pkg.slp"), &configs).unwrap();
    let stages: Vec<_> = plan.stages.iter().map(|stage| (stage.name.as_str(), stage.config.as_str())).collect();
    assert_eq!(stages, [("centroid", "one: 1\n"), ("Centroid-2", "two: 2\n"), ("_con", "three: 3\n")]);
}

#[test]
fn a_bad_configuration_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let cause = |name: &str, bytes: &[u8]| {
        let path = write(folder.path().join(name), bytes);
        match prepare(&data("tiny.pkg.slp"), &[path]).unwrap_err() {
            PlanError::Config { cause, .. } => cause,
            other => panic!("{other}"),
        }
    };
    assert_eq!(cause("a.json", b"{}"), "it is not called .yaml");
    assert_eq!(cause("b.yaml", b" \n"), "it is empty");
    assert_eq!(cause("c.yaml", b"abc\xff"), "it is not UTF-8 text: byte 3 is wrong");
    assert_eq!(cause("d.yaml", &vec![b'x'; limits::CONFIG + 1]), "it is larger than 262144 bytes");
    let gone = prepare(&data("tiny.pkg.slp"), &[folder.path().join("gone.yaml")]).unwrap_err();
    assert!(matches!(gone, PlanError::Unreadable { .. }), "{gone}");
    let many = vec![write(folder.path().join("e.yaml"), "x: 1"); limits::STAGES + 1];
    assert!(matches!(prepare(&data("tiny.pkg.slp"), &many).unwrap_err(), PlanError::TooManyStages(17)));
}

#[test]
fn other_kinds_of_input_are_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let zip = write(folder.path().join("labels.slp.training_job.zip"), b"PK");
    let error = prepare(&zip, &[]).unwrap_err();
    assert!(matches!(error, PlanError::Zip(_)));
    assert!(error.explained().hint.starts_with("unzip it, then: sleap-rtc train "));
    assert!(matches!(prepare(folder.path(), &[]).unwrap_err(), PlanError::Folder(_)));
    assert!(matches!(prepare(&data("make.py"), &[]).unwrap_err(), PlanError::NotLabels(_)));
    assert!(matches!(prepare(Path::new("nowhere.h5"), &[]).unwrap_err(), PlanError::Labels(_)));
    assert!(matches!(prepare(Path::new("nowhere.slp"), &[]).unwrap_err(), PlanError::Labels(_)));
}

#[test]
fn planned_names_pass_the_receivers_rule() {
    let mut rules = sleap_rtc_client::local::results::PathRules::default();
    for name in ["aux.slp", "-x", "a:b", "果蝇 .pkg.slp", &"ü".repeat(500)] {
        rules.add(&format!("labels/{}", safe_name(name))).unwrap();
    }
}
