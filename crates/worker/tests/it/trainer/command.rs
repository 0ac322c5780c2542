use std::path::Path;

use sleap_rtc_wire::job::{TrainOptions, VideoPath};
use sleap_rtc_worker::trainer::command::{CommandError, Ports, auto_argv};
use sleap_rtc_worker::trainer::{Device, Stage};

const PORTS: Ports = Ports { controller: 9000, publish: 9001 };

fn stage() -> Stage {
    Stage {
        labels: vec!["flies.pkg.slp".into()],
        val_labels: Vec::new(),
        videos: Vec::new(),
        run_name: "centroid".into(),
        device: Device::Cpu { threads: 1 },
        options: TrainOptions::default(),
    }
}

fn argv(stage: &Stage) -> Vec<String> {
    stage.argv(Path::new("/job/configs/centroid.yaml"), Path::new("/job"), PORTS).unwrap()
}

fn video(stored: &str, path: &str) -> VideoPath {
    VideoPath { stored: stored.into(), path: path.into() }
}

/// The pairs after `--video-path-map`.
fn mapped(stage: &Stage) -> Vec<(String, String)> {
    let argv = argv(stage);
    let at = |word: &&[String]| word[0] == "--video-path-map";
    argv.windows(3).filter(at).map(|word| (word[1].clone(), word[2].clone())).collect()
}

#[test]
fn a_stage_on_the_cpu() {
    let expected = [
        "train",
        "--config-name",
        "centroid.yaml",
        "--config-dir",
        "/job/configs",
        "++data_config.train_labels_path=[\"flies.pkg.slp\"]",
        "++data_config.val_labels_path=null",
        "++trainer_config.ckpt_dir=\"models\"",
        "++trainer_config.run_name=\"centroid\"",
        "++trainer_config.save_ckpt=true",
        "++trainer_config.use_wandb=false",
        "++trainer_config.enable_progress_bar=false",
        "++trainer_config.trainer_devices=1",
        "++trainer_config.trainer_device_indices=null",
        "++trainer_config.zmq.controller_port=9000",
        "++trainer_config.zmq.publish_port=9001",
        "++trainer_config.trainer_accelerator=cpu",
    ];
    assert_eq!(argv(&stage()), expected);
    assert_eq!(stage().environment(), [("CUDA_VISIBLE_DEVICES", String::new()), ("OMP_NUM_THREADS", "1".into())]);
}

#[test]
fn a_gpu_is_made_the_only_one() {
    for gpu in ["0", "12", "GPU-3c2e1f00-aa11-4b2b-9d7e-000102030405"] {
        let stage = Stage { device: Device::Gpu(gpu.into()), ..stage() };
        assert!(argv(&stage).contains(&"++trainer_config.trainer_accelerator=gpu".to_owned()));
        let order = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned());
        assert_eq!(stage.environment(), [("CUDA_VISIBLE_DEVICES", gpu.to_owned()), order]);
    }
    for gpu in ["", "-1", "0,1", "all", "GPU-", "GPU-x;y", "1234"] {
        let error = Stage { device: Device::Gpu(gpu.into()), ..stage() }.check().unwrap_err();
        assert_eq!(error, CommandError::Gpu(gpu.into()));
    }
}

#[test]
fn options_become_overrides_and_absent_ones_do_not() {
    let options = TrainOptions { epochs: Some(2), batch_size: Some(8), lr: Some(1e-5), pipeline: None };
    let argv = argv(&Stage { options, ..stage() });
    for expected in [
        "++trainer_config.max_epochs=2",
        "++trainer_config.train_data_loader.batch_size=8",
        "++trainer_config.val_data_loader.batch_size=8",
        "++trainer_config.optimizer.lr=1e-5",
    ] {
        assert!(argv.contains(&expected.to_owned()), "{expected} in {argv:?}");
    }
    let zero = [
        TrainOptions { epochs: Some(0), ..TrainOptions::default() },
        TrainOptions { batch_size: Some(0), ..TrainOptions::default() },
        TrainOptions { lr: Some(0.0), ..TrainOptions::default() },
        TrainOptions { lr: Some(f64::NAN), ..TrainOptions::default() },
    ];
    for options in zero {
        assert!(matches!(Stage { options, ..stage() }.check(), Err(CommandError::Option(_))));
    }
}

