//! A new training, from the user's files to the model's folder.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_peer::disk::Sources;
use sleap_rtc_session::job_client::BadPlan;
use sleap_rtc_wire::job::{JobSpec, TrainOptions};
use sleap_rtc_wire::manifest::{FileEntry, check_files, total};
use sleap_rtc_wire::peer::Submission;
use sleap_rtc_wire::{Filters, JobId};
use tokio::sync::mpsc::Sender;

use crate::booking::News;
use crate::config::Config;
use crate::controls::Controls;
use crate::error::TrainError;
use crate::event::TrainEvent;
use crate::jobs;
use crate::local::{Input, Plan, PlannedFile};
use crate::member::Member;
use crate::outcome::TrainOutcome;
use crate::results::Results;
use crate::run_name;
use crate::tries::Tries;

/// The trainer that every worker has.
const TRAINER: &str = "sleap-nn";
/// How often the wishes of other terminals are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What the user typed.
#[derive(Clone, Debug, Default)]
pub struct TrainRequest {
    /// The labels: a `.slp` or `.pkg.slp`.
    pub labels: PathBuf,
    /// Configurations, one a model, in the order of training; none: the worker's trainer writes them.
    pub configs: Vec<PathBuf>,
    /// Videos, or folders with videos, for paths in the labels that are not there.
    pub videos: Vec<PathBuf>,
    /// Typed options of the training.
    pub options: TrainOptions,
    /// The name of the run; `None`: made of the time and the configuration's or the labels' name.
    pub run_name: Option<String>,
    /// Only workers with so much GPU memory, MiB.
    pub min_gpu_memory_mb: Option<u64>,
    /// Only workers with one of these tags.
    pub tags: Vec<String>,
    /// The folder of the models, made if there is none.
    pub models: PathBuf,
    /// How long to wait in line if no worker is free, at most [`sleap_rtc_wire::limits::WAIT_MS`]; nothing: leave at once.
    pub wait: Duration,
    /// How often the job may be given to another worker after the one that had it is lost. While the lost one may still
    /// compute, only what the last try makes is taken.
    pub retry: u32,
}

/// Trains: reads the files, books a worker, brings the job, watches it, lands the results.
///
/// Every error of the user's files comes before anything is claimed. Dropping the future before the worker has the job
/// gives the claim back; dropping it later leaves the job running.
pub async fn train(
    config: &Config,
    request: TrainRequest,
    events: Sender<TrainEvent>,
    controls: Controls,
) -> Result<TrainOutcome, TrainError> {
    if let Some(name) = &request.run_name {
        run_name::check(name)?;
    }
    config.settings.room_access()?;
    let job_id = new_job_id()?;
    tell(&events, TrainEvent::Reading { labels: request.labels.clone() }).await;
    let prepared = Prepared::make(request, job_id, Clock::start()).await?;
    let (files, bytes) = (prepared.entries.len(), total(&prepared.entries));
    tell(&events, TrainEvent::Planned { files, bytes }).await;
    let job_id = prepared.job_id.clone();
    let outcome = tokio::select! {
        outcome = prepared.run(config, &events, &controls) => outcome,
        never = obey(config, &job_id, &controls) => match never {},
    };
    jobs::forget_wish(&config.home, &job_id);
    if let Err(error) = jobs::prune(&config.home, Clock::start().now()) {
        tracing::warn!(%error, "old jobs' files could not be removed");
    }
    outcome
}

pub(crate) async fn tell(events: &Sender<TrainEvent>, event: TrainEvent) {
    // Nobody looks: the training goes on.
    events.send(event).await.ok();
}

/// Short, so that it can be typed; 48 bits of chance, so that no two jobs of a lab are the same.
fn new_job_id() -> Result<JobId, TrainError> {
    let number = getrandom::u64().map_err(|error| TrainError::Internal(format!("no random numbers: {error}")))?;
    JobId::new(&format!("{:012x}", number >> 16)).map_err(|error| TrainError::Internal(error.to_string()))
}

