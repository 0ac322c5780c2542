//! The worker's half of one job: let its owner in, take the files, have it run, tell the story, end once, give the results.

mod effect;
mod end;
mod frames;
mod link;
mod watch;

use std::collections::{BTreeMap, VecDeque};

use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::{EndState, FailCode, Phase, Terminal, What};
use sleap_rtc_wire::peer::{PeerFrame, Submission, TransferId, Wish};

pub use effect::{Fact, Grant, WorkerEffect, WorkerInput};

use crate::events::EventLog;
use crate::record::{JobRecord, JobState};
use crate::transfer::{DiskAnswer, Out, Receiver, Sender, TransferError};
use crate::{KeyPair, LinkId};

/// Event numbers are set aside in blocks: none is told that a restarted worker could give out again.
const BLOCK: u64 = 4096;
/// How long to wait before a record that could not be written is tried again, ms.
const RECORD_AGAIN_MS: u64 = 5_000;

/// The worker's half. See the crate's page for the contract of use.
#[derive(Debug)]
pub struct JobWorker {
    key: KeyPair,
    grant: Grant,
    /// How long the client may be gone before a job that does not run yet is given up, ms.
    gone_ms: u64,
    links: BTreeMap<LinkId, link::Visitor>,
    watcher: Option<watch::Watcher>,
    /// When the last proven link went.
    alone_since: Option<Time>,
    stage: Stage,
    submission: Option<Submission>,
    /// Whether the acceptance is on the disk: then the end must be before it is told.
    durable: bool,
    ran: bool,
    log: EventLog,
    /// Event numbers set aside on the disk, and asked for.
    reserved: u64,
    reserving: u64,
    records: BTreeMap<u64, Pending>,
    tickets: u64,
    again_at: Option<Time>,
    receiver: Option<Receiver>,
    queries: u64,
    results: Results,
    doom: Option<end::Doom>,
    out: VecDeque<WorkerEffect>,
}

/// How far the job is.
#[derive(Clone, Debug, PartialEq)]
enum Stage {
    /// Nobody has brought it yet.
    Offered,
    /// The shell looks whether it can be done here.
    Checking,
    /// It was ended while the shell looks: over once the shell has answered, because until then the shell may take the slot for it.
    Doomed(Terminal),
    /// Its acceptance is being recorded.
    Accepting,
    /// Its files come.
    Receiving,
    /// The trainer has it.
    Running,
    /// Its end is being recorded.
    Ending { terminal: Terminal, seq: u64 },
    /// It is over.
    Ended(Terminal),
    /// Nothing of it is kept.
    Forgotten,
}

/// A record on its way to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Accepted,
    Reserved(u64),
    Ended,
    /// Nothing waits for it.
    Other,
}

/// What the job left.
#[derive(Debug)]
enum Results {
    /// Nobody has looked.
    Unknown,
    /// The shell looks.
    Asked,
    /// They are there, and hashed as far as the shell has come.
    Known(Box<Sender>),
    /// They cannot be read.
    Broken(TransferError),
}

impl JobWorker {
    /// A job that may come: the room has granted its claim.
    pub fn new(key: KeyPair, grant: Grant, gone_ms: u64) -> Self {
        Self {
            key,
            grant,
            gone_ms,
            links: BTreeMap::new(),
            watcher: None,
            alone_since: None,
            stage: Stage::Offered,
            submission: None,
            durable: false,
            ran: false,
            log: EventLog::new(1),
            reserved: 0,
            reserving: 0,
            records: BTreeMap::new(),
            tickets: 0,
            again_at: None,
            receiver: None,
            queries: 0,
            results: Results::Unknown,
            doom: None,
            out: VecDeque::new(),
        }
    }

