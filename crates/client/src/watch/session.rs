//! The loop around one [`JobClient`]: what happens goes in, what it wants is carried out.

use std::sync::Arc;
use std::time::Duration;

use sleap_rtc_link::{Link, PathInfo};
use sleap_rtc_peer::clock::random;
use sleap_rtc_peer::disk::Disk;
use sleap_rtc_peer::pump::{Pump, PumpEvent};
use sleap_rtc_session::pool_client::Offer;
use sleap_rtc_session::{
    Binding, ClientEffect, ClientError, ClientInput, DiskAnswer, JobClient, LinkId, Outcome, Show,
};
use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::{EndState, Phase, Terminal, What};
use sleap_rtc_wire::peer::Wish;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Watch;
use super::link::{Making, Unmade, make};
use crate::controls::Wanted;
use crate::error::TrainError;
use crate::event::TrainEvent;
use crate::jobs::Progress;
use crate::results::Results;
use crate::train::tell;

/// Events of a link that may wait; then the peer is slowed down.
const LINK_EVENTS: usize = 256;
/// How long the last words to the worker may take.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Epochs are written down at most so often, ms.
const SAVE_MS: u64 = 2_000;

/// A session that runs.
pub(super) struct Session<'a, 'b> {
    watch: &'a mut Watch<'b>,
    client: JobClient,
    disk: Option<Disk>,
    answers: Receiver<DiskAnswer>,
    pumps: Sender<(LinkId, PumpEvent)>,
    links: Receiver<(LinkId, PumpEvent)>,
    pump: Option<(LinkId, Pump)>,
    /// A link that says its last words.
    closing: Option<LinkId>,
    making: Option<Making>,
    next_link: u64,
    path: Option<String>,
    /// Whether the worker has every file, so that it goes on without us.
    sent: bool,
    ended: bool,
    cancelled: Option<Terminal>,
    /// When the job's file was written for its progress.
    saved_at: Time,
    outcome: Option<Result<Outcome, TrainError>>,
}

/// What happened.
enum Happened {
    Link(LinkId, PumpEvent),
    Disk(DiskAnswer),
    Made(Result<Arc<dyn Link>, Unmade>),
    News(TrainEvent),
    Wanted(Wanted),
    Tick,
}

impl<'a, 'b> Session<'a, 'b> {
    pub(super) fn new(
        watch: &'a mut Watch<'b>,
        client: JobClient,
        disk: Option<Disk>,
        answers: Receiver<DiskAnswer>,
    ) -> Self {
        let (pumps, links) = channel(LINK_EVENTS);
        let sent = !watch.job.fresh;
        Self {
            watch,
            client,
            disk,
            answers,
            pumps,
            links,
            pump: None,
            closing: None,
            making: None,
            next_link: 1,
            path: None,
            sent,
            ended: false,
            cancelled: None,
            saved_at: Time(0),
            outcome: None,
        }
    }

    /// Runs to the end.
    pub(super) async fn run(mut self) -> Result<Outcome, TrainError> {
        self.carry_out().await;
        let outcome = loop {
            if let Some(outcome) = self.outcome.take() {
                break outcome;
            }
            let happened = self.next().await;
            self.take(happened).await;
            self.carry_out().await;
        };
        self.last_words().await;
        self.remember(&outcome);
        outcome
    }

