//! Coming back to a job that an earlier program has begun: the rest of its story, and its results.

use std::sync::Arc;

use sleap_rtc_peer::clock::Clock;
use sleap_rtc_peer::home::Home;
use sleap_rtc_session::{DiskAnswer, Plan};
use sleap_rtc_wire::JobId;
use sleap_rtc_wire::job::EndState;
use tokio::sync::mpsc::{self, Sender};

use crate::booking::{Bookings, News};
use crate::config::Config;
use crate::controls::Controls;
use crate::error::TrainError;
use crate::event::TrainEvent;
use crate::jobs::{self, Holder, JobFile, State};
use crate::member::Member;
use crate::outcome::TrainOutcome;
use crate::results::Results;
use crate::train::tell;
use crate::watch::{ANSWERS, Job, Watch};

/// Watches a job to its end and lands its results where `train` would have. `None`: the latest job. Results that are
/// here already are not fetched again.
pub async fn attach(
    config: &Config,
    job: Option<&JobId>,
    events: Sender<TrainEvent>,
    controls: Controls,
) -> Result<TrainOutcome, TrainError> {
    let file = find(&config.home, job)?;
    let Some(holder) = file.holder.clone() else { return without_worker(config, file) };
    tell(&events, TrainEvent::Finding { job_id: file.job_id.clone(), room: file.room.clone() }).await;
    if let Some(outcome) = at_home(&file, &holder) {
        return Ok(outcome);
    }
    let (models, name, id) = (file.models.clone(), file.run_name.clone(), file.job_id.clone());
    let results = tokio::task::spawn_blocking(move || Results::open(models, &name, &id))
        .await
        .map_err(|error| TrainError::Internal(error.to_string()))??;
    let (member, news) = join(config, &file, "attach")?;
    let clock = Clock::start();
    let mut bookings = Bookings { member: &member, news, events: &events, wanted: controls.subscribe(), clock };
    if let Some(entry) = bookings.look_up(&holder.worker).await {
        tell(&events, TrainEvent::Found { worker: holder.worker, entry: Some(Box::new(entry)) }).await;
    }
    let news = bookings.news;
    let plan = Plan::Attach { from_seq: file.last_seq + 1, results: true };
    let mut watch = Watch {
        config,
        member: &member,
        news,
        events,
        wanted: controls.subscribe(),
        clock,
        job: Job { file, results: Some(results), fresh: false },
    };
    let outcome = watch.see_through(plan, Arc::default(), mpsc::channel::<DiskAnswer>(ANSWERS)).await;
    member.pool.leave().await;
    outcome
}

/// A job that no worker has, or ever had: there is nothing to come back to.
fn without_worker(config: &Config, file: JobFile) -> Result<TrainOutcome, TrainError> {
    let job_id = file.job_id.clone();
    match jobs::state(&config.home, &file, Clock::start().now()) {
        State::Waiting(waiting) => Err(TrainError::InLine { job_id, waiting: Box::new(waiting) }),
        State::Ended(EndState::Cancelled) => Ok(TrainOutcome::Cancelled { job_id }),
        _ => Err(TrainError::NeverRan { job_id, labels: file.labels, cause: file.end.and_then(|end| end.cause) }),
    }
}

/// A job whose model is here and has not been moved away.
fn at_home(file: &JobFile, holder: &Holder) -> Option<TrainOutcome> {
    let terminal = file.end.clone().filter(|end| end.state == EndState::Completed)?;
    let landed = file.landed.clone().filter(|landed| landed.folder.is_dir())?;
    Some(TrainOutcome::Trained { job_id: file.job_id.clone(), worker: holder.worker.clone(), terminal, landed })
}

/// The job's file.
pub(crate) fn find(home: &Home, job: Option<&JobId>) -> Result<JobFile, TrainError> {
    let found = match job {
        Some(job) => jobs::load(home, job)?,
        None => jobs::latest(home)?,
    };
    found.ok_or_else(|| TrainError::NoSuchJob(job.map(|job| job.as_str().to_owned())))
}

/// Joins the job's room, which must be the one whose token is set.
pub(crate) fn join(config: &Config, file: &JobFile, purpose: &str) -> Result<(Member, News), TrainError> {
    let ours = config.settings.room_access()?.room;
    if ours != file.room {
        return Err(TrainError::OtherRoom { job_id: file.job_id.clone(), theirs: file.room.clone(), ours });
    }
    let (member, events) = Member::join(config, purpose)?;
    Ok((member, News::new(events)))
}