    /// A job of an earlier run of the worker, from its record. If that has no end, the trainer has died with the
    /// worker (its process group has a guard): it ends here and now as [`FailCode::WorkerLost`].
    pub fn restore(key: KeyPair, state: JobState, gone_ms: u64, now: Time) -> Self {
        let mut worker = Self::new(key, state.grant, gone_ms);
        worker.submission = Some(state.submission);
        worker.durable = true;
        // Whether it ran is not on record: the shell looks what is there.
        worker.ran = true;
        worker.reserved = state.reserved;
        worker.reserving = state.reserved;
        let text = "the worker was started again; earlier lines are in its own log file".to_owned();
        if let Some((terminal, seq)) = state.end {
            worker.log = EventLog::new(seq.saturating_sub(1));
            worker.log.push(now, What::Warning { text });
            worker.log.push(terminal.ended_at, What::End { end: terminal.clone() });
            worker.stage = Stage::Ended(terminal);
        } else {
            worker.log = EventLog::new(state.reserved + 1);
            worker.log.push(now, What::Warning { text });
            worker.fail(FailCode::WorkerLost, "the worker was started again while the job was there".to_owned(), now);
        }
        worker
    }

    /// Takes one input.
    pub fn handle(&mut self, input: WorkerInput, now: Time) {
        if self.stage == Stage::Forgotten {
            return;
        }
        match input {
            WorkerInput::LinkUp { link, peer, binding, nonce } => self.link_up(link, peer, binding, nonce, now),
            WorkerInput::Control { link, text } => self.control(link, &text, now),
            WorkerInput::Bulk { link, data } => self.bulk(link, &data, now),
            WorkerInput::BulkTaken { link, count } => self.bulk_taken(link, count, now),
            WorkerInput::LinkDown { link } => self.link_down(link, now),
            WorkerInput::Accepted => self.accepted(now),
            WorkerInput::Rejected { code, cause } => self.rejected(code, cause, now),
            WorkerInput::Recorded { ticket } => self.recorded(ticket, now),
            WorkerInput::RecordFailed { ticket, cause } => self.record_failed(ticket, cause, now),
            WorkerInput::Happened(what) => self.happened(what, now),
            WorkerInput::Ended(terminal) => self.trainer_ended(terminal, now),
            WorkerInput::Results(files) => self.results_listed(files),
            WorkerInput::ResultsFailed { cause } => {
                self.results = Results::Broken(TransferError::new(FailCode::TransferFailed, cause));
            }
            WorkerInput::Disk(answer) => self.disk(answer, now),
            WorkerInput::Wish(wish) => {
                self.wish(wish, now);
            }
            WorkerInput::Abort { code, cause } => self.abort(code, cause, now),
            WorkerInput::Withdrawn => self.withdrawn(),
            WorkerInput::Superseded => self.superseded(now),
            WorkerInput::Tick => {}
        }
        self.look_at_time(now);
        self.pump(now);
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<WorkerEffect> {
        self.out.pop_front()
    }

    /// The job, its claim and its owner.
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// How the job ended; `None` before that is recorded.
    pub const fn terminal(&self) -> Option<&Terminal> {
        if let Stage::Ended(terminal) = &self.stage { Some(terminal) } else { None }
    }

    /// Whether the job has been brought and is not over: the slot is taken by it.
    pub const fn is_active(&self) -> bool {
        !matches!(self.stage, Stage::Offered | Stage::Ended(_) | Stage::Forgotten)
    }

    /// Whether the job is over, on record and nobody is here: it may be dropped, and [`JobWorker::restore`]d for whoever comes.
    pub fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Ended(_)) && self.durable && self.links.is_empty()
    }

    fn rejected(&mut self, code: FailCode, cause: String, now: Time) {
        match self.stage.clone() {
            Stage::Checking => self.conclude(end::failed(code, cause, now), now),
            Stage::Doomed(terminal) => self.conclude(terminal, now),
            _ => {}
        }
    }

    fn accepted(&mut self, now: Time) {
        if let Stage::Doomed(terminal) = self.stage.clone() {
            return self.conclude(terminal, now);
        }
        let (Stage::Checking, Some(submission)) = (&self.stage, self.submission.clone()) else { return };
        self.stage = Stage::Accepting;
        self.reserving = BLOCK;
        let (grant, submission) = (self.grant.clone(), Box::new(submission));
        let record = JobRecord::Accepted { at: now, grant, submission, reserved: BLOCK };
        self.record(record, Pending::Accepted);
    }

    /// The acceptance is on the disk: the job is this worker's.
    fn taken(&mut self, now: Time) {
        self.durable = true;
        self.reserved = BLOCK;
        if self.stage == Stage::Accepting {
            self.stage = Stage::Receiving;
            self.out.push_back(WorkerEffect::Taken);
            self.happened(What::Phase { phase: Phase::Receiving }, now);
        }
    }

    /// All files are in place.
    fn run(&mut self) {
        let (Stage::Receiving, Some(submission)) = (&self.stage, &self.submission) else { return };
        self.out.push_back(WorkerEffect::Run { job: Box::new(submission.job.clone()) });
        self.stage = Stage::Running;
        self.ran = true;
    }

    fn happened(&mut self, what: What, now: Time) {
        if matches!(self.stage, Stage::Receiving | Stage::Running) && !matches!(what, What::End { .. }) {
            self.log.push(now, what);
            if self.durable && self.log.next_seq() + BLOCK / 2 > self.reserving {
                self.reserving += BLOCK;
                let seq = self.reserving;
                self.record(JobRecord::Reserved { seq }, Pending::Reserved(seq));
            }
        }
    }

    fn disk(&mut self, answer: DiskAnswer, now: Time) {
        match (&mut self.receiver, &mut self.results) {
            (Some(receiver), _) => receiver.disk(answer, now),
            (None, Results::Known(sender)) => sender.disk(answer, now),
            _ => {}
        }
    }

    /// Carries out what receiver and sender want, and tells the watcher what there is to tell.
    fn pump(&mut self, now: Time) {
        self.welcome(now);
        while let Some(out) = self.receiver.as_mut().and_then(Receiver::next_out) {
            match out {
                Out::Done(_) => {
                    self.receiver = None;
                    self.run();
                }
                Out::Failed(error) => self.files_failed(error, now),
                out => self.carry(out),
            }
        }
        self.tell();
        self.offer_results(now);
        while let Some(out) = self.results_out() {
            match out {
                Out::Done(root) => {
                    self.record(JobRecord::Delivered { at: now, root }, Pending::Other);
                    self.out.push_back(WorkerEffect::Delivered { root });
                }
                Out::Failed(error) => self.results_failed(error),
                out => self.carry(out),
            }
        }
    }

    fn results_out(&mut self) -> Option<Out> {
        if let Results::Known(sender) = &mut self.results { sender.next_out() } else { None }
    }

    fn carry(&mut self, out: Out) {
        let out = match out {
            Out::Disk(request) => return self.out.push_back(WorkerEffect::Disk(request)),
            out => out,
        };
        // What is said when nobody watches any more is said to nobody: the next link begins anew.
        let Some(link) = self.watcher.as_ref().map(|watcher| watcher.link) else { return };
        match out {
            Out::Say(frame) => self.say(link, &frame),
            Out::Bulk(data) => self.say_bulk(link, data),
            Out::Broken(why) => self.refuse_protocol(link, &why),
            Out::Disk(_) | Out::Progress(_) | Out::Done(_) | Out::Failed(_) => {}
        }
    }

    /// Writes a record; what waits for it is `pending`.
    fn record(&mut self, record: JobRecord, pending: Pending) {
        if !self.durable && pending != Pending::Accepted {
            return;
        }
        self.tickets += 1;
        self.records.insert(self.tickets, pending);
        self.out.push_back(WorkerEffect::Record { ticket: self.tickets, record: Box::new(record) });
    }

    /// Takes a wish; answers how the job had ended before, if it had.
    fn wish(&mut self, wish: Wish, now: Time) -> Option<EndState> {
        match (&self.stage, wish) {
            (Stage::Ending { terminal, .. } | Stage::Ended(terminal), _) => return Some(terminal.state),
            (Stage::Running, Wish::Stop) if self.doom.is_none() => self.out.push_back(WorkerEffect::Stop),
            (Stage::Running, Wish::Cancel) => self.doom(end::Doom::Cancelled),
            (Stage::Running | Stage::Forgotten, _) => {}
            (_, Wish::Cancel) => self.cancelled(None, now),
            // There is no model to keep.
            (_, Wish::Stop) => self.cancelled(Some("stopped before training began"), now),
        }
        None
    }

    fn files_failed(&mut self, error: TransferError, now: Time) {
        if !error.told {
            let (code, cause) = (error.code, error.cause.clone());
            let frame = PeerFrame::TransferFailed { transfer: TransferId::FILES, code, cause };
            self.carry(Out::Say(frame));
        }
        self.fail(error.code, error.cause, now);
    }
}
