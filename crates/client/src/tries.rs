//! The tries of one job: a worker is booked, the job is brought and watched; if its worker is lost, another may get it.
//!
//! A worker that is lost may compute all the same. The room grants a later try only once it calls the earlier one's worker
//! lost, and from then on only the later try is this job: its session names the attempt, and what the earlier one makes
//! stays with its worker.

use std::sync::Arc;

use sleap_rtc_peer::disk::hash_files;
use sleap_rtc_session::pool_client::ClaimRequest;
use sleap_rtc_session::{ClientError, DiskAnswer, Plan};
use sleap_rtc_wire::claim::Reason;
use sleap_rtc_wire::job::{EndState, Terminal};
use sleap_rtc_wire::limits;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::booking::{Booked, Bookings, News};
use crate::config::Config;
use crate::controls::Controls;
use crate::error::TrainError;
use crate::event::TrainEvent;
use crate::jobs::{Holder, InLine, JobFile};
use crate::member::Member;
use crate::outcome::TrainOutcome;
use crate::results::Results;
use crate::train::{Prepared, tell};
use crate::watch::{ANSWERS, Job, Watch};

/// How long a claim may stay unused, ms: making the link, twice if need be, and the proof.
const LEASE_MS: u64 = 90_000;

/// Whoever would try elsewhere waits for longer by one part in so many: the room, which gives the worker up, may have noticed a
/// minute later than we that it is gone, and is asked twice a minute.
const LONGER: u64 = 5;

/// A job that is given to one worker after another, until one of them ends it.
pub(crate) struct Tries<'a> {
    pub(crate) config: &'a Config,
    pub(crate) member: &'a Member,
    pub(crate) events: &'a Sender<TrainEvent>,
    pub(crate) controls: &'a Controls,
    pub(crate) files: Prepared,
}

/// What one try leaves to the next.
struct Left {
    news: News,
    file: JobFile,
    lost: TrainError,
}

/// How a try ended.
enum Tried {
    Over(Result<TrainOutcome, TrainError>),
    Lost(Box<Left>),
}

