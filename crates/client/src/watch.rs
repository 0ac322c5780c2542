//! One job from the first link to its end, and what that means to the user.

mod link;
mod session;

use sleap_rtc_peer::clock::Clock;
use sleap_rtc_peer::disk::{Disk, Sources};
use sleap_rtc_session::{ClientError, DiskAnswer, JobClient, Outcome, Plan, TransferError};
use sleap_rtc_wire::job::{EndState, Terminal};
use sleap_rtc_wire::manifest::Hash;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;

use crate::booking::News;
use crate::command::CommandOutcome;
use crate::config::Config;
use crate::controls::Wanted;
use crate::error::TrainError;
use crate::event::TrainEvent;
use crate::jobs::{Holder, JobFile};
use crate::member::Member;
use crate::outcome::TrainOutcome;
use crate::results::Results;
use crate::train::tell;
use session::Session;

/// The disk's answers that may wait for the session.
pub(crate) const ANSWERS: usize = 64;
/// How long to look for the worker of a command, ms: somebody waits in front of it.
const COMMAND_MS: u64 = 20_000;

/// A job, and who watches it.
pub(crate) struct Watch<'a> {
    pub(crate) config: &'a Config,
    pub(crate) member: &'a Member,
    pub(crate) news: News,
    pub(crate) events: Sender<TrainEvent>,
    pub(crate) wanted: watch::Receiver<Wanted>,
    pub(crate) clock: Clock,
    pub(crate) job: Job,
}

/// What is watched.
pub(crate) struct Job {
    /// Written as soon as the worker has the job.
    pub(crate) file: JobFile,
    /// Where its results land; `None` for a command.
    pub(crate) results: Option<Results>,
    /// Whether the worker does not have it yet: the first link is made by the claim.
    pub(crate) fresh: bool,
}

