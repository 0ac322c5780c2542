//! The command lines of the trainer, built from typed options. Pure.
//!
//! Overrides are Hydra's: `++key=value` works whether or not the configuration has the key, and a double-quoted string takes
//! every character but `${`, which is refused. Paths are relative to the job's folder, where the trainer runs.

use std::ffi::OsStr;
use std::path::{Component, Path};

use sleap_rtc_wire::job::{TrainOptions, VideoPath};

/// The folder in the job's folder in which the models appear, one folder a run.
pub const MODELS: &str = "models";

/// What the trainer computes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// One GPU: its index in `nvidia-smi` or its UUID.
    Gpu(String),
    /// No GPU.
    Cpu {
        /// `OMP_NUM_THREADS`; 1 on a shared machine, since waiting threads spin.
        threads: u16,
    },
}

/// The worker's ZMQ ports on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The trainer listens here for `stop`.
    pub controller: u16,
    /// The trainer reports here.
    pub publish: u16,
}

/// One model to train: everything but the process.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Label files in the job's folder, at least one.
    pub labels: Vec<String>,
    /// Validation labels in the job's folder; none: the configuration's fraction of the labels.
    pub val_labels: Vec<String>,
    /// Where the videos are that the labels name; none for a package. Not beside the labels: the trainer would find a
    /// video of the same name there before it looks at this list.
    pub videos: Vec<VideoPath>,
    /// The model lands in `models/<run_name>/`.
    pub run_name: String,
    /// What it computes on.
    pub device: Device,
    /// What the user typed beside the configuration.
    pub options: TrainOptions,
}

/// A value that may not become part of a command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Not a plain relative path.
    #[error("'{0}' is not a path inside the job's folder")]
    Path(String),
    /// Not a name for a folder.
    #[error("'{0}' is not a usable run name: letters, digits, and . _ - = + only, at most 100, no leading dot or dash")]
    RunName(String),
    /// Nothing to train on.
    #[error("the job has no labels")]
    NoLabels,
    /// Not a GPU's index or UUID.
    #[error("'{0}' is not the index or the UUID of a GPU")]
    Gpu(String),
    /// The pipeline is a word of the trainer's.
    #[error("'{0}' is not the name of a pipeline")]
    Pipeline(String),
    /// Zero epochs, a learning rate that is not positive, …
    #[error("{0} must be greater than zero")]
    Option(&'static str),
}

impl Stage {
    /// Checks every value that comes from elsewhere.
    ///
    /// # Errors
    /// Names the first value that cannot be used.
    pub fn check(&self) -> Result<(), CommandError> {
        if self.labels.is_empty() {
            return Err(CommandError::NoLabels);
        }
        let videos = self.videos.iter().map(|video| &video.path);
        for path in self.labels.iter().chain(&self.val_labels).chain(videos) {
            check_path(path)?;
        }
        check_run_name(&self.run_name)?;
        if let Device::Gpu(gpu) = &self.device {
            check_gpu(gpu)?;
        }
        check_options(&self.options)
    }

    /// The arguments of `sleap-nn` for the configuration `config`, an absolute path, in `job`, the job's folder.
    ///
    /// # Errors
    /// As [`Stage::check`].
    pub fn argv(&self, config: &Path, job: &Path, ports: Ports) -> Result<Vec<String>, CommandError> {
        self.check()?;
        let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let folder = config.parent().map(Path::as_os_str);
        let mut argv = vec!["train".into(), "--config-name".into(), text(config.file_name())];
        argv.extend(["--config-dir".into(), text(folder)]);
        for (old, new) in video_map(&self.videos, job) {
            argv.extend(["--video-path-map".to_owned(), old, new]);
        }
        argv.extend(self.overrides(ports).into_iter().map(|(key, value)| format!("++{key}={value}")));
        Ok(argv)
    }

    fn overrides(&self, ports: Ports) -> Vec<(&'static str, String)> {
        let val_labels = if self.val_labels.is_empty() { "null".into() } else { quoted_list(&self.val_labels) };
        let mut all = vec![
            ("data_config.train_labels_path", quoted_list(&self.labels)),
            // Also if there are none: with --video-path-map the trainer reads the key before it knows its own defaults.
            ("data_config.val_labels_path", val_labels),
            ("trainer_config.ckpt_dir", quoted(MODELS)),
            ("trainer_config.run_name", quoted(&self.run_name)),
            ("trainer_config.save_ckpt", "true".into()),
            ("trainer_config.use_wandb", "false".into()),
            ("trainer_config.enable_progress_bar", "false".into()),
            ("trainer_config.trainer_devices", "1".into()),
            ("trainer_config.trainer_device_indices", "null".into()),
            ("trainer_config.zmq.controller_port", ports.controller.to_string()),
            ("trainer_config.zmq.publish_port", ports.publish.to_string()),
        ];
        let accelerator = if matches!(self.device, Device::Gpu(_)) { "gpu" } else { "cpu" };
        all.push(("trainer_config.trainer_accelerator", accelerator.into()));
        if let Some(epochs) = self.options.epochs {
            all.push(("trainer_config.max_epochs", epochs.to_string()));
        }
        if let Some(batch) = self.options.batch_size {
            all.push(("trainer_config.train_data_loader.batch_size", batch.to_string()));
            all.push(("trainer_config.val_data_loader.batch_size", batch.to_string()));
        }
        if let Some(lr) = self.options.lr {
            all.push(("trainer_config.optimizer.lr", format!("{lr:?}")));
        }
        all
    }

