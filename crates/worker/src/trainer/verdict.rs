//! How a training ended, from all that is known when its process is gone. Pure.
//!
//! The exit code is not enough: after SIGTERM it is 0 as well, and a GPU that is missing is silently replaced by the CPU.
//! Completed = exit 0, and the trainer's word that it has finished, and a model.

use sleap_rtc_wire::job::FailCode;

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// As one number: the code, or the signal's negative.
    pub fn number(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => -signal,
        }
    }
}

/// What the worker has asked of the trainer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// Nothing: run to the end.
    #[default]
    Nothing,
    /// To end early and keep the model.
    Stop,
    /// To end now.
    Cancel,
}

/// All that is known at the end.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub struct Evidence {
    /// How it ended.
    pub exit: Exit,
    /// The worker's own wish, if it came before the end.
    pub asked: Asked,
    /// The trainer said so before its last epoch ended, or trained fewer epochs than planned.
    pub stop_obeyed: bool,
    /// `train_end` came, or the line `Finished training at: `.
    pub finished: bool,
    /// `best.ckpt` and `training_config.yaml` are in the model's folder.
    pub model: bool,
    /// The worker ended it, since it hung when all was written.
    pub hung_at_end: bool,
    /// A GPU was promised.
    pub gpu_promised: bool,
    /// What it computed on, in its own words.
    pub accelerator: Option<String>,
    /// The cause in standard error.
    pub error_line: Option<String>,
}

/// How the training ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A model is there.
    Completed {
        /// Early, at the user's wish.
        stopped_early: bool,
    },
    /// No model, or not the one that was asked for.
    Failed(Failure),
    /// At the user's wish.
    Cancelled,
}

/// Why a training failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// For a program.
    pub code: FailCode,
    /// For the user: the trainer's last error line, or what is missing.
    pub cause: String,
    /// What the user can do.
    pub hint: Option<String>,
}

impl Failure {
    /// The system does not say how the process ended.
    pub(super) fn lost(error: Option<std::io::Error>) -> Self {
        let why = error.map_or_else(String::new, |error| format!(": {error}"));
        Self::new(FailCode::Internal, format!("the worker lost the trainer{why}"), None)
    }

    fn new(code: FailCode, cause: impl Into<String>, hint: Option<&str>) -> Self {
        Self { code, cause: cause.into(), hint: hint.map(str::to_owned) }
    }
}

/// Weighs the evidence.
pub fn verdict(evidence: &Evidence) -> Verdict {
    if evidence.asked == Asked::Cancel {
        return Verdict::Cancelled;
    }
    if let Some(failure) = wrong_device(evidence).or_else(|| bad_end(evidence)) {
        return Verdict::Failed(failure);
    }
    Verdict::Completed { stopped_early: evidence.asked == Asked::Stop && evidence.stop_obeyed }
}

/// A GPU was promised and something else was used.
pub(super) fn wrong_device(evidence: &Evidence) -> Option<Failure> {
    let used = evidence.accelerator.as_deref()?;
    (evidence.gpu_promised && !is_gpu(used)).then(|| {
        Failure::new(
            FailCode::NoGpu,
            format!("the trainer found no usable GPU and wanted to train on {used}"),
            Some("on the worker: sleap-rtc doctor; a driver older than the trainer's CUDA is the usual reason"),
        )
    })
}

/// `cuda:0`, `cuda`, `gpu`.
pub(super) fn is_gpu(accelerator: &str) -> bool {
    accelerator.starts_with("cuda") || accelerator.starts_with("gpu")
}

fn bad_end(evidence: &Evidence) -> Option<Failure> {
    let error = || evidence.error_line.clone();
    match evidence.exit {
        _ if evidence.hung_at_end => no_model(evidence),
        Exit::Code(0) if !evidence.finished => Some(Failure::new(
            FailCode::TrainerFailed,
            "the trainer was ended from outside before it had finished",
            Some("somebody or something on the worker's machine has terminated it"),
        )),
        Exit::Code(0) => no_model(evidence),
        Exit::Code(code) => {
            let cause = error().unwrap_or_else(|| format!("the trainer ended with exit code {code}"));
            let (code, hint) = explain(&cause);
            Some(Failure::new(code, cause, hint))
        }
        Exit::Signal(9) => Some(Failure::new(
            FailCode::TrainerFailed,
            "the trainer was killed (signal 9)",
            Some("the worker's machine has probably run out of memory: try a smaller batch size"),
        )),
        Exit::Signal(signal) => {
            let cause = error().unwrap_or_else(|| format!("the trainer ended by signal {signal}"));
            Some(Failure::new(FailCode::TrainerFailed, cause, None))
        }
    }
}

fn no_model(evidence: &Evidence) -> Option<Failure> {
    (!evidence.model).then(|| {
        let hint = Some("its log in the job's folder says more");
        Failure::new(FailCode::TrainerFailed, "the trainer ended well but left no best.ckpt", hint)
    })
}

/// Sorts the trainer's own errors: which are the user's to mend, and how.
fn explain(line: &str) -> (FailCode, Option<&'static str>) {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&["No space left on device", "Disk quota exceeded", "Errno 28", "Errno 122"]) {
        (FailCode::DiskFull, Some("free space on the worker's disk"))
    } else if has(&["OutOfMemoryError", "CUDA out of memory", "MemoryError"]) {
        (FailCode::TrainerFailed, Some("try a smaller batch size, or --min-gpu-memory to ask for a larger GPU"))
    } else if has(&["Video does not exist or cannot be opened"]) {
        (FailCode::BadData, Some("the labels name a video that was not sent or that the trainer cannot read"))
    } else if has(&["hydra.errors.", "omegaconf.errors."]) {
        (FailCode::BadConfig, Some("the trainer's version on the worker may not know this configuration"))
    } else if has(&["Unable to synchronously open file", "truncated file", "Unable to open file"]) {
        (FailCode::BadData, Some("open the labels in SLEAP and save them again"))
    } else {
        (FailCode::TrainerFailed, None)
    }
}