/// A training whose files are good.
pub(crate) struct Prepared {
    pub(crate) request: TrainRequest,
    pub(crate) job_id: JobId,
    pub(crate) run_name: String,
    pub(crate) spec: JobSpec,
    pub(crate) entries: Vec<FileEntry>,
    pub(crate) sources: Sources,
    /// Taken by the first try.
    pub(crate) results: Option<Results>,
    pub(crate) models: PathBuf,
    pub(crate) filters: Filters,
    pub(crate) clock: Clock,
}

impl Prepared {
    /// Looks at everything on this machine's disks, on a thread where that may block.
    async fn make(request: TrainRequest, job_id: JobId, clock: Clock) -> Result<Self, TrainError> {
        let work = move || {
            let input = Input { labels: &request.labels, configs: &request.configs, videos: &request.videos };
            let plan = Plan::prepare(&input)?;
            let run_name = match &request.run_name {
                Some(name) => name.clone(),
                None => run_name::default(clock.now(), &subject(&plan, &request)),
            };
            let models = std::path::absolute(&request.models).unwrap_or_else(|_| request.models.clone());
            let entry = |file: &PlannedFile| FileEntry { path: file.name.clone(), size: file.len };
            let entries: Vec<_> = plan.files.iter().map(entry).collect();
            let spec = spec(&request, &plan, &job_id, &run_name);
            check(&spec, &entries)?;
            let results = Results::open(models.clone(), &run_name, &job_id)?;
            let sources = plan.files.iter().map(|file| (file.name.clone(), file.local.clone())).collect();
            let (results, sources, filters) = (Some(results), Arc::new(sources), filters(&request)?);
            Ok(Self { request, job_id, run_name, spec, entries, sources, results, models, filters, clock })
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| TrainError::Internal(error.to_string()))?
    }

    async fn run(
        self,
        config: &Config,
        events: &Sender<TrainEvent>,
        controls: &Controls,
    ) -> Result<TrainOutcome, TrainError> {
        let (member, pool_events) = Member::join(config, "train")?;
        let news = News::new(pool_events);
        let outcome = Tries { config, member: &member, events, controls, files: self }.run(news).await;
        member.pool.leave().await;
        outcome
    }
}

/// Looks whether another terminal wants the job to end, and obeys.
async fn obey(config: &Config, job: &JobId, controls: &Controls) -> Infallible {
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        if jobs::asked_to_leave(&config.home, job) {
            controls.cancel();
        }
    }
}

/// The job as the worker gets it.
fn spec(request: &TrainRequest, plan: &Plan, job_id: &JobId, run_name: &str) -> JobSpec {
    JobSpec {
        job_id: job_id.clone(),
        attempt: 1,
        trainer: TRAINER.to_owned(),
        run_name: run_name.to_owned(),
        labels: plan.labels.clone(),
        val_labels: None,
        videos: plan.videos.clone(),
        stages: plan.stages.clone(),
        options: request.options.clone(),
    }
}

/// What the session would refuse after a worker is booked is refused now.
fn check(spec: &JobSpec, files: &[FileEntry]) -> Result<(), BadPlan> {
    let bytes = check_files(files)?;
    Submission { job: spec.clone(), files: files.len() as u32, bytes }.frames()?;
    Ok(())
}

/// What a run is named after: its only model, else its labels.
fn subject(plan: &Plan, request: &TrainRequest) -> String {
    if let [stage] = plan.stages.as_slice() {
        return stage.name.clone();
    }
    let name = request.labels.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = [".pkg.slp", ".slp"].into_iter().find_map(|ending| {
        let at = name.len().checked_sub(ending.len())?;
        name.get(at..)?.eq_ignore_ascii_case(ending).then(|| name[..at].to_owned())
    });
    stem.unwrap_or(name)
}

/// Which workers will do. That they are free and workers is what a claim means.
fn filters(request: &TrainRequest) -> Result<Filters, TrainError> {
    let mut filters = json!({});
    if !request.tags.is_empty() {
        filters["tags"] = json!(request.tags);
    }
    if let Some(mb) = request.min_gpu_memory_mb {
        filters["properties"] = json!({"gpu_memory_mb": {"$gte": mb}});
    }
    Filters::parse(filters).map_err(|error| TrainError::Filter(error.to_string()))
}
