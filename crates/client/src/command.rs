//! Stopping and cancelling a job from another terminal.

use std::time::Duration;

use sleap_rtc_peer::clock::Clock;
use sleap_rtc_session::Plan;
use sleap_rtc_wire::job::EndState;
use sleap_rtc_wire::peer::Wish;
use sleap_rtc_wire::{JobId, PeerId};
use tokio::sync::mpsc;

use crate::attach::{find, join};
use crate::config::Config;
use crate::controls::Controls;
use crate::error::TrainError;
use crate::jobs::{self, JobFile, State};
use crate::watch::{Job, Watch};

/// How often the job's file is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long the program that waits may take to leave the line, ms: it looks twice a second, and says goodbye to the server.
const LEAVE_MS: u64 = 15_000;

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutcome {
    /// The job.
    pub job_id: JobId,
    /// Its worker, and how people call it; `None` if the job waited in line, and has left it.
    pub worker: Option<(PeerId, String)>,
    /// The wish, which is in force now.
    pub wish: Wish,
    /// How the job had ended before the wish came, if it had.
    pub end: Option<EndState>,
}

/// Says a wish to the worker of a job, and returns once the worker has obeyed. `None`: the latest job. Does not disturb
/// the program that watches the job. A job that waits in line for its first worker leaves it, whatever the wish.
pub async fn command(config: &Config, job: Option<&JobId>, wish: Wish) -> Result<CommandOutcome, TrainError> {
    let mut file = find(&config.home, job)?;
    if file.holder.is_none() {
        match leave_line(config, file, wish).await? {
            Asked::Done(outcome) => return Ok(outcome),
            Asked::Taken(taken) => file = *taken,
        }
    }
    let (member, news) = join(config, &file, "command")?;
    // Nobody looks: it takes a moment.
    let (events, _) = mpsc::channel(1);
    let mut watch = Watch {
        config,
        member: &member,
        news,
        events,
        wanted: Controls::new().subscribe(),
        clock: Clock::start(),
        job: Job { file, results: None, fresh: false },
    };
    let outcome = watch.command(Plan::Command(wish)).await;
    member.pool.leave().await;
    outcome
}

/// What the program that waits has made of the question.
enum Asked {
    Done(CommandOutcome),
    /// A worker had the job before the question was read.
    Taken(Box<JobFile>),
}

/// Asks the program that waits for a worker to leave the line, and waits until it has.
async fn leave_line(config: &Config, file: JobFile, wish: Wish) -> Result<Asked, TrainError> {
    let (home, job_id, clock) = (&config.home, file.job_id.clone(), Clock::start());
    let done = |end| Asked::Done(CommandOutcome { job_id: job_id.clone(), worker: None, wish, end });
    if let Some(end) = &file.end {
        return Ok(done(Some(end.state)));
    }
    jobs::ask_to_leave(home, &job_id)?;
    let until = clock.now().plus_ms(LEAVE_MS);
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        let file = find(home, Some(&job_id))?;
        match jobs::state(home, &file, clock.now()) {
            State::Ended(_) => return Ok(done(None)),
            State::Running | State::Lost => return Ok(Asked::Taken(Box::new(file))),
            State::Waiting(_) if clock.now() < until => {}
            State::Gone | State::Waiting(_) => {
                jobs::forget_wish(home, &job_id);
                return Err(TrainError::NeverRan { job_id, labels: file.labels, cause: None });
            }
        }
    }
}
