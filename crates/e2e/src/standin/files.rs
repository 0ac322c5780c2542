//! The files of a model's folder.

use std::fs;
use std::io::{self, Write as _};

use sleap_rtc_worker::trainer::yaml;

use super::knobs::Knobs;
use super::settings::Settings;

/// Before the first batch.
pub(super) fn set_up(settings: &Settings) -> io::Result<()> {
    let dir = &settings.model_dir;
    fs::create_dir_all(dir)?;
    for set in ["train", "val"] {
        fs::write(dir.join(format!("labels_gt.{set}.0.slp")), bytes(settings, 1, 23_000))?;
    }
    let config = yaml::write(&settings.config);
    fs::write(dir.join("initial_config.yaml"), &config)?;
    fs::write(dir.join("training_config.yaml"), &config)?;
    fs::write(dir.join("training_log.csv"), "epoch,train/loss,val/loss,learning_rate\n")
}

/// After an epoch: the log's row, whose training loss is one epoch late, and the checkpoints, written whole.
pub(super) fn epoch(settings: &Settings, knobs: &Knobs, epoch: u32, late: Option<f64>, val: f64) -> io::Result<()> {
    let dir = &settings.model_dir;
    let late = late.map_or(String::new(), |loss| loss.to_string());
    let mut log = fs::OpenOptions::new().append(true).open(dir.join("training_log.csv"))?;
    writeln!(log, "{epoch},{late},{val},0.004")?;
    let mut names = vec![];
    names.extend((!knobs.is_on("NO_MODEL")).then_some("best.ckpt"));
    names.extend(settings.save_last.then_some("last.ckpt"));
    let size = knobs.number("MODEL_BYTES").unwrap_or(1_015_465);
    for name in names {
        let part = dir.join(format!("{name}.part"));
        fs::write(&part, bytes(settings, u64::from(epoch) + 2, size))?;
        fs::rename(part, dir.join(name))?;
    }
    Ok(())
}

/// What the evaluation of one set leaves.
pub(super) fn evaluation(settings: &Settings, set: &str) -> io::Result<()> {
    let dir = &settings.model_dir;
    fs::write(dir.join(format!("labels_pr.{set}.0.slp")), bytes(settings, 1000, 18_192))?;
    let metrics = r#"{"detection_metrics": {"precision": 1.0, "recall": 1.0}}"#;
    fs::write(dir.join(format!("metrics.{set}.0.json")), metrics)
}

/// The same for the same run and number, and nothing that packs small.
fn bytes(settings: &Settings, number: u64, size: u64) -> Vec<u8> {
    let seed = settings.run_name.bytes().fold(number, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let mut state = seed | 1;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(step).take(usize::try_from(size).unwrap_or(0)).collect()
}