    /// Waits for whatever comes first. Cancel safe, each branch.
    async fn next(&mut self) -> Happened {
        let making = async {
            match &mut self.making {
                Some(making) => making.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some((link, event)) = self.links.recv() => Happened::Link(link, event),
            Some(answer) = self.answers.recv() => Happened::Disk(answer),
            made = making => Happened::Made(made),
            event = self.watch.news.next() => Happened::News(event),
            Ok(()) = self.watch.wanted.changed() => Happened::Wanted(*self.watch.wanted.borrow_and_update()),
            () = self.watch.clock.sleep_until(self.client.next_timeout()) => Happened::Tick,
        }
    }

    async fn take(&mut self, happened: Happened) {
        match happened {
            Happened::Link(link, event) => self.link(link, event),
            Happened::Disk(answer) => self.give(ClientInput::Disk(answer)),
            Happened::Made(made) => {
                self.making = None;
                self.made(made);
            }
            Happened::News(event) => tell(&self.watch.events, event).await,
            Happened::Wanted(wanted) => self.wanted(wanted),
            Happened::Tick => self.give(ClientInput::Tick),
        }
    }

    fn give(&mut self, input: ClientInput) {
        self.client.handle(input, self.watch.clock.now());
    }

    fn link(&mut self, link: LinkId, event: PumpEvent) {
        let input = match event {
            PumpEvent::Control(text) => ClientInput::Control { link, text },
            PumpEvent::Bulk(data) => ClientInput::Bulk { link, data },
            PumpEvent::BulkTaken => ClientInput::BulkTaken { link, count: 1 },
            PumpEvent::Down(reason) => {
                self.pump.take_if(|(id, _)| *id == link);
                self.closing.take_if(|id| *id == link);
                ClientInput::LinkDown { link, cause: reason.to_string(), chance: random() as u32 }
            }
        };
        self.give(input);
    }

    fn made(&mut self, made: Result<Arc<dyn Link>, Unmade>) {
        let link = match made {
            Ok(link) => link,
            Err(Unmade::Again(cause)) => {
                return self.give(ClientInput::ConnectFailed { cause, chance: random() as u32 });
            }
            Err(Unmade::Lost(for_ms)) => return self.give(ClientInput::WorkerLost { for_ms }),
            Err(Unmade::Never(failure)) => {
                let worker = self.watch.job.file.worker_name();
                self.outcome = Some(Err(self.watch.member.failed(*failure, Some(worker))));
                return;
            }
        };
        let mut nonce = [0; 32];
        if let Err(error) = getrandom::fill(&mut nonce) {
            self.outcome = Some(Err(TrainError::Internal(format!("no random numbers: {error}"))));
            return;
        }
        let id = LinkId(self.next_link);
        self.next_link += 1;
        self.path = Some(path(&link.path()));
        let seen = link.binding();
        let binding = Binding { local: seen.local, remote: seen.remote };
        self.pump = Some((id, Pump::start(id, link, self.pumps.clone())));
        self.give(ClientInput::LinkUp { link: id, binding, nonce });
    }

    fn wanted(&mut self, wanted: Wanted) {
        // Without us the worker would wait for files that do not come.
        let must_cancel = wanted.leave() && !self.sent;
        if let Some(wish) = wanted.wish().or(must_cancel.then_some(Wish::Cancel)) {
            self.give(ClientInput::Wish(wish));
        }
        if wanted.leave() && (self.sent || wanted.wish() == Some(Wish::Cancel)) {
            self.give(ClientInput::Leave);
        }
    }

    async fn carry_out(&mut self) {
        self.drain().await;
        if self.cancelled.is_some() && self.outcome.is_none() {
            self.give(ClientInput::Leave);
            self.drain().await;
        }
    }

    async fn drain(&mut self) {
        while let Some(effect) = self.client.next_effect() {
            match effect {
                ClientEffect::Connect => self.connect(),
                ClientEffect::Send { link, text } => {
                    if let Some(pump) = self.pump(link) {
                        pump.send(text);
                    }
                }
                ClientEffect::SendBulk { link, data } => {
                    if let Some(pump) = self.pump(link) {
                        pump.send_bulk(data);
                    }
                }
                ClientEffect::Close { link } => {
                    if let Some((id, pump)) = self.pump.take_if(|(id, _)| *id == link) {
                        pump.close();
                        self.closing = Some(id);
                    }
                }
                ClientEffect::Disk(request) => self.disk(request),
                ClientEffect::Show(show) => self.show(show).await,
                ClientEffect::Finished(outcome) => self.finished(outcome),
            }
        }
    }

    fn finished(&mut self, outcome: Outcome) {
        self.outcome = Some(Ok(match (outcome, self.cancelled.take()) {
            (Outcome::Left, Some(terminal)) => Outcome::Ended { terminal, results: None },
            (outcome, _) => outcome,
        }));
    }

    fn pump(&self, link: LinkId) -> Option<&Pump> {
        self.pump.as_ref().filter(|(id, _)| *id == link).map(|(_, pump)| pump)
    }

    fn connect(&mut self) {
        let file = &self.watch.job.file;
        let Some(holder) = &file.holder else {
            self.outcome = Some(Err(TrainError::Internal("no worker has the job".to_owned())));
            return;
        };
        let offer = Offer {
            worker: holder.worker.clone(),
            sdp: String::new(),
            claim: self.watch.job.fresh.then(|| holder.claim_id.clone()),
            job: Some(file.job_id.clone()),
        };
        let (config, pool) = (self.watch.config, self.watch.member.pool.clone());
        self.making = Some(make(config.connector.clone(), pool, offer, config.link_timeout, self.watch.clock));
    }

    fn disk(&self, request: sleap_rtc_session::DiskRequest) {
        if let Some(results) = &self.watch.job.results {
            results.note(&request);
        }
        if let Some(disk) = &self.disk {
            disk.request(request);
        }
    }

    async fn show(&mut self, show: Show) {
        let event = match show {
            Show::Connecting => TrainEvent::Connecting,
            Show::Connected => TrainEvent::Connected { path: self.path.clone() },
            Show::Accepted { attached } => {
                self.accepted().await;
                TrainEvent::Accepted { attached }
            }
            Show::Sending(progress) => TrainEvent::Sending { done: progress.done, total: progress.total },
            Show::Event(event) => {
                self.heard(&event.what);
                TrainEvent::Job(event)
            }
            Show::Reconnecting { accepted, retry_ms, cause, .. } => {
                TrainEvent::Reconnecting { accepted, retry_ms, cause }
            }
            Show::Receiving(progress) => TrainEvent::Receiving { done: progress.done, total: progress.total },
        };
        tell(&self.watch.events, event).await;
    }

    async fn accepted(&mut self) {
        self.watch.member.pool.job_runs(true).await;
        self.watch.job.fresh = false;
        self.watch.job.file.lost_at = None;
        self.save();
    }

    fn heard(&mut self, what: &What) {
        match what {
            What::Phase { phase: Phase::Receiving } => {}
            // It does what it can do only with all files.
            What::Phase { .. } | What::Stage { .. } => self.sent = true,
            What::End { end } => {
                self.sent = true;
                self.ended = true;
                self.watch.job.file.end = Some(end.clone());
                match (end.state, &self.watch.job.results) {
                    (EndState::Failed, Some(results)) => results.failed(),
                    // Nothing of it is wanted: not even to wait for what it left.
                    (EndState::Cancelled, Some(_)) => self.cancelled = Some(end.clone()),
                    _ => {}
                }
            }
            _ => {}
        }
        self.note_progress(what);
    }

    /// Writes down for other terminals how far the worker is: each phase, and epochs at most every two seconds.
    fn note_progress(&mut self, what: &What) {
        let now = self.watch.clock.now();
        let file = &mut self.watch.job.file;
        let before = file.progress;
        let last = before.unwrap_or(Progress { phase: Phase::Unknown, epoch: 0, epochs: None, at: Time(0) });
        let next = match what {
            What::Phase { phase } => Progress { phase: *phase, at: now, ..last },
            What::Stage { .. } => Progress { epoch: 0, epochs: None, at: now, ..last },
            What::Plan { epochs, .. } => Progress { epochs: *epochs, ..last },
            What::Epoch { epoch, .. } => Progress { epoch: epoch + 1, at: now, ..last },
            _ => return,
        };
        file.progress = Some(next);
        let due = now.since(self.saved_at) >= SAVE_MS || last.phase != next.phase;
        if due && self.watch.job.results.is_some() {
            self.saved_at = now;
            self.save();
        }
    }

    /// Writes the job's file. Without it the job cannot be stopped from another terminal; it goes on all the same.
    fn save(&self) {
        if let Err(error) = self.watch.job.file.save(&self.watch.config.home) {
            tracing::warn!(%error, "the job's file cannot be written");
        }
    }

    /// Waits until a link that was closed in good order has said everything.
    async fn last_words(&mut self) {
        if let Some((id, pump)) = self.pump.take() {
            pump.close();
            self.closing = Some(id);
        }
        let Some(closing) = self.closing else { return };
        let down = async {
            while let Some((link, event)) = self.links.recv().await {
                if link == closing && matches!(event, PumpEvent::Down(_)) {
                    return;
                }
            }
        };
        if tokio::time::timeout(LAST_WORDS, down).await.is_err() {
            tracing::debug!("the link did not end in time");
        }
    }

    /// Brings the job's file up to date.
    fn remember(&mut self, outcome: &Result<Outcome, TrainError>) {
        let watches = self.watch.job.results.is_some();
        if !watches || !self.client.is_accepted() {
            return;
        }
        let last = self.client.last_seq();
        let file = &mut self.watch.job.file;
        // Whoever comes back needs the end again.
        file.last_seq = if self.ended { last.saturating_sub(1) } else { last };
        if let Ok(Outcome::Ended { terminal, .. }) = outcome {
            file.end = Some(terminal.clone());
        }
        if let Ok(Outcome::Failed(ClientError::Lost { .. })) = outcome {
            file.lost_at = Some(self.watch.clock.now());
        }
        file.landed = self.watch.job.results.as_ref().and_then(Results::landed);
        self.save();
    }
}

/// How bytes travel, in a word or two.
fn path(info: &PathInfo) -> String {
    let relayed = if info.relayed { ", relayed" } else { "" };
    format!("{}{relayed}", info.kind.as_str())
}
