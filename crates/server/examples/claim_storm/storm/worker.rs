//! A worker: the real half of the signaling with a slot in which clients only stay for a while.

use std::sync::Arc;

use sleap_rtc_session::pool_line::FirstTry;
use sleap_rtc_session::pool_worker::{Effect, Fact, Input, PoolWorker, Seen, Setup, Start, StartRefused};
use sleap_rtc_wire::{FromPeer, JobId, ToPeer};
use tokio::sync::{mpsc, oneshot};

use super::book::{Book, Truth};
use super::line::{Event, Line};
use super::people::Person;
use super::{now, random, sleep_until};

/// What a client says over the link, which here is a channel.
pub(super) enum Visit {
    /// May I come in?
    Come(Start, oneshot::Sender<Result<(), StartRefused>>),
    /// I go.
    Go(JobId),
}

/// Visits that may wait.
pub(super) const VISITS: usize = 16;

pub(super) struct Worker {
    machine: PoolWorker,
    line: Line,
    id_token: String,
    truth: Truth,
    book: Arc<Book>,
}

impl Worker {
    pub(super) fn new(person: Person, book: Arc<Book>) -> Self {
        let Person { peer_id, room, id_token } = person;
        let setup = Setup {
            peer_id: peer_id.clone(),
            room_id: room.id,
            token: Some(room.token),
            metadata: super::people::worker_metadata(),
            seen: Seen::default(),
            kept: Vec::new(),
            first: FirstTry::KeepTrying,
        };
        let line = Line::new(room.address);
        Self { machine: PoolWorker::new(setup, now()), line, id_token, truth: Truth::of(peer_id), book }
    }

    /// Works until it is dropped.
    pub(super) async fn run(mut self, mut visits: mpsc::Receiver<Visit>) {
        self.input(Input::Tick).await;
        loop {
            tokio::select! {
                event = self.line.next() => self.event(event).await,
                Some(visit) = visits.recv() => self.visit(visit).await,
                () = sleep_until(self.machine.next_timeout()) => self.input(Input::Tick).await,
            }
        }
    }

    async fn event(&mut self, event: Event) {
        let input = match event {
            Event::Connected => Input::Connected { id_token: Some(self.id_token.clone()) },
            Event::Failed(cause) => Input::ConnectFailed(cause),
            Event::Closed(cause) => Input::Disconnected(cause),
            Event::Frame(frame) => {
                match &frame {
                    ToPeer::ClaimGranted(grant) => self.truth.granted(grant, &self.book),
                    ToPeer::ClaimEnded(ended) => self.truth.ended(&ended.claim_id),
                    _ => {}
                }
                Input::Frame(frame)
            }
        };
        self.input(input).await;
    }

    async fn visit(&mut self, visit: Visit) {
        match visit {
            Visit::Come(start, reply) => {
                let outcome = self.machine.start(&start, now());
                if outcome.is_ok() {
                    self.truth.enters(&start.client, &start.job, &self.book);
                }
                self.carry_out().await;
                // A client that has gone meanwhile does not stay in the slot.
                if reply.send(outcome).is_err() && outcome.is_ok() {
                    self.over(start.job).await;
                }
            }
            Visit::Go(job) => self.over(job).await,
        }
    }

    async fn over(&mut self, job: JobId) {
        self.truth.leaves(&job, &self.book);
        self.input(Input::JobOver { job, kept: false }).await;
    }

    async fn input(&mut self, input: Input) {
        self.machine.handle(input, now(), random());
        self.carry_out().await;
    }

    async fn carry_out(&mut self) {
        while let Some(effect) = self.machine.next_effect() {
            match effect {
                Effect::Connect { .. } => self.line.connect(),
                Effect::Disconnect | Effect::Leave => self.line.disconnect(),
                Effect::Send(frame) => {
                    self.sends(&frame);
                    self.line.feed(&frame).await;
                }
                // The disk of a worker that does not die in this test.
                Effect::Persist(seen) => self.machine.handle(Input::FencePersisted(seen.fence), now(), random()),
                Effect::Answer { from, .. } => {
                    self.machine.handle(Input::Answered { to: from, sdp: "answer".to_owned() }, now(), random());
                }
                Effect::Report(fact) => self.report(fact),
                Effect::GiveUp(cause) => self.book.open().violations.push(format!("a worker gave up: {cause}")),
                Effect::Withdraw { .. } | Effect::Superseded { .. } => {}
            }
        }
        self.line.flush().await;
    }

    fn sends(&mut self, frame: &FromPeer) {
        match frame {
            FromPeer::Register(register) => {
                self.truth.registers(register.claims.first().map(|held| &held.grant.claim_id));
            }
            FromPeer::ClaimReleased(released) => self.truth.released(&released.claim_id),
            _ => {}
        }
    }

    fn report(&self, fact: Fact) {
        let mut records = self.book.open();
        match fact {
            Fact::Away { cause, .. } => records.setback(format!("worker away: {cause}")),
            Fact::GrantRefused { why, .. } => records.setback(format!("worker refused a grant: {why}")),
            Fact::Refused { why, .. } => records.setback(format!("worker refused an offer: {why}")),
            Fact::ClaimEnded { reason, .. } => records.setback(format!("a claim ended unused: {reason:?}")),
            Fact::ServerError(error) => records.setback(format!("worker heard an error: {}", error.text())),
            _ => {}
        }
    }
}
