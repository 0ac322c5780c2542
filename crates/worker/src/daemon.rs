//! One slot at work: books by the pool, a task for each job.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sleap_rtc_link::{Connector, Link};
use sleap_rtc_peer::worker_pool::{WorkerEvent, WorkerHandle, WorkerPool};
use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_session::pool_worker::Admission;
use sleap_rtc_session::{Grant, JobState};
use sleap_rtc_wire::claim::ClaimGranted;
use sleap_rtc_wire::peer::{PeerFrame, RefuseCode};
use sleap_rtc_wire::{ClaimId, JobId, PeerId, RoomId};
use tokio::sync::mpsc::error::SendError;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use crate::folder::{self, JobFolder};
use crate::job::{Command, JobTask, Means, News, Ways};
use crate::notice::{Notice, What};
use crate::offers::{Maker, Offer};
use crate::{CHUNKS_KEPT, Shutdown, WorkerError};

#[cfg(test)]
mod tests;

/// How long a worker that leaves goes on handing out results.
const HANDING_OUT: Duration = Duration::from_mins(10);
/// How long a worker that must end now still tells its clients so.
const FAREWELL: Duration = Duration::from_secs(5);
/// Commands that may wait for a job's task.
const COMMANDS: usize = 16;

/// A slot that is in its room, or on the way there.
pub(crate) struct Daemon {
    pub(crate) pool: WorkerPool,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) means: Arc<Means>,
    pub(crate) room: RoomId,
    pub(crate) peer: PeerId,
    /// `jobs/` of the slot.
    pub(crate) jobs: PathBuf,
    pub(crate) notices: mpsc::Sender<Notice>,
    pub(crate) shutdown: watch::Receiver<Shutdown>,
}

/// What runs for a slot.
struct Running {
    handle: WorkerHandle,
    maker: Maker,
    jobs: HashMap<JobId, Job>,
    /// Each answers with the offers that came too late for it.
    tasks: JoinSet<(JobId, Vec<Offer>)>,
    /// The peer without a claim for which the slot is taken, on its way to hear that it needs one.
    stranger: JoinSet<()>,
    /// Takes away what is too old; answers which jobs went.
    sweeping: JoinSet<Vec<JobId>>,
    to_news: mpsc::UnboundedSender<News>,
}

/// A job's task. It ends when this is dropped.
struct Job {
    claim: ClaimId,
    commands: mpsc::Sender<Command>,
}

impl Daemon {
    /// Serves until it is told to end and nothing runs any more.
    pub(crate) async fn run(mut self, unfinished: Vec<(JobFolder, JobState)>) -> Result<(), WorkerError> {
        let (to_news, mut news) = mpsc::unbounded_channel();
        let handle = self.pool.handle();
        let mut running = Running {
            maker: Maker::new(self.connector.clone(), handle.clone()),
            handle,
            jobs: HashMap::new(),
            tasks: JoinSet::new(),
            stranger: JoinSet::new(),
            sweeping: JoinSet::new(),
            to_news,
        };
        for (folder, state) in unfinished {
            self.restore(&mut running, folder, state, None);
        }
        self.sweep(&mut running);
        let gave_up = loop {
            tokio::select! {
                event = self.pool.next() => match event {
                    Some(WorkerEvent::Left) | None => break None,
                    Some(WorkerEvent::GaveUp(cause)) => break Some(cause),
                    Some(event) => self.event(&mut running, event).await,
                },
                Some(told) = news.recv() => {
                    if let News::Ended(..) = told {
                        self.sweep(&mut running);
                    }
                    self.news(told);
                }
                Some(done) = running.tasks.join_next() => self.task_ended(&mut running, done).await,
                Some(_) = running.stranger.join_next() => {}
                Some(gone) = running.sweeping.join_next() => for job in gone.unwrap_or_default() {
                    running.handle.forget(job).await;
                },
                Ok(()) = self.shutdown.changed() => self.shut_down(&running).await,
            }
        };
        // Also when the room is gone: whoever is fetching results does so over a link that needs no server.
        self.see_off(&mut running).await;
        while let Ok(told) = news.try_recv() {
            self.news(told);
        }
        match gave_up {
            Some(cause) => Err(self.gave_up(cause)),
            None => Ok(()),
        }
    }

    fn gave_up(self, cause: Cause) -> WorkerError {
        match cause {
            Cause::Replaced => WorkerError::Replaced { room: self.room, peer: self.peer },
            cause => WorkerError::Refused { room: self.room, cause },
        }
    }