impl Watch<'_> {
    /// Watches the job to its end, and lands its results. `answers` may hold chunks that are hashed already.
    pub(crate) async fn see_through(
        &mut self,
        plan: Plan,
        sources: Sources,
        (to_session, answers): (Sender<DiskAnswer>, Receiver<DiskAnswer>),
    ) -> Result<TrainOutcome, TrainError> {
        let ended = self.watch(plan, sources, to_session, answers).await;
        let (results, file) = (self.job.results.as_ref(), &self.job.file);
        let keep = matches!(&ended, Ok(outcome) if self.keeps(outcome));
        if let Some(results) = results {
            results.close(keep);
        }
        match ended? {
            Outcome::Ended { terminal, results } => self.ended(terminal, results).await,
            Outcome::Left => {
                Ok(TrainOutcome::Left { job_id: file.job_id.clone(), worker: self.holder()?.worker.clone() })
            }
            Outcome::Failed(error) => Err(self.failed(error)),
            Outcome::Obeyed { .. } => Err(TrainError::Internal("a command was obeyed that nobody gave".to_owned())),
        }
    }

    /// Says one thing to the worker.
    pub(crate) async fn command(&mut self, plan: Plan) -> Result<CommandOutcome, TrainError> {
        let (to_session, answers) = channel(ANSWERS);
        let ended = self.watch(plan, Sources::default(), to_session, answers).await;
        match ended? {
            Outcome::Obeyed { wish, end } => {
                let holder = self.holder()?;
                let worker = Some((holder.worker.clone(), holder.worker_name.clone()));
                Ok(CommandOutcome { job_id: self.job.file.job_id.clone(), worker, wish, end })
            }
            Outcome::Failed(error) => Err(self.failed(error)),
            Outcome::Ended { .. } | Outcome::Left => {
                Err(TrainError::Internal("a command ended as if it had watched".to_owned()))
            }
        }
    }

    async fn watch(
        &mut self,
        plan: Plan,
        sources: Sources,
        to_session: Sender<DiskAnswer>,
        answers: Receiver<DiskAnswer>,
    ) -> Result<Outcome, TrainError> {
        let ended = match self.client(plan, sources, to_session) {
            Ok((client, disk)) => Box::pin(Session::new(self, client, disk, answers).run()).await,
            Err(error) => Err(error),
        };
        // What is over needs no claim; what still runs is the worker's.
        let over = matches!(ended, Ok(Outcome::Ended { .. }));
        if over {
            self.member.pool.job_runs(false).await;
        }
        ended
    }

    /// The worker that has the job.
    fn holder(&self) -> Result<&Holder, TrainError> {
        self.job.file.holder.as_ref().ok_or_else(|| TrainError::Internal("no worker has the job".to_owned()))
    }

    fn client(
        &self,
        plan: Plan,
        sources: Sources,
        answers: Sender<DiskAnswer>,
    ) -> Result<(JobClient, Option<Disk>), TrainError> {
        let mut times = self.config.times;
        if matches!(plan, Plan::Command(_)) {
            times.connect_ms = times.connect_ms.min(COMMAND_MS);
        }
        let target = self.job.file.target(self.member.me.clone());
        let target = target.ok_or_else(|| TrainError::Internal("no worker has the job".to_owned()))?;
        let key = self.member.key.clone();
        let room = self.job.results.as_ref().map_or(0, Results::room);
        let client = JobClient::new(key, target, plan, times, room, self.clock.now())?;
        let disk = match &self.job.results {
            Some(results) => {
                let disk = Disk::start(results.chunks()?, results.assemble(), answers);
                disk.set_sources(sources);
                Some(disk)
            }
            None => None,
        };
        Ok((client, disk))
    }

    fn failed(&self, error: ClientError) -> TrainError {
        // Without the server nobody can be reached.
        if let (ClientError::Unreachable { .. }, Some(cause)) = (&error, self.news.away()) {
            let (server, room) = (self.member.server.clone(), self.member.room.clone());
            return TrainError::Server { server, room, cause: cause.clone() };
        }
        TrainError::Worker {
            job_id: self.job.file.job_id.clone(),
            worker: self.job.file.worker_name().to_owned(),
            error,
        }
    }

    /// Whether what has come of the results is kept for the next try.
    fn keeps(&self, outcome: &Outcome) -> bool {
        let fetch_again = match outcome {
            Outcome::Ended { terminal, results } => {
                terminal.state == EndState::Completed && matches!(results, Some(Err(_)))
            }
            Outcome::Failed(_) | Outcome::Left => true,
            Outcome::Obeyed { .. } => false,
        };
        fetch_again && self.job.results.as_ref().is_some_and(Results::has_begun)
    }

    /// The job is over.
    async fn ended(
        &self,
        terminal: Terminal,
        results: Option<Result<Hash, TransferError>>,
    ) -> Result<TrainOutcome, TrainError> {
        let JobFile { job_id, models, .. } = self.job.file.clone();
        let Holder { worker, worker_name, .. } = self.holder()?.clone();
        let landed = self.job.results.as_ref().and_then(Results::landed);
        if let Some(landed) = landed.clone() {
            let (folder, files, bytes) = (landed.folder, landed.files, landed.bytes);
            tell(&self.events, TrainEvent::Landed { folder, files, bytes }).await;
        }
        match (terminal.state, results, landed) {
            (EndState::Completed, Some(Ok(_)), Some(landed)) => {
                Ok(TrainOutcome::Trained { job_id, worker, terminal, landed })
            }
            (EndState::Completed, Some(Err(error)), _) => {
                Err(TrainError::Results { job_id, worker: worker_name, terminal: Box::new(terminal), error, models })
            }
            (EndState::Completed, _, _) => Err(TrainError::NoResults { job_id, worker: worker_name }),
            (EndState::Cancelled, ..) => Ok(TrainOutcome::Cancelled { job_id }),
            (EndState::Failed, _, landed) => {
                let folder = landed.map(|landed| landed.folder);
                Err(TrainError::Failed { job_id, worker: worker_name, terminal: Box::new(terminal), folder })
            }
        }
    }
}
