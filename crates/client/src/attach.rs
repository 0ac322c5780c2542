//! Coming back to a job that an earlier program has begun: the rest of its story, and its results.

use std::sync::Arc;

use sleap_rtc_peer::clock::Clock;
use sleap_rtc_peer::home::Home;
use sleap_rtc_session::{DiskAnswer, Plan};
use sleap_rtc_wire::JobId;
use tokio::sync::mpsc::{self, Sender};

use crate::booking::News;
use crate::config::Config;
use crate::controls::Controls;
use crate::error::TrainError;
use crate::event::TrainEvent;
use crate::jobs::{self, JobFile};
use crate::member::Member;
use crate::outcome::TrainOutcome;
use crate::results::Results;
use crate::watch::{ANSWERS, Job, Watch};

/// Watches a job to its end and lands its results where `train` would have. `None`: the latest job.
pub async fn attach(
    config: &Config,
    job: Option<&JobId>,
    events: Sender<TrainEvent>,
    controls: Controls,
) -> Result<TrainOutcome, TrainError> {
    let file = find(&config.home, job)?;
    let (models, name, id) = (file.models.clone(), file.run_name.clone(), file.job_id.clone());
    let results = tokio::task::spawn_blocking(move || Results::open(models, &name, &id))
        .await
        .map_err(|error| TrainError::Internal(error.to_string()))??;
    let (member, news) = join(config, &file, "attach")?;
    let plan = Plan::Attach { from_seq: file.last_seq + 1, results: true };
    let watch = Watch {
        config,
        member: &member,
        news,
        events,
        wanted: controls.subscribe(),
        clock: Clock::start(),
        job: Job { file, results: Some(results), fresh: false },
    };
    watch.see_through(plan, Arc::default(), mpsc::channel::<DiskAnswer>(ANSWERS)).await
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