    /// What the device asks of the environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        match &self.device {
            // Without the order CUDA numbers by speed, nvidia-smi by bus.
            Device::Gpu(gpu) => {
                vec![("CUDA_VISIBLE_DEVICES", gpu.clone()), ("CUDA_DEVICE_ORDER", "PCI_BUS_ID".into())]
            }
            Device::Cpu { threads } => {
                vec![("CUDA_VISIBLE_DEVICES", String::new()), ("OMP_NUM_THREADS", threads.max(&1).to_string())]
            }
        }
    }
}

/// The arguments that make the trainer write configurations for `labels` to `output` (both in the job's folder).
///
/// # Errors
/// A path or pipeline that cannot be used.
pub fn auto_argv(labels: &str, output: &str, pipeline: Option<&str>) -> Result<Vec<String>, CommandError> {
    check_auto(labels, pipeline)?;
    check_path(output)?;
    let mut argv: Vec<String> = ["config", labels, "--auto", "-o", output].map(str::to_owned).to_vec();
    if let Some(pipeline) = pipeline {
        argv.extend(["--pipeline".to_owned(), pipeline.to_owned()]);
    }
    Ok(argv)
}

/// Checks what a client says for it.
///
/// # Errors
/// As [`auto_argv`].
pub fn check_auto(labels: &str, pipeline: Option<&str>) -> Result<(), CommandError> {
    check_path(labels)?;
    let word = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match pipeline.filter(|text| !word(text)) {
        Some(text) => Err(CommandError::Pipeline(text.to_owned())),
        None => Ok(()),
    }
}

/// Old and new path of every video, in the form in which the trainer compares them.
///
/// It applies the whole list to each video in turn, so a new path that is another's old one would be replaced twice: then
/// the new ones are absolute.
fn video_map(videos: &[VideoPath], job: &Path) -> Vec<(String, String)> {
    let stored: Vec<String> = videos.iter().map(|video| canonical(&video.stored)).collect();
    let clash = videos.iter().any(|video| stored.contains(&canonical(&video.path)));
    let new = |path: &str| if clash { job.join(path).display().to_string() } else { path.to_owned() };
    videos.iter().zip(stored).map(|(video, old)| (old, new(&video.path))).collect()
}

/// sleap-io turns backslashes round when it reads labels, and compares paths without `.` and doubled separators.
fn canonical(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if path.starts_with('/') {
        parts.insert(0, "");
    }
    parts.join("/")
}

/// A string of Hydra's override grammar.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn quoted_list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(","))
}

/// The last part of a path of any system.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Relative, downwards only, no leading dash (an option to the trainer), nothing that Hydra interpolates.
pub(super) fn check_path(path: &str) -> Result<(), CommandError> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let harmless =
        !path.is_empty() && !path.starts_with('-') && !path.contains("${") && !path.contains(char::is_control);
    if plain && harmless && !path.contains('\\') { Ok(()) } else { Err(CommandError::Path(path.to_owned())) }
}

fn check_run_name(name: &str) -> Result<(), CommandError> {
    let usable = (1..=100).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '=' | '+'));
    if usable { Ok(()) } else { Err(CommandError::RunName(name.to_owned())) }
}

fn check_gpu(gpu: &str) -> Result<(), CommandError> {
    let index = !gpu.is_empty() && gpu.len() <= 3 && gpu.bytes().all(|b| b.is_ascii_digit());
    let uuid = gpu
        .strip_prefix("GPU-")
        .or_else(|| gpu.strip_prefix("MIG-"))
        .is_some_and(|id| !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
    if index || uuid { Ok(()) } else { Err(CommandError::Gpu(gpu.to_owned())) }
}

fn check_options(options: &TrainOptions) -> Result<(), CommandError> {
    let positive = |value: Option<u32>, name| if value == Some(0) { Err(CommandError::Option(name)) } else { Ok(()) };
    positive(options.epochs, "the number of epochs")?;
    positive(options.batch_size, "the batch size")?;
    match options.lr {
        Some(lr) if !(lr.is_finite() && lr > 0.0) => Err(CommandError::Option("the learning rate")),
        _ => Ok(()),
    }
}