impl Tries<'_> {
    /// To the end of the job, or of the tries.
    pub(crate) async fn run(mut self, news: News) -> Result<TrainOutcome, TrainError> {
        let finding = TrainEvent::Finding { job_id: self.files.job_id.clone(), room: self.member.room.clone() };
        tell(self.events, finding).await;
        let (mut news, mut file, mut lost) = (news, self.job_file(), None);
        loop {
            match Box::pin(self.one(news, file, lost)).await {
                Tried::Over(outcome) => return outcome,
                Tried::Lost(left) if left.file.attempt > self.files.request.retry => return Err(left.lost),
                Tried::Lost(left) => {
                    self.say_lost(&left).await;
                    // A claim of the next try that is not used is to be given back.
                    self.member.pool.job_runs(false).await;
                    (news, file, lost) = (left.news, left.file, Some(left.lost));
                }
            }
        }
    }

    /// One try. `lost`: how the one before ended.
    async fn one(&mut self, news: News, file: JobFile, lost: Option<TrainError>) -> Tried {
        let answers = self.hash();
        let mut bookings = self.bookings(news);
        let attempt = file.attempt + u32::from(lost.is_some());
        let mut line = InLine::new(self.config.home.clone(), file, self.files.clock.now());
        let booked = bookings.book(self.claim(attempt), &self.files.request.tags, &mut line).await;
        let (mut news, written, mut file) = (bookings.news, line.is_written(), line.into_file());
        news.stand_up();
        let booked = match (booked, lost) {
            (Ok(Some(booked)), _) => booked,
            (booked, lost) => return Tried::Over(self.unbooked(booked, lost, written, file)),
        };
        self.hand_over(&mut file, attempt, booked);
        if written {
            self.save(&file);
        }
        let results = match self.results().await {
            Ok(results) => Some(results),
            Err(error) => return Tried::Over(Err(error)),
        };
        self.files.spec.attempt = attempt;
        let config = self.patient(attempt);
        let mut watch = Watch {
            config: &config,
            member: self.member,
            news,
            events: self.events.clone(),
            wanted: self.controls.subscribe(),
            clock: self.files.clock,
            job: Job { file, results, fresh: true },
        };
        let plan = Plan::Submit { job: Box::new(self.files.spec.clone()), files: self.files.entries.clone() };
        let outcome = watch.see_through(plan, self.files.sources.clone(), answers).await;
        let Watch { news, job: Job { mut file, fresh, .. }, .. } = watch;
        if fresh && written {
            // The worker never had it.
            file.end = Some(self.never_ran(&outcome));
            self.save(&file);
        }
        match outcome {
            Err(lost @ TrainError::Worker { error: ClientError::Lost { .. }, .. }) => {
                Tried::Lost(Box::new(Left { news, file, lost }))
            }
            outcome => Tried::Over(outcome),
        }
    }

    fn bookings(&self, news: News) -> Bookings<'_> {
        let (wanted, clock) = (self.controls.subscribe(), self.files.clock);
        Bookings { member: self.member, news, events: self.events, wanted, clock }
    }

    /// How to watch this attempt.
    fn patient(&self, attempt: u32) -> Config {
        let mut config = self.config.clone();
        if attempt <= self.files.request.retry {
            config.times.lost_ms += config.times.lost_ms / LONGER;
        }
        config
    }

    /// Hashing goes on while a worker is looked for.
    fn hash(&self) -> (Sender<DiskAnswer>, Receiver<DiskAnswer>) {
        let (to_session, answers) = mpsc::channel::<DiskAnswer>(ANSWERS);
        hash_files(self.files.entries.clone(), Arc::clone(&self.files.sources), to_session.clone());
        (to_session, answers)
    }

    fn claim(&self, attempt: u32) -> ClaimRequest {
        ClaimRequest {
            filters: self.files.filters.clone(),
            count: 1,
            wait_ms: (self.files.request.wait.as_millis() as u64).min(limits::WAIT_MS),
            lease_ms: LEASE_MS,
            job_id: self.files.job_id.clone(),
            attempt,
        }
    }

    /// There is no worker.
    fn unbooked(
        &self,
        booked: Result<Option<Booked>, TrainError>,
        lost: Option<TrainError>,
        written: bool,
        mut file: JobFile,
    ) -> Result<TrainOutcome, TrainError> {
        let runs = matches!(&booked, Err(TrainError::NoWorker { refused, .. }) if refused.reason == Reason::JobRuns);
        let outcome = booked.map(|_| TrainOutcome::Cancelled { job_id: file.job_id.clone() });
        if lost.is_none() {
            file.end = Some(self.never_ran(&outcome));
        }
        if written {
            self.save(&file);
        }
        match lost {
            // The earlier worker is not lost to the room, or the user wants no other: then it is as it was.
            Some(lost) if runs || outcome.is_ok() => Err(lost),
            _ => outcome,
        }
    }

    /// How a job ended that no worker has had.
    fn never_ran(&self, outcome: &Result<TrainOutcome, TrainError>) -> Terminal {
        let (state, cause) = match outcome {
            Ok(_) => (EndState::Cancelled, "it was given up before a worker had it".to_owned()),
            Err(error) => (EndState::Failed, error.explained().what),
        };
        let ended_at = self.files.clock.now();
        Terminal { state, stopped_early: false, code: None, cause: Some(cause), exit: None, ended_at }
    }

    /// The file of a job that is this worker's now.
    fn hand_over(&self, file: &mut JobFile, attempt: u32, booked: Booked) {
        let Booked { claimed, key, name } = booked;
        let (worker, claim_id, fence) = (claimed.worker, claimed.claim_id, claimed.fence);
        let holder = Holder { worker, worker_name: name, worker_key: key, claim_id, fence };
        file.earlier.extend(file.holder.replace(holder));
        file.attempt = attempt;
        file.started_at = self.files.clock.now();
        (file.progress, file.lost_at, file.last_seq) = (None, None, 0);
    }

    /// Where the results of this try land; an earlier one has left nothing that this one could take.
    async fn results(&mut self) -> Result<Results, TrainError> {
        if let Some(results) = self.files.results.take() {
            return Ok(results);
        }
        let (models, name, job) = (self.files.models.clone(), self.files.run_name.clone(), self.files.job_id.clone());
        let opened = tokio::task::spawn_blocking(move || Results::open(models, &name, &job)).await;
        Ok(opened.map_err(|error| TrainError::Internal(error.to_string()))??)
    }

    async fn say_lost(&self, left: &Left) {
        let TrainError::Worker { worker, error: ClientError::Lost { for_ms, .. }, .. } = &left.lost else { return };
        let event = TrainEvent::Lost {
            worker: worker.clone(),
            for_ms: *for_ms,
            attempt: left.file.attempt + 1,
            attempts: self.files.request.retry + 1,
        };
        tell(self.events, event).await;
    }

    fn job_file(&self) -> JobFile {
        JobFile {
            job_id: self.files.job_id.clone(),
            server: self.member.server.clone(),
            room: self.member.room.clone(),
            holder: None,
            attempt: 1,
            labels: self.files.request.labels.display().to_string(),
            run_name: self.files.run_name.clone(),
            models: self.files.models.clone(),
            started_at: self.files.clock.now(),
            waiting: None,
            progress: None,
            lost_at: None,
            earlier: Vec::new(),
            last_seq: 0,
            end: None,
            landed: None,
        }
    }

    /// Without the file other terminals do not see the job; it goes on all the same.
    fn save(&self, file: &JobFile) {
        if let Err(error) = file.save(&self.config.home) {
            tracing::warn!(%error, "the job's file cannot be written");
        }
    }
}
