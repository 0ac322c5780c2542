//! Runs the stages of a job, one after the other, and tells the session everything that happens.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use sleap_rtc_session::WorkerInput;
use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::{EndState, FailCode, JobSpec, Phase, StageSpec, Terminal, What};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::labels;
use crate::trainer::command::check_auto;
use crate::trainer::{
    Config, Controls, Device, Outcome, Progress, Running, Stage, StageRun, Timing, Trainer, TrainerError, TrainerEvent,
    Verdict,
};
use sleap_rtc_peer::clock::Clock;

/// Batches are told so often at most: a screen shows no more, and a short batch must not cost a message.
const BATCH_EVERY: Duration = Duration::from_millis(250);

/// What the client may want of a running job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// How often a stop was asked for; each one ends the stage that runs.
    pub(crate) stops: u32,
    /// Whether the job is to end now.
    pub(crate) cancelled: bool,
}

/// A job whose files are in place.
pub(crate) struct Run {
    /// The job's folder, absolute.
    pub(crate) dir: PathBuf,
    /// What to do.
    pub(crate) job: JobSpec,
    /// By which program.
    pub(crate) trainer: Trainer,
    /// On which slot.
    pub(crate) device: Device,
    /// What the client wants.
    pub(crate) wishes: watch::Receiver<Wishes>,
    /// Where everything is told.
    pub(crate) tell: Sender<WorkerInput>,
    /// What time it is.
    pub(crate) clock: Clock,
}

/// How a stage let the job go on.
enum Next {
    Go { stopped_early: bool },
    End(Terminal),
}

impl Run {
    /// Runs to the end and tells it: exactly one [`WorkerInput::Ended`].
    pub(crate) async fn run(mut self) {
        let terminal = self.stages().await;
        self.tell.send(WorkerInput::Ended(terminal)).await.ok();
    }

    async fn stages(&mut self) -> Terminal {
        if let Err(cause) = self.labels().await {
            return Terminal { code: Some(FailCode::BadData), cause: Some(cause), ..self.end(EndState::Failed) };
        }
        let stages = match self.configurations().await {
            Ok(stages) => stages,
            Err(terminal) => return terminal,
        };
        let count = stages.len();
        let mut stopped_early = false;
        for (index, stage) in stages.into_iter().enumerate() {
            if self.wishes.borrow().cancelled {
                return self.end(EndState::Cancelled);
            }
            let name = stage.name.clone();
            self.happened(What::Stage { index: index as u32, count: count as u32, name }).await;
            match self.stage(stage, count).await {
                Next::Go { stopped_early: early } => stopped_early |= early,
                Next::End(terminal) => return terminal,
            }
        }
        Terminal { stopped_early, ..self.end(EndState::Completed) }
    }

    async fn labels(&self) -> Result<(), String> {
        let (dir, job) = (self.dir.clone(), self.job.clone());
        let looked = tokio::task::spawn_blocking(move || labels::check(&dir, &job)).await;
        looked.unwrap_or_else(|error| Err(format!("the labels could not be read: {error}")))
    }

    /// The user's configurations, or those that the trainer writes.
    async fn configurations(&mut self) -> Result<Vec<StageSpec>, Terminal> {
        if !self.job.stages.is_empty() {
            return Ok(self.job.stages.clone());
        }
        self.phase(Phase::Configuring).await;
        let pipeline = self.job.options.pipeline.clone();
        let writing = self.trainer.auto_config(&self.dir, &self.job.labels, &self.job.videos, pipeline.as_deref());
        let written = tokio::select! {
            written = writing => written,
            () = cancelled(self.wishes.clone()) => return Err(self.end(EndState::Cancelled)),
        };
        let configs = written.map_err(|error| self.failed(&error))?;
        Ok(configs.into_iter().map(|config| StageSpec { name: config.name, config: config.yaml }).collect())
    }

    async fn stage(&mut self, stage: StageSpec, count: usize) -> Next {
        self.phase(Phase::Importing).await;
        let stops = self.wishes.borrow().stops;
        let running = match self.start(&stage, count).await {
            Ok(running) => running,
            Err(error) => return Next::End(self.failed(&error)),
        };
        let wishes = tokio::spawn(pass_on(self.wishes.clone(), running.controls(), stops));
        let outcome = self.watch(running).await;
        wishes.abort();
        match outcome.verdict {
            Verdict::Completed { stopped_early } => Next::Go { stopped_early },
            Verdict::Cancelled => Next::End(Terminal { exit: exit(&outcome), ..self.end(EndState::Cancelled) }),
            Verdict::Failed(ref failure) => Next::End(Terminal {
                code: Some(failure.code),
                cause: Some(hinted(&failure.cause, failure.hint.as_deref())),
                exit: exit(&outcome),
                ..self.end(EndState::Failed)
            }),
        }
    }