    /// Jobs that are over may still be handing out their results: they end by themselves when their clients have them or go.
    async fn see_off(&mut self, running: &mut Running) {
        for job in running.jobs.values() {
            job.commands.send(Command::Left).await.ok();
        }
        let now = async { self.shutdown.wait_for(|wanted| *wanted == Shutdown::Now).await.is_ok() };
        let patience = async {
            tokio::select! {
                true = now => tokio::time::sleep(FAREWELL).await,
                () = tokio::time::sleep(HANDING_OUT) => {}
            }
        };
        tokio::select! {
            () = async { while running.tasks.join_next().await.is_some() {} } => {}
            () = patience => tracing::warn!("results that nobody took are kept on the disk"),
        }
    }

    async fn shut_down(&mut self, running: &Running) {
        let wanted = *self.shutdown.borrow_and_update();
        if wanted == Shutdown::Now {
            for job in running.jobs.values() {
                let cause = "the worker was ended by its owner".to_owned();
                job.commands.send(Command::Abort { cause }).await.ok();
            }
        }
        if wanted != Shutdown::No {
            running.handle.drain().await;
        }
    }

    async fn event(&self, running: &mut Running, event: WorkerEvent) {
        match event {
            WorkerEvent::Offer { from, sdp, admission } => self.offer(running, from, sdp, admission).await,
            WorkerEvent::Withdraw { from, job: Some(job) } => {
                if let Some(job) = running.jobs.get(&job) {
                    job.commands.send(Command::Withdrawn { from }).await.ok();
                }
            }
            WorkerEvent::Withdraw { job: None, .. } => running.stranger.abort_all(),
            WorkerEvent::Superseded { job } => {
                if let Some(job) = running.jobs.get(&job) {
                    job.commands.send(Command::Superseded).await.ok();
                }
            }
            WorkerEvent::Fact(fact) => self.notice(What::Signaling(fact)),
            WorkerEvent::GaveUp(_) | WorkerEvent::Left => {}
        }
    }

    async fn offer(&self, running: &mut Running, from: PeerId, sdp: String, admission: Admission) {
        let claimed = !matches!(admission, Admission::Reattach(_));
        let offer = Offer { from: from.clone(), sdp, claimed };
        match admission {
            Admission::Claim(granted) => {
                if let Err(cause) = self.granted(running, &granted, offer).await {
                    running.handle.answer_failed(from, cause).await;
                }
            }
            Admission::Reattach(job) => self.reattach(running, job, offer).await,
            Admission::Plain { .. } => {
                running.stranger.abort_all();
                running.stranger.spawn(turn_away(running.maker.clone(), running.handle.clone(), offer));
            }
        }
    }

    /// Hands the offer to the task of the claim's job: a new one, or the one that a first offer of this claim has made.
    async fn granted(&self, running: &mut Running, granted: &ClaimGranted, offer: Offer) -> Result<(), String> {
        let grant = Grant::new(self.room.clone(), self.peer.clone(), granted)
            .ok_or_else(|| "a client without a key cannot prove itself".to_owned())?;
        if let Some(job) = running.jobs.get(&grant.job_id).filter(|job| job.claim == grant.claim_id) {
            let sent = job.commands.send(Command::Offer(offer)).await;
            return sent.map_err(|_| "the claim is over".to_owned());
        }
        let folder = JobFolder::of(&self.jobs, &grant.job_id);
        // What is here of this job goes only for a later try of its own owner: nobody else can name it away.
        if let Some(earlier) = state_of(&folder).await
            && (earlier.grant.client_key != grant.client_key || earlier.grant.attempt >= grant.attempt)
        {
            return Err(format!("job {} was here before", grant.job_id));
        }
        let (job, claim) = (grant.job_id.clone(), grant.claim_id.clone());
        self.spawn(running, job, claim, |means, ways| JobTask::new(means, grant, folder, ways).for_offer(offer));
        Ok(())
    }

    /// Hands the offer to the task of a job that is here: one that runs, or one that its record brings back.
    async fn reattach(&self, running: &mut Running, job: JobId, offer: Offer) {
        let sent = match running.jobs.get(&job) {
            Some(known) => known.commands.send(Command::Offer(offer)).await,
            None => Err(SendError(Command::Offer(offer))),
        };
        // The task has just ended: what it left is on the disk.
        let Err(SendError(Command::Offer(offer))) = sent else { return };
        let folder = JobFolder::of(&self.jobs, &job);
        match state_of(&folder).await {
            Some(state) => self.restore(running, folder, state, Some(offer)),
            None => running.handle.answer_failed(offer.from, format!("nothing is kept of job {job}")).await,
        }
    }

    fn restore(&self, running: &mut Running, folder: JobFolder, state: JobState, offer: Option<Offer>) {
        let (job, claim) = (state.grant.job_id.clone(), state.grant.claim_id.clone());
        self.spawn(running, job, claim, |means, ways| {
            let task = JobTask::restore(means, state, folder, ways);
            match offer {
                Some(offer) => task.for_offer(offer),
                None => task,
            }
        });
    }