#[test]
fn strange_file_names_are_quoted() {
    let labels = ["a/n=12.slp", "(1).slp", "ünï.slp", "~x.slp", "x,y.slp", "say \"hi\".slp", "a b.slp", "[x].slp"];
    let argv = argv(&Stage { labels: labels.map(str::to_owned).to_vec(), ..stage() });
    let expected = "++data_config.train_labels_path=[\"a/n=12.slp\",\"(1).slp\",\"ünï.slp\",\"~x.slp\",\"x,y.slp\",\
                    \"say \\\"hi\\\".slp\",\"a b.slp\",\"[x].slp\"]";
    assert!(argv.contains(&expected.to_owned()), "{argv:?}");
}

#[test]
fn no_path_leaves_the_folder_or_is_more_than_a_path() {
    for path in ["", "/etc/passwd", "../x.slp", "a/../../x.slp", "-o", "x${y}.slp", "a\\b.slp", "a\nb.slp", "./x.slp"] {
        let error = Stage { labels: vec![path.into()], ..stage() }.check().unwrap_err();
        assert_eq!(error, CommandError::Path(path.into()));
        assert!(Stage { val_labels: vec![path.into()], ..stage() }.check().is_err());
        assert!(Stage { videos: vec![video("/x.mp4", path)], ..stage() }.check().is_err());
    }
    assert_eq!(Stage { labels: Vec::new(), ..stage() }.check(), Err(CommandError::NoLabels));
}

#[test]
fn run_names_are_folder_names() {
    for name in ["centroid", "251124_080000.centroid.n=12", "a+b-c", "маус"] {
        assert_eq!(Stage { run_name: name.into(), ..stage() }.check(), Ok(()), "{name}");
    }
    let long = "x".repeat(101);
    for name in ["", ".", "..", ".hidden", "-o", "a/b", "a\\b", "a\"b", "${x}", "a b", "a\n", long.as_str()] {
        let error = Stage { run_name: name.into(), ..stage() }.check().unwrap_err();
        assert_eq!(error, CommandError::RunName(name.into()));
    }
}

#[test]
fn two_videos_of_one_name_stay_two() {
    let videos = vec![video("/data/a/clip.mp4", "videos/0/clip.mp4"), video("/data/b/clip.mp4", "videos/1/clip.mp4")];
    let expected = [("/data/a/clip.mp4", "videos/0/clip.mp4"), ("/data/b/clip.mp4", "videos/1/clip.mp4")];
    let expected = expected.map(|(old, new)| (old.to_owned(), new.to_owned()));
    assert_eq!(mapped(&Stage { videos, ..stage() }), expected);
}

#[test]
fn stored_paths_are_compared_as_sleap_io_reads_them() {
    let videos = vec![video("C:\\data\\clip.mp4", "videos/0/clip.mp4"), video("./b//clip.mp4", "videos/1/clip.mp4")];
    let old: Vec<_> = mapped(&Stage { videos, ..stage() }).into_iter().map(|(old, _)| old).collect();
    assert_eq!(old, ["C:/data/clip.mp4", "b/clip.mp4"]);
}

#[test]
fn a_new_path_that_is_anothers_old_one_is_not_replaced_twice() {
    let videos = vec![video("videos/1/c.mp4", "videos/0/c.mp4"), video("videos/0/c.mp4", "videos/1/c.mp4")];
    let new: Vec<_> = mapped(&Stage { videos, ..stage() }).into_iter().map(|(_, new)| new).collect();
    assert_eq!(new, ["/job/videos/0/c.mp4", "/job/videos/1/c.mp4"]);
}

#[test]
fn validation_labels_are_named() {
    let argv = argv(&Stage { val_labels: vec!["val.slp".into()], ..stage() });
    assert!(argv.contains(&"++data_config.val_labels_path=[\"val.slp\"]".to_owned()));
}

#[test]
fn the_command_that_writes_configurations() {
    let argv = auto_argv("auto/flies.slp", "auto/config.yaml", Some("topdown")).unwrap();
    assert_eq!(argv, ["config", "auto/flies.slp", "--auto", "-o", "auto/config.yaml", "--pipeline", "topdown"]);
    assert_eq!(auto_argv("x.slp", "c.yaml", None).unwrap().len(), 5);
    for pipeline in ["", "--help", "a b", "Topdown"] {
        assert_eq!(auto_argv("x.slp", "c.yaml", Some(pipeline)), Err(CommandError::Pipeline(pipeline.into())));
    }
    assert!(auto_argv("--help", "c.yaml", None).is_err());
}