    async fn start(&self, stage: &StageSpec, count: usize) -> Result<Running, TrainerError> {
        let config = Config::parse(&stage.config)?;
        for note in config.notes() {
            self.happened(What::Warning { text: note.clone() }).await;
        }
        let stage = trainer_stage(&self.job, &stage.name, count, &self.device);
        let run = StageRun { dir: self.dir.clone(), config, stage, timing: Timing::default() };
        self.trainer.start(run).await
    }

    async fn watch(&self, mut running: Running) -> Outcome {
        let mut training = false;
        let mut batches = Batches::default();
        while let Some(event) = running.next_event().await {
            match event {
                TrainerEvent::Log { stream, line } => self.happened(What::Log { stream, line }).await,
                TrainerEvent::Skipped { lines } => {
                    let text = format!("{lines} lines of the trainer's output are left out here; its log has them");
                    self.happened(What::Warning { text }).await;
                }
                TrainerEvent::Plan(plan) => {
                    self.happened(What::Plan { epochs: plan.epochs, steps: plan.steps }).await;
                }
                TrainerEvent::Progress { progress, .. } => {
                    if !std::mem::replace(&mut training, true) {
                        self.phase(Phase::Training).await;
                    }
                    self.progress(progress, &mut batches).await;
                }
            }
        }
        running.wait().await
    }

    async fn progress(&self, progress: Progress, batches: &mut Batches) {
        match progress {
            Progress::TrainBegin | Progress::EpochBegin { .. } => {}
            Progress::Batch { epoch, batch, loss } => {
                if batches.is_due() {
                    self.happened(What::Batch { epoch, batch: batch + 1, loss: finite(loss) }).await;
                }
            }
            Progress::EpochEnd { epoch, train_loss, val_loss } => {
                let (train_loss, val_loss) = (finite(train_loss), finite(val_loss));
                self.happened(What::Epoch { epoch, train_loss, val_loss }).await;
            }
            Progress::TrainEnd => self.phase(Phase::Evaluating).await,
        }
    }

    async fn phase(&self, phase: Phase) {
        self.happened(What::Phase { phase }).await;
    }

    /// The session outlives the run; if it is gone the worker ends, and nobody is left to be told.
    async fn happened(&self, what: What) {
        self.tell.send(WorkerInput::Happened(what)).await.ok();
    }

    fn end(&self, state: EndState) -> Terminal {
        Terminal { state, stopped_early: false, code: None, cause: None, exit: None, ended_at: self.now() }
    }

    fn failed(&self, error: &TrainerError) -> Terminal {
        let cause = hinted(&error.to_string(), error.hint().as_deref());
        Terminal { code: Some(error.code()), cause: Some(cause), ..self.end(EndState::Failed) }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }
}

/// The folder of a stage's model in `models/`: the job's run name, and for one of several stages the stage's too.
pub(crate) fn stage_run_name(run: &str, stage: &str, count: usize) -> String {
    if count == 1 { run.to_owned() } else { format!("{run}.{stage}") }
}

/// Says when the next batch may be told.
#[derive(Default)]
struct Batches(Option<Instant>);

impl Batches {
    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = self.0.is_none_or(|told| now - told >= BATCH_EVERY);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

/// A cause and what can be done about it, in one sentence: the terminal record has one field for both.
fn hinted(cause: &str, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{cause} ({hint})"),
        None => cause.to_owned(),
    }
}

fn exit(outcome: &Outcome) -> Option<i32> {
    outcome.exit.map(crate::trainer::Exit::number)
}

/// JSON has no NaN: a loss that is no number is told as absent.
fn finite(loss: Option<f64>) -> Option<f64> {
    loss.filter(|loss| loss.is_finite())
}

async fn cancelled(mut wishes: watch::Receiver<Wishes>) {
    if wishes.wait_for(|wishes| wishes.cancelled).await.is_err() {
        // Nobody is left who could cancel.
        std::future::pending::<()>().await;
    }
}

/// Hands the client's wishes to the trainer; a stop of an earlier stage is not this one's.
async fn pass_on(mut wishes: watch::Receiver<Wishes>, trainer: Controls, stops: u32) {
    loop {
        let wanted = *wishes.borrow_and_update();
        if wanted.stops > stops {
            trainer.stop();
        }
        if wanted.cancelled {
            return trainer.cancel();
        }
        if wishes.changed().await.is_err() {
            return;
        }
    }
}

