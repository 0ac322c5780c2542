//! Stopping and cancelling a job from another terminal.

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
use crate::watch::{Job, Watch};

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutcome {
    /// The job.
    pub job_id: JobId,
    /// Its worker.
    pub worker: PeerId,
    /// How people call the worker.
    pub worker_name: String,
    /// The wish, which is in force now.
    pub wish: Wish,
    /// How the job had ended before the wish came, if it had.
    pub end: Option<EndState>,
}

/// Says a wish to the worker of a job, and returns once the worker has obeyed. `None`: the latest job. Does not disturb
/// the program that watches the job.
pub async fn command(config: &Config, job: Option<&JobId>, wish: Wish) -> Result<CommandOutcome, TrainError> {
    let file = find(&config.home, job)?;
    let (member, news) = join(config, &file, "command")?;
    // Nobody looks: it takes a moment.
    let (events, _) = mpsc::channel(1);
    let watch = Watch {
        config,
        member: &member,
        news,
        events,
        wanted: Controls::new().subscribe(),
        clock: Clock::start(),
        job: Job { file, results: None, fresh: false },
    };
    watch.command(Plan::Command(wish)).await
}
