//! A new training, from the user's files to the model's folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_peer::disk::{Sources, hash_files};
use sleap_rtc_session::job_client::BadPlan;
use sleap_rtc_session::pool_client::ClaimRequest;
use sleap_rtc_session::{DiskAnswer, Plan as SessionPlan};
use sleap_rtc_wire::job::{JobSpec, TrainOptions};
use sleap_rtc_wire::manifest::{FileEntry, check_files, total};
use sleap_rtc_wire::peer::Submission;
use sleap_rtc_wire::{Filters, JobId};
use tokio::sync::mpsc::{self, Sender};

use crate::booking::{Booked, Bookings, News};
use crate::config::Config;
use crate::controls::Controls;
use crate::error::TrainError;
use crate::event::TrainEvent;
use crate::jobs::JobFile;
use crate::local::{Input, Plan, PlannedFile};
use crate::member::Member;
use crate::outcome::TrainOutcome;
use crate::results::Results;
use crate::run_name;
use crate::watch::{ANSWERS, Job, Watch};

/// The trainer that every worker has.
const TRAINER: &str = "sleap-nn";
/// How long a claim may stay unused, ms: making the link, twice if need be, and the proof.
const LEASE_MS: u64 = 90_000;

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
    /// How long to wait if no worker is free.
    pub wait: Duration,
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
    let outcome = prepared.run(config, &events, &controls).await;
    if let Err(error) = crate::jobs::prune(&config.home) {
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
struct Prepared {
    request: TrainRequest,
    job_id: JobId,
    run_name: String,
    spec: JobSpec,
    entries: Vec<FileEntry>,
    sources: Sources,
    results: Results,
    clock: Clock,
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
            let results = Results::open(models, &run_name, &job_id)?;
            let sources = plan.files.iter().map(|file| (file.name.clone(), file.local.clone())).collect();
            Ok(Self { request, job_id, run_name, spec, entries, sources: Arc::new(sources), results, clock })
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| TrainError::Internal(error.to_string()))?
    }

    async fn run(
        self,
        config: &Config,
        events: &Sender<TrainEvent>,
        controls: &Controls,
    ) -> Result<TrainOutcome, TrainError> {
        // Hashing goes on while a worker is looked for.
        let (to_session, answers) = mpsc::channel::<DiskAnswer>(ANSWERS);
        hash_files(self.entries.clone(), self.sources.clone(), to_session.clone());
        let (member, pool_events) = Member::join(config, "train")?;
        let mut bookings =
            Bookings { member: &member, news: News::new(pool_events), events, wanted: controls.subscribe() };
        let booked = match self.claim(&mut bookings).await {
            Ok(Some(booked)) => booked,
            nothing => {
                member.pool.leave().await;
                return nothing.map(|_| TrainOutcome::Cancelled { job_id: self.job_id });
            }
        };
        let news = bookings.news;
        let file = self.job_file(&member, &booked);
        let watch = Watch {
            config,
            member: &member,
            news,
            events: events.clone(),
            wanted: controls.subscribe(),
            clock: self.clock,
            job: Job { file, results: Some(self.results), fresh: true },
        };
        let plan = SessionPlan::Submit { job: Box::new(self.spec), files: self.entries };
        watch.see_through(plan, self.sources, (to_session, answers)).await
    }

    /// A worker, or nothing if the user wants no more.
    async fn claim(&self, bookings: &mut Bookings<'_>) -> Result<Option<Booked>, TrainError> {
        let finding = TrainEvent::Finding { job_id: self.job_id.clone(), room: bookings.member.room.clone() };
        tell(bookings.events, finding).await;
        let request = ClaimRequest {
            filters: filters(&self.request)?,
            count: 1,
            wait_ms: self.request.wait.as_millis() as u64,
            lease_ms: LEASE_MS,
            job_id: self.job_id.clone(),
            attempt: 1,
        };
        bookings.book(request, &self.request.tags).await
    }

    fn job_file(&self, member: &Member, booked: &Booked) -> JobFile {
        JobFile {
            job_id: self.job_id.clone(),
            server: member.server.clone(),
            room: member.room.clone(),
            worker: booked.claimed.worker.clone(),
            worker_name: booked.name.clone(),
            worker_key: booked.key,
            attempt: 1,
            claim_id: booked.claimed.claim_id.clone(),
            fence: booked.claimed.fence,
            labels: self.request.labels.display().to_string(),
            run_name: self.run_name.clone(),
            models: self.results.models().clone(),
            started_at: self.clock.now(),
            last_seq: 0,
            end: None,
            landed: None,
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
