//! One slot at work: books by the pool, links by the connector, a task for each job.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sleap_rtc_link::{AnsweredLink, Connector, Link, LinkError};
use sleap_rtc_peer::worker_pool::{WorkerEvent, WorkerHandle, WorkerPool};
use sleap_rtc_session::pool_worker::{Admission, Fact};
use sleap_rtc_session::{Grant, JobState};
use sleap_rtc_wire::peer::{PeerFrame, RefuseCode};
use sleap_rtc_wire::{JobId, PeerId, RoomId};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::folder::{self, JobFolder};
use crate::job::{Command, JobTask, Means, News};
use crate::notice::{Notice, What};
use crate::{Shutdown, WorkerError};

/// How long a peer may take from our answer to an open link.
const LINK_PATIENCE: Duration = Duration::from_secs(20);
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
    jobs: HashMap<JobId, mpsc::Sender<Command>>,
    tasks: JoinSet<JobId>,
    /// Links being made, by the peer that they are for.
    links: HashMap<PeerId, AbortHandle>,
    making: JoinSet<()>,
    to_news: mpsc::UnboundedSender<News>,
}

impl Daemon {
    /// Serves until it is told to end and nothing runs any more.
    pub(crate) async fn run(mut self, unfinished: Vec<(JobFolder, JobState)>) -> Result<(), WorkerError> {
        let (to_news, mut news) = mpsc::unbounded_channel();
        let mut running = Running {
            handle: self.pool.handle(),
            jobs: HashMap::new(),
            tasks: JoinSet::new(),
            links: HashMap::new(),
            making: JoinSet::new(),
            to_news,
        };
        for (folder, state) in unfinished {
            self.restore(&mut running, folder, state, false);
        }
        loop {
            tokio::select! {
                event = self.pool.next() => match event {
                    Some(WorkerEvent::Left) | None => break,
                    Some(WorkerEvent::GaveUp(cause)) => return Err(WorkerError::Refused { room: self.room, cause }),
                    Some(event) => self.event(&mut running, event).await,
                },
                Some(told) = news.recv() => self.news(told).await,
                Some(done) = running.tasks.join_next() => {
                    if let Ok(job) = done && running.jobs.get(&job).is_some_and(mpsc::Sender::is_closed) {
                        running.jobs.remove(&job);
                    }
                }
                Some(_) = running.making.join_next() => {}
                Ok(()) = self.shutdown.changed() => self.shut_down(&running).await,
            }
        }
        self.see_off(running.tasks).await;
        while let Ok(told) = news.try_recv() {
            self.news(told).await;
        }
        Ok(())
    }

    /// Jobs that are over may still be handing out their results: they end by themselves when their clients have them or go.
    async fn see_off(&mut self, mut tasks: JoinSet<JobId>) {
        let now = async { self.shutdown.wait_for(|wanted| *wanted == Shutdown::Now).await.is_ok() };
        let patience = async {
            tokio::select! {
                true = now => tokio::time::sleep(FAREWELL).await,
                () = tokio::time::sleep(HANDING_OUT) => {}
            }
        };
        tokio::select! {
            () = async { while tasks.join_next().await.is_some() {} } => {}
            () = patience => tracing::warn!("results that nobody took are kept on the disk"),
        }
    }

    async fn shut_down(&mut self, running: &Running) {
        let wanted = *self.shutdown.borrow_and_update();
        if wanted == Shutdown::Now {
            for job in running.jobs.values() {
                let cause = "the worker was ended by its owner".to_owned();
                job.send(Command::Abort { cause }).await.ok();
            }
        }
        if wanted != Shutdown::No {
            running.handle.drain().await;
        }
    }

    async fn event(&self, running: &mut Running, event: WorkerEvent) {
        match event {
            WorkerEvent::Offer { from, sdp, admission } => self.offer(running, from, sdp, admission).await,
            WorkerEvent::Withdraw { from, .. } => {
                if let Some(link) = running.links.remove(&from) {
                    link.abort();
                }
            }
            WorkerEvent::Fact(fact) => {
                if let Fact::ClaimEnded { .. } = fact {
                    // A job that nobody has brought yet has nothing to wait for.
                    for job in running.jobs.values() {
                        job.send(Command::Withdrawn).await.ok();
                    }
                }
                self.notice(What::Signaling(fact)).await;
            }
            WorkerEvent::GaveUp(_) | WorkerEvent::Left => {}
        }
    }