/// One stage of a job, in the trainer's terms.
fn trainer_stage(job: &JobSpec, name: &str, count: usize, device: &Device) -> Stage {
    Stage {
        labels: vec![job.labels.clone()],
        val_labels: job.val_labels.iter().cloned().collect(),
        videos: job.videos.clone(),
        run_name: stage_run_name(&job.run_name, name, count),
        device: device.clone(),
        options: job.options.clone(),
    }
}

/// What can be said against a job before its files are there; everything else is found out while it runs.
pub(crate) fn check(job: &JobSpec, device: &Device) -> Result<(), (FailCode, String)> {
    let bad = |cause: String| (FailCode::BadConfig, cause);
    if job.stages.is_empty() {
        trainer_stage(job, "", 1, device).check().map_err(|error| bad(error.to_string()))?;
        return check_auto(&job.labels, job.options.pipeline.as_deref()).map_err(|error| bad(error.to_string()));
    }
    let mut names = HashSet::new();
    for stage in &job.stages {
        // On some systems names that differ in case only are one folder.
        if !names.insert(stage.name.to_lowercase()) {
            return Err(bad(format!("two stages are called {}", stage.name)));
        }
        let bad = |error: &dyn std::fmt::Display, hint: Option<String>| {
            bad(format!("{}: {}", stage.name, hinted(&error.to_string(), hint.as_deref())))
        };
        let config = Config::parse(&stage.config).map_err(|error| bad(&error, error.hint()))?;
        if config.wants_val_labels() && job.val_labels.is_none() {
            return Err(bad(&"the configuration names validation labels, and the job has none", None));
        }
        trainer_stage(job, &stage.name, job.stages.len(), device).check().map_err(|error| bad(&error, None))?;
    }
    Ok(())
}

/// The end of a job that a fault of the worker ends.
pub(crate) fn faulty(cause: &str, now: Time) -> Terminal {
    let (state, code, cause) = (EndState::Failed, Some(FailCode::Internal), Some(cause.to_owned()));
    Terminal { state, stopped_early: false, code, cause, exit: None, ended_at: now }
}

#[cfg(test)]
mod tests {
    use sleap_rtc_wire::JobId;
    use sleap_rtc_wire::job::TrainOptions;

    use super::*;

    const CENTROID: &str = "model_config:\n  head_configs:\n    centroid:\n      confmaps:\n        sigma: 2.5\n";

    fn job(stages: &[&str]) -> JobSpec {
        let stage = |name: &&str| StageSpec { name: (*name).to_owned(), config: CENTROID.to_owned() };
        JobSpec {
            job_id: JobId::new("j").unwrap(),
            attempt: 1,
            trainer: "sleap-nn".to_owned(),
            run_name: "run".to_owned(),
            labels: "labels/a.slp".to_owned(),
            val_labels: None,
            videos: vec![],
            stages: stages.iter().map(stage).collect(),
            options: TrainOptions::default(),
        }
    }

    fn refused(job: &JobSpec) -> String {
        let (code, cause) = check(job, &Device::Cpu { threads: 1 }).unwrap_err();
        assert_eq!(code, FailCode::BadConfig);
        cause
    }

    #[test]
    fn what_can_be_refused_is_refused_before_its_files_come() {
        let good = job(&["centroid", "instance"]);
        assert_eq!(check(&good, &Device::Cpu { threads: 1 }), Ok(()));
        assert_eq!(check(&job(&[]), &Device::Cpu { threads: 1 }), Ok(()));
        assert!(refused(&job(&["a", "A"])).contains("two stages"));
        assert!(refused(&job(&["a", "../x"])).contains("run name"));
        for stages in [&[][..], &["a"]] {
            let good = job(stages);
            assert!(refused(&JobSpec { run_name: "../../x".to_owned(), ..good.clone() }).contains("run name"));
            assert!(refused(&JobSpec { labels: "../x.slp".to_owned(), ..good.clone() }).contains("../x.slp"));
            let options = TrainOptions { epochs: Some(0), ..TrainOptions::default() };
            assert!(refused(&JobSpec { options, ..good }).contains("epochs"));
        }
        let options = TrainOptions { pipeline: Some("--help".to_owned()), ..TrainOptions::default() };
        assert!(refused(&JobSpec { options, ..job(&[]) }).contains("--help"));
    }
}
