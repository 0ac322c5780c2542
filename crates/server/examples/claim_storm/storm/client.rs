//! A client: the real half of the signaling; it waits in line, stays for a while in a slot, and begins anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sleap_rtc_session::pool_client::{CallId, ClaimRequest, Effect, Fact, Failure, Input, Offer, PoolClient, Setup};
use sleap_rtc_session::pool_line::FirstTry;
use sleap_rtc_session::pool_worker::{Start, StartRefused};
use sleap_rtc_wire::claim::Claimed;
use sleap_rtc_wire::{Code, JobId, Metadata, PeerId};
use tokio::sync::{mpsc, oneshot, watch};

use super::book::Book;
use super::line::{Event, Line};
use super::people::{Person, wanted};
use super::worker::Visit;
use super::{now, random, sleep_until};

/// How long a claim waits in line.
const WAIT_MS: u64 = 3_600_000;
/// How long a claim may stay unused.
const LEASE_MS: u64 = 10_000;
/// Before a claim that was refused is asked for again.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) type Doors = BTreeMap<PeerId, mpsc::Sender<Visit>>;

/// What one attempt came to.
enum Attempt {
    Done,
    /// Tried again, at once or after a pause.
    Failed {
        pause: bool,
    },
    /// The storm is over.
    Stopped,
}

pub(super) struct Client {
    id: PeerId,
    machine: PoolClient,
    line: Line,
    id_token: String,
    calls: u64,
    claimed: Option<Result<Vec<Claimed>, Failure>>,
    offered: Option<Result<String, Failure>>,
    hold: Duration,
    doors: Arc<Doors>,
    stop: watch::Receiver<bool>,
    book: Arc<Book>,
}

impl Client {
    pub(super) fn new(
        person: Person,
        hold: Duration,
        doors: Arc<Doors>,
        stop: watch::Receiver<bool>,
        book: Arc<Book>,
    ) -> Self {
        let Person { peer_id, room, id_token } = person;
        let setup = Setup {
            peer_id: peer_id.clone(),
            room_id: room.id,
            token: Some(room.token),
            metadata: Metadata::default(),
            first: FirstTry::KeepTrying,
        };
        Self {
            id: peer_id,
            machine: PoolClient::new(setup, now()),
            line: Line::new(room.address),
            id_token,
            calls: 0,
            claimed: None,
            offered: None,
            hold,
            doors,
            stop,
            book,
        }
    }

    /// One job after the other until the storm is over.
    pub(super) async fn run(mut self) {
        self.input(Input::Tick).await;
        for number in 1.. {
            let wanted_at = Instant::now();
            let Ok(job) = JobId::new(&format!("{}-{number}", self.id)) else { return };
            loop {
                match self.attempt(&job, wanted_at).await {
                    Attempt::Done => break,
                    Attempt::Failed { pause } => {
                        if pause {
                            self.live_for(PAUSE).await;
                        }
                    }
                    Attempt::Stopped => return,
                }
            }
        }
    }

    /// Asks for a worker and comes to it. Nothing has run if that fails: it is the same try of the job again.
    async fn attempt(&mut self, job: &JobId, wanted_at: Instant) -> Attempt {
        let call = self.next_call();
        let request = ClaimRequest {
            filters: wanted(),
            count: 1,
            wait_ms: WAIT_MS,
            lease_ms: LEASE_MS,
            job_id: job.clone(),
            attempt: 1,
        };
        self.input(Input::Claim { call, request }).await;
        let claimed = match self.until(|client| client.claimed.take()).await {
            None => return Attempt::Stopped,
            Some(Ok(claimed)) => claimed,
            Some(Err(failure)) => return self.failed("claim", &failure),
        };
        let Some(claimed) = claimed.into_iter().next() else { return Attempt::Failed { pause: true } };
        let call = self.next_call();
        let offer = Offer {
            worker: claimed.worker.clone(),
            sdp: "offer".to_owned(),
            claim: Some(claimed.claim_id.clone()),
            job: Some(job.clone()),
        };
        self.input(Input::Offer { call, offer }).await;
        match self.until(|client| client.offered.take()).await {
            None => Attempt::Stopped,
            Some(Ok(_)) => self.visit(claimed, job, wanted_at).await,
            Some(Err(failure)) => self.failed("offer", &failure),
        }
    }