    /// Starts a job's task. One that was there for another claim ends: it has nothing that this one needs.
    fn spawn(&self, running: &mut Running, job: JobId, claim: ClaimId, task: impl FnOnce(Arc<Means>, Ways) -> JobTask) {
        let (commands, queue) = mpsc::channel(COMMANDS);
        let (pool, maker, news) = (running.handle.clone(), running.maker.clone(), running.to_news.clone());
        let task = task(self.means.clone(), Ways { pool, maker, news, commands: queue });
        running.jobs.insert(job.clone(), Job { claim, commands });
        running.tasks.spawn(async move { (job, task.run().await) });
    }

    async fn task_ended(&self, running: &mut Running, done: Result<(JobId, Vec<Offer>), JoinError>) {
        let over = |job: &Job| job.commands.is_closed();
        match done {
            Ok((job, late)) => {
                if running.jobs.get(&job).is_some_and(over) {
                    running.jobs.remove(&job);
                }
                for offer in late {
                    self.reattach(running, job.clone(), offer).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "a job's task broke off");
                let broken: Vec<JobId> =
                    running.jobs.iter().filter(|(_, job)| over(job)).map(|(id, _)| id.clone()).collect();
                for job in broken {
                    self.end_broken(running, job).await;
                }
            }
        }
    }

    /// The trainer is gone with the task: the slot is free, and the job ends as after a restart of the worker.
    async fn end_broken(&self, running: &mut Running, job: JobId) {
        running.jobs.remove(&job);
        running.handle.job_over(job.clone(), true).await;
        let folder = JobFolder::of(&self.jobs, &job);
        match state_of(&folder).await {
            Some(state) => self.restore(running, folder, state, None),
            None => running.handle.forget(job).await,
        }
    }

    /// Takes away what is kept too long, beside the work.
    fn sweep(&self, running: &mut Running) {
        let (jobs, means) = (self.jobs.clone(), self.means.clone());
        let spared: HashSet<JobId> = running.jobs.keys().cloned().collect();
        running.sweeping.spawn_blocking(move || {
            if let Err(error) = means.store.prune(CHUNKS_KEPT) {
                tracing::warn!(%error, "the data of earlier jobs cannot be removed");
            }
            folder::sweep(&jobs, &spared, means.clock.now()).unwrap_or_else(|error| {
                tracing::warn!(path = %jobs.display(), %error, "results that are too old cannot be removed");
                Vec::new()
            })
        });
    }

    fn news(&self, news: News) {
        self.notice(match news {
            News::Started(job) => What::Started(job),
            News::Ended(job, terminal) => What::Ended(job, terminal),
            News::Delivered(job) => What::Delivered(job),
        });
    }

    /// A screen that stands still must not hold up the slot.
    fn notice(&self, what: What) {
        let notice = Notice { peer: self.peer.clone(), device: self.means.device_word.clone(), what };
        if let Err(mpsc::error::TrySendError::Full(notice)) = self.notices.try_send(notice) {
            tracing::warn!(peer = %notice.peer, "the screen is behind; a line is left out");
        }
    }
}

/// What the record of a job says; `None` if there is none.
async fn state_of(folder: &JobFolder) -> Option<JobState> {
    let reader = folder.clone();
    let read = tokio::task::spawn_blocking(move || reader.state()).await;
    read.map_err(io::Error::other).flatten().unwrap_or_else(|error| {
        tracing::error!(path = %folder.root().display(), %error, "a job's record cannot be read");
        None
    })
}

/// A peer that knows no claims is told on the link that it needs one.
async fn turn_away(maker: Maker, pool: WorkerHandle, offer: Offer) {
    let from = offer.from.clone();
    let Some(link) = maker.make(offer).await else { return };
    say_no(&*link).await;
    pool.link_closed(from).await;
}

async fn say_no(link: &dyn Link) {
    let message = "this worker takes jobs by claims only; train with a program that makes them".to_owned();
    let frame = PeerFrame::Refused { code: RefuseCode::NoMethod, message };
    if let Ok(text) = frame.encode()
        && let Err(error) = link.send_control(text).await
    {
        tracing::debug!(%error, "a peer could not be told why it is turned away");
    }
    link.close().await;
}

/// What earlier runs have left.
pub(crate) struct Left {
    /// Jobs without an end: they are to be ended.
    pub(crate) unfinished: Vec<(JobFolder, JobState)>,
    /// Every job that a client may come back to.
    pub(crate) kept: Vec<JobId>,
}

/// What earlier runs have left in `jobs`.
pub(crate) fn left(jobs: &Path) -> io::Result<Left> {
    let (ended, unfinished): (Vec<_>, Vec<_>) =
        folder::jobs(jobs)?.into_iter().partition(|(_, state)| state.end.is_some());
    let kept = ended.into_iter().chain(unfinished.iter().cloned()).map(|(_, state)| state.grant.job_id).collect();
    Ok(Left { unfinished, kept })
}
