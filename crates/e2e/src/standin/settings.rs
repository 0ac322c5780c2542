//! One training's settings, from the command line and the configuration that it names.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sleap_rtc_worker::trainer::yaml::{self, Limits, Value};

use super::PythonError;
use super::overrides;

pub(super) struct Settings {
    /// With all overrides.
    pub(super) config: Value,
    pub(super) run_name: String,
    /// `<ckpt_dir>/<run_name>`, with `-1` if a model is there already.
    pub(super) model_dir: PathBuf,
    pub(super) model: String,
    pub(super) epochs: u32,
    pub(super) steps: u32,
    pub(super) gpu_asked: bool,
    pub(super) save_last: bool,
    pub(super) controller_port: Option<u32>,
    pub(super) publish_port: Option<u32>,
}

/// The arguments after `train`.
struct Arguments {
    config_dir: String,
    config_name: String,
    videos: Vec<(String, String)>,
    overrides: Vec<String>,
}

impl Settings {
    pub(super) fn read(args: &[String]) -> Result<Self, PythonError> {
        let args = arguments(args)?;
        let mut config = load(&args)?;
        check_keys(&config, "")?;
        for text in &args.overrides {
            overrides::apply(&mut config, text)?;
        }
        if !args.videos.is_empty() && config.get("data_config.val_labels_path").is_none() {
            let error = "omegaconf.errors.ConfigAttributeError: Key 'val_labels_path' is not in struct";
            return Err(PythonError(error.into()));
        }
        let labels = labels(&config)?;
        labels.iter().try_for_each(|path| check_labels(path))?;
        args.videos.iter().try_for_each(|(_, new)| check_video(new))?;
        Self::from(config)
    }

    fn from(mut config: Value) -> Result<Self, PythonError> {
        let text = |path: &str| match config.get(path) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let number = |path: &str| config.get(path).and_then(Value::as_u32);
        let is_true = |path: &str| config.get(path) == Some(&Value::Bool(true));
        let model = model(&config)?;
        let trainer = "trainer_config";
        let run_name = text("trainer_config.run_name").unwrap_or_else(|| format!("251124_080000.{model}.n=12"));
        let model_dir = Path::new(&text("trainer_config.ckpt_dir").unwrap_or_else(|| ".".into())).join(&run_name);
        let taken = model_dir.join("best.ckpt").exists();
        let model_dir = if taken { PathBuf::from(format!("{}-1", model_dir.display())) } else { model_dir };
        let asked = number("trainer_config.train_steps_per_epoch");
        let least = number("trainer_config.min_train_steps_per_epoch").unwrap_or(200);
        let settings = Self {
            epochs: number("trainer_config.max_epochs").unwrap_or(100),
            steps: asked.unwrap_or(least.max(3)),
            gpu_asked: matches!(text("trainer_config.trainer_accelerator").as_deref(), Some("gpu" | "cuda")),
            save_last: is_true("trainer_config.model_ckpt.save_last"),
            controller_port: number("trainer_config.zmq.controller_port"),
            publish_port: number("trainer_config.zmq.publish_port"),
            model,
            model_dir,
            run_name,
            config: Value::Null,
        };
        for (key, value) in [("train_steps_per_epoch", settings.steps), ("max_epochs", settings.epochs)] {
            overrides::set(&mut config, &format!("{trainer}.{key}"), Value::Int(value.into()));
        }
        overrides::set(&mut config, "sleap_nn_version", Value::Text("0.3.5".into()));
        Ok(Self { config, ..settings })
    }
}

fn arguments(args: &[String]) -> Result<Arguments, PythonError> {
    let mut parsed =
        Arguments { config_dir: ".".into(), config_name: String::new(), videos: Vec::new(), overrides: Vec::new() };
    let mut args = args.iter().cloned();
    while let Some(arg) = args.next() {
        let mut next =
            || args.next().ok_or_else(|| PythonError(format!("Error: Option '{arg}' requires an argument.")));
        match arg.as_str() {
            "--config-name" | "-c" => parsed.config_name = next()?,
            "--config-dir" | "-d" => parsed.config_dir = next()?,
            "--video-path-map" => parsed.videos.push((next()?, next()?)),
            option if option.starts_with('-') => {
                return Err(PythonError(format!("Error: No such option: {option}")));
            }
            _ => parsed.overrides.push(arg),
        }
    }
    Ok(parsed)
}

fn load(args: &Arguments) -> Result<Value, PythonError> {
    let path = Path::new(&args.config_dir).join(&args.config_name);
    let text = fs::read_to_string(&path).map_err(|_| {
        let name = &args.config_name;
        PythonError(format!("hydra.errors.MissingConfigException: Cannot find primary config '{name}'."))
    })?;
    let limits = Limits { depth: 32, nodes: 100_000 };
    yaml::read(&text, limits).map_err(|error| PythonError(format!("yaml.scanner.ScannerError: {error}")))
}

fn check_keys(value: &Value, path: &str) -> Result<(), PythonError> {
    let Value::Map(entries) = value else { return Ok(()) };
    entries.iter().try_for_each(|(name, value)| {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        overrides::known(&key)?;
        check_keys(value, &key)
    })
}

fn model(config: &Value) -> Result<String, PythonError> {
    let Some(Value::Map(heads)) = config.get("model_config.head_configs") else {
        return Err(PythonError("No model config found! Use `sleap-nn train --help` for more information.".into()));
    };
    let head = heads.iter().find(|(_, head)| *head != Value::Null).map(|(name, _)| name.clone());
    let error = "ValueError: HeadConfig: At least one attribute of this class must be set.";
    head.ok_or_else(|| PythonError(error.into()))
}

fn labels(config: &Value) -> Result<Vec<String>, PythonError> {
    let listed = |path: &str| match config.get(path) {
        Some(Value::List(items)) => items.clone(),
        _ => Vec::new(),
    };
    let mut all = listed("data_config.train_labels_path");
    if all.is_empty() {
        return Err(PythonError("TypeError: 'NoneType' object is not iterable".into()));
    }
    all.extend(listed("data_config.val_labels_path"));
    Ok(all.into_iter().filter_map(|item| if let Value::Text(path) = item { Some(path) } else { None }).collect())
}

/// As h5py opens a file: it must be there, begin as HDF5 and have the length that its header promises.
pub(super) fn check_labels(path: &str) -> Result<(), PythonError> {
    let failed = |kind: &str, why: &str| PythonError(format!("{kind}: Unable to synchronously open file ({why})"));
    let mut head = [0; 48];
    let read = fs::File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        let read = file.read(&mut head)?;
        Ok((length, read))
    });
    let Ok((length, read)) = read else {
        return Err(failed(
            "FileNotFoundError: [Errno 2]",
            &format!("unable to open file: name = '{path}', errno = 2"),
        ));
    };
    if read < 48 || !head.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Err(failed("OSError", "file signature not found"));
    }
    let at = if head[8] < 2 { 40 } else { 28 };
    let stored = u64::from_le_bytes(head[at..at + 8].try_into().unwrap_or_default());
    if length < stored {
        return Err(failed(
            "OSError",
            &format!("truncated file: eof = {length}, sblock->base_addr = 0, stored_eof = {stored}"),
        ));
    }
    Ok(())
}

fn check_video(path: &str) -> Result<(), PythonError> {
    let words = "FileNotFoundError: Video does not exist or cannot be opened for reading:";
    if Path::new(path).exists() { Ok(()) } else { Err(PythonError(format!("{words} {path}"))) }
}