    async fn visit(&mut self, claimed: Claimed, job: &JobId, wanted_at: Instant) -> Attempt {
        let Some(door) = self.doors.get(&claimed.worker).cloned() else {
            self.book.open().violations.push(format!("{} is no worker", claimed.worker));
            return Attempt::Stopped;
        };
        let claim = claimed.claim_id;
        let (reply, answer) = oneshot::channel();
        let start = Start { client: self.id.clone(), job: job.clone(), claim: Some(claim.clone()) };
        if door.send(Visit::Come(start, reply)).await.is_err() {
            return Attempt::Stopped;
        }
        if let Err(refused) = answer.await.unwrap_or(Err(StartRefused::NotExpected)) {
            self.book.open().setback(format!("a worker's slot was refused: {refused}"));
            self.input(Input::Release { claim }).await;
            return Attempt::Failed { pause: false };
        }
        self.book.open().waits.entry(self.id.clone()).or_default().push(wanted_at.elapsed());
        self.input(Input::JobRuns(true)).await;
        self.live_for(self.hold).await;
        self.input(Input::JobRuns(false)).await;
        if door.send(Visit::Go(job.clone())).await.is_err() { Attempt::Stopped } else { Attempt::Done }
    }

    fn failed(&self, what: &str, failure: &Failure) -> Attempt {
        let (text, pause) = match failure {
            Failure::Refused(refused) => (format!("{:?}", refused.reason), true),
            Failure::Server(error) => (format!("{:?}", error.code), error.code != Code::ClaimNotFound),
            other => (other.to_string(), false),
        };
        self.book.open().setback(format!("{what}: {text}"));
        Attempt::Failed { pause }
    }

    fn next_call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

    /// Lives until there is something; `None`: the storm is over.
    async fn until<T>(&mut self, mut ready: impl FnMut(&mut Self) -> Option<T>) -> Option<T> {
        let mut stop = self.stop.clone();
        loop {
            if let Some(value) = ready(self) {
                return Some(value);
            }
            let happened = tokio::select! {
                happened = self.happens() => happened,
                _ = stop.wait_for(|stop| *stop) => return None,
            };
            self.input(happened).await;
        }
    }

    async fn live_for(&mut self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while let Ok(happened) = tokio::time::timeout_at(end, self.happens()).await {
            self.input(happened).await;
        }
    }

    /// Cancel safe.
    async fn happens(&mut self) -> Input {
        let event = tokio::select! {
            event = self.line.next() => event,
            () = sleep_until(self.machine.next_timeout()) => return Input::Tick,
        };
        match event {
            Event::Connected => Input::Connected { id_token: Some(self.id_token.clone()) },
            Event::Failed(cause) => Input::ConnectFailed(cause),
            Event::Closed(cause) => Input::Disconnected(cause),
            Event::Frame(frame) => Input::Frame(frame),
        }
    }

    async fn input(&mut self, input: Input) {
        self.machine.handle(input, now(), random());
        while let Some(effect) = self.machine.next_effect() {
            match effect {
                Effect::Connect { .. } => self.line.connect(),
                Effect::Disconnect => self.line.disconnect(),
                Effect::Send(frame) => self.line.feed(&frame).await,
                Effect::ClaimDone { outcome, .. } => self.claimed = Some(outcome),
                Effect::OfferDone { outcome, .. } => self.offered = Some(outcome),
                Effect::DiscoverDone { .. } => {}
                Effect::Report(fact) => self.report(fact),
                Effect::GiveUp(cause) => self.book.open().violations.push(format!("{} gave up: {cause}", self.id)),
            }
        }
        self.line.flush().await;
    }

    fn report(&self, fact: Fact) {
        let mut records = self.book.open();
        match fact {
            Fact::Waiting(waiting) => records.waits_because(waiting.reason),
            Fact::Away { cause, .. } => records.setback(format!("client away: {cause}")),
            Fact::LateClaim { .. } => records.setback("a claim came too late and was given back"),
            Fact::ServerError(error) => records.setback(format!("client heard an error: {}", error.text())),
            _ => {}
        }
    }
}
