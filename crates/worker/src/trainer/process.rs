//! One running trainer: start, events, stop, cancel, end.
//!
//! One task owns the process, its pipes and its sockets. It never waits for the reader of its events, so the trainer is
//! never held up. When the [`Running`] is dropped the task ends and the process group with it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sleap_rtc_wire::job::FailCode;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::command::{Device, MODELS, Stage};
use super::config::Config;
use super::environment;
use super::error::TrainerError;
use super::log_file::LogFile;
use super::messages::Messages;
use super::queue::{Queue, TrainerEvent};
use super::supervisor::{Facts, Supervisor};
use super::verdict::{Asked, Exit, Failure, Verdict};
use crate::sys::process::Group;

/// Where in the job's folder the configurations lie that the trainer is given.
const CONFIGS: &str = "configs";

/// Where in the job's folder the trainer's output is kept.
const LOGS: &str = "logs";

/// One stage to run.
#[derive(Clone, Debug)]
pub struct StageRun {
    /// The job's folder, absolute. Labels and videos are in it, the model appears in it.
    pub dir: PathBuf,
    /// What to train, from the client or from [`super::Trainer::auto_config`].
    pub config: Config,
    /// On what, under which name, on which device.
    pub stage: Stage,
    /// How patient to be.
    pub timing: Timing,
}

/// How patient the worker is. [`Timing::default`] is right for the real trainer.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// `stop` is repeated so often until it is obeyed: the trainer may not have connected yet, and hears nothing during
    /// validation.
    pub stop_every: Duration,
    /// From SIGTERM to SIGKILL. The trainer needs 3 s to save what it does.
    pub cancel_grace: Duration,
    /// When all is written and nothing moves for so long, the process is ended and the job is complete: old trainers hang
    /// in ZMQ's clean-up.
    pub hang_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            stop_every: Duration::from_secs(1),
            cancel_grace: Duration::from_secs(10),
            hang_after: Duration::from_mins(1),
        }
    }
}

/// How a stage ended, and what it left.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Completed, failed or cancelled.
    pub verdict: Verdict,
    /// How the process ended; `None` if that could not be found out.
    pub exit: Option<Exit>,
    /// The folder of the model, if `best.ckpt` is in it. Also there for a run that failed or was cancelled after an epoch.
    pub model_dir: Option<PathBuf>,
    /// The whole output.
    pub log_file: PathBuf,
    /// The last lines of it, both streams together.
    pub log_tail: String,
}

/// A trainer that runs. Dropping it ends the process group.
pub struct Running {
    queue: Queue,
    controls: Controls,
    task: JoinHandle<Outcome>,
    log_file: PathBuf,
}

/// Stop and cancel, for whoever does not read the events.
#[derive(Clone, Debug)]
pub struct Controls(watch::Sender<Asked>);

impl Controls {
    /// Asks the trainer to end after the next batch and keep the model. Repeated until it is obeyed.
    pub fn stop(&self) {
        self.ask(Asked::Stop);
    }

    /// Ends the trainer now: SIGTERM to its process group, SIGKILL after the grace.
    pub fn cancel(&self) {
        self.ask(Asked::Cancel);
    }

    fn ask(&self, wish: Asked) {
        self.0.send_if_modified(|asked| std::mem::replace(asked, wish.max(*asked)) < wish);
    }
}

impl Running {
    /// The next event; `None` once the trainer has ended and all events are read. Dropping the future loses nothing.
    pub async fn next_event(&mut self) -> Option<TrainerEvent> {
        self.queue.next().await
    }

    /// As [`Controls::stop`].
    pub fn stop(&self) {
        self.controls.stop();
    }

    /// As [`Controls::cancel`].
    pub fn cancel(&self) {
        self.controls.cancel();
    }

    /// Stop and cancel from elsewhere.
    pub fn controls(&self) -> Controls {
        self.controls.clone()
    }

    /// Waits for the end. Events that nobody has read are lost; the log file has every line.
    pub async fn wait(mut self) -> Outcome {
        match (&mut self.task).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome {
                verdict: Verdict::Failed(Failure {
                    code: FailCode::Internal,
                    cause: format!("the worker lost the trainer: {error}"),
                    hint: None,
                }),
                exit: None,
                model_dir: None,
                log_file: self.log_file.clone(),
                log_tail: String::new(),
            },
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Lays out the files, binds the sockets, starts the process and the task that watches it.
pub(super) async fn start(program: &Path, run: StageRun) -> Result<Running, TrainerError> {
    let StageRun { dir, config, stage, timing } = run;
    let dir = std::path::absolute(dir).map_err(system("find the job's folder"))?;
    stage.check()?;
    if config.wants_val_labels() && stage.val_labels.is_empty() {
        return Err(TrainerError::NoValLabels);
    }
    let model_dir = dir.join(MODELS).join(&stage.run_name);
    if model_dir.exists() {
        let exists = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(system("use the folder of the model")(exists));
    }
    let config_file = write_config(&dir, &config).await?;
    let log_file = dir.join(LOGS).join(format!("{}.log", stage.run_name));
    let log = LogFile::create(&log_file).await.map_err(system("write the trainer's log"))?;
    let messages = Messages::bind().await.map_err(system("bind the trainer's ports"))?;

    let argv = stage.argv(&config_file, &dir, messages.ports())?;
    let group = Group::new().map_err(system("make a process group"))?;
    let mut command = Command::new(program);
    environment::apply(&mut command);
    command.args(argv).envs(stage.environment()).current_dir(&dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    group.admit(&mut command);
    let child = command
        .spawn()
        .map_err(|e| TrainerError::Broken { path: program.to_owned(), reason: format!("it cannot be started: {e}") })?;

    let facts = Facts { dir, model_dir, gpu: matches!(stage.device, Device::Gpu(_)), timing };
    let (asked, wishes) = watch::channel(Asked::Nothing);
    let queue = Queue::default();
    let supervisor = Supervisor::new(facts, group, messages, queue.clone(), log);
    let task = tokio::spawn(supervisor.run(child, wishes));
    Ok(Running { queue, controls: Controls(asked), task, log_file })
}

async fn write_config(dir: &Path, config: &Config) -> Result<PathBuf, TrainerError> {
    let folder = dir.join(CONFIGS);
    let file = folder.join(format!("{}.yaml", config.model()));
    let failed = system("write the trainer's configuration");
    tokio::fs::create_dir_all(&folder).await.map_err(&failed)?;
    tokio::fs::write(&file, config.yaml()).await.map_err(&failed)?;
    Ok(file)
}

fn system(what: &'static str) -> impl Fn(std::io::Error) -> TrainerError {
    move |source| TrainerError::System { what, source }
}