    async fn offer(&self, running: &mut Running, from: PeerId, sdp: String, admission: Admission) {
        let job = match admission {
            Admission::Claim(granted) => match Grant::new(self.room.clone(), self.peer.clone(), &granted) {
                Some(grant) => Some(self.granted(running, grant)),
                None => {
                    return running
                        .handle
                        .answer_failed(from, "a client without a key cannot prove itself".to_owned())
                        .await;
                }
            },
            Admission::Reattach(job) => match self.known(running, &job) {
                Some(job) => Some(job),
                None => return running.handle.answer_failed(from, format!("nothing is kept of job {job}")).await,
            },
            Admission::Plain { .. } => None,
        };
        if let Some(earlier) = running.links.remove(&from) {
            earlier.abort();
        }
        let (connector, handle) = (self.connector.clone(), running.handle.clone());
        let making = running.making.spawn(make_link(connector, handle, from.clone(), sdp, job));
        running.links.insert(from, making);
    }

    /// The task of a claim's job: a new one, or the one that a first offer of this claim has made.
    fn granted(&self, running: &mut Running, grant: Grant) -> mpsc::Sender<Command> {
        if let Some(job) = running.jobs.get(&grant.job_id).filter(|job| !job.is_closed()) {
            return job.clone();
        }
        let (commands, queue) = mpsc::channel(COMMANDS);
        let job = grant.job_id.clone();
        let folder = JobFolder::of(&self.jobs, &job);
        let task =
            JobTask::new(self.means.clone(), grant, folder, running.handle.clone(), running.to_news.clone(), queue);
        running.jobs.insert(job.clone(), commands.clone());
        running.tasks.spawn(async move {
            task.expecting().run().await;
            job
        });
        commands
    }

    /// The task of a job that is here: one that runs, or one that its record brings back.
    fn known(&self, running: &mut Running, job: &JobId) -> Option<mpsc::Sender<Command>> {
        if let Some(commands) = running.jobs.get(job).filter(|commands| !commands.is_closed()) {
            return Some(commands.clone());
        }
        let folder = JobFolder::of(&self.jobs, job);
        match folder.state() {
            Ok(Some(state)) => Some(self.restore(running, folder, state, true)),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(%job, %error, "a job's record cannot be read");
                None
            }
        }
    }

    fn restore(
        &self,
        running: &mut Running,
        folder: JobFolder,
        state: JobState,
        expecting: bool,
    ) -> mpsc::Sender<Command> {
        let (commands, queue) = mpsc::channel(COMMANDS);
        let job = state.grant.job_id.clone();
        let (means, handle, news) = (self.means.clone(), running.handle.clone(), running.to_news.clone());
        let task = JobTask::restore(means, state, folder, handle, news, queue);
        let task = if expecting { task.expecting() } else { task };
        running.jobs.insert(job.clone(), commands.clone());
        running.tasks.spawn(async move {
            task.run().await;
            job
        });
        commands
    }

    async fn news(&self, news: News) {
        let what = match news {
            News::Started(job) => What::Started(job),
            News::Ended(job, terminal) => What::Ended(job, terminal),
            News::Delivered(job) => What::Delivered(job),
        };
        self.notice(what).await;
    }

    async fn notice(&self, what: What) {
        let notice = Notice { peer: self.peer.clone(), device: self.means.device_word.clone(), what };
        // Nobody looks any more once the program ends.
        self.notices.send(notice).await.ok();
    }
}

/// Answers an offer and hands the open link to its job. Without a job the peer knows no claims: it is told so on the link.
async fn make_link(
    connector: Arc<dyn Connector>,
    handle: WorkerHandle,
    from: PeerId,
    sdp: String,
    job: Option<mpsc::Sender<Command>>,
) {
    let made = match connector.answer(&sdp).await {
        Ok(answered) => connected(answered, &handle, &from).await,
        Err(error) => {
            handle.answer_failed(from.clone(), error.to_string()).await;
            Err(error)
        }
    };
    match (made, job) {
        (Ok(link), Some(job)) => {
            if job.send(Command::Link { link, peer: from.clone() }).await.is_err() {
                handle.link_closed(from).await;
            }
        }
        (Ok(link), None) => {
            turn_away(&*link).await;
            handle.link_closed(from).await;
        }
        (Err(error), job) => {
            tracing::warn!(%from, %error, "no link");
            if let Some(job) = job {
                job.send(Command::NoLink).await.ok();
            }
            handle.link_closed(from).await;
        }
    }
}

async fn connected(
    answered: Box<dyn AnsweredLink>,
    handle: &WorkerHandle,
    from: &PeerId,
) -> Result<Arc<dyn Link>, LinkError> {
    handle.answered(from.clone(), answered.sdp().to_owned()).await;
    answered.connected(LINK_PATIENCE).await
}

async fn turn_away(link: &dyn Link) {
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
