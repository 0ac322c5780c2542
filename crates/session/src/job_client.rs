//! The client's half of one job: bring it, watch it, bring the results home, over as many links as it takes.

mod effect;
mod frames;
mod link;
mod story;

use std::collections::VecDeque;

use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::{EndState, Terminal};
use sleap_rtc_wire::manifest::{BadManifest, Hash, total};
use sleap_rtc_wire::peer::{BadSubmission, ByeReason, PeerFrame, Submission, TransferId, Wish};

pub use effect::{ClientEffect, ClientError, ClientInput, ClientTimes, Outcome, Plan, Show, Target};

use crate::KeyPair;
use crate::channel::Channel;
use crate::transfer::{DiskAnswer, Out, Receiver, Sender, TransferError};

/// A plan that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    /// The job's files cannot be sent.
    #[error(transparent)]
    Files(#[from] BadManifest),
    /// The job cannot be submitted.
    #[error(transparent)]
    Job(#[from] BadSubmission),
}

/// The client's half. See the crate's page for the contract of use.
#[derive(Debug)]
pub struct JobClient {
    key: KeyPair,
    target: Target,
    times: ClientTimes,
    /// The frames of a new job.
    submit: Vec<PeerFrame>,
    /// [`Plan::Command`].
    command: Option<Wish>,
    wants_results: bool,
    max_results: u64,
    stage: Stage,
    channel: Option<Channel>,
    /// When the link was lost, or the first one asked for.
    down_since: Option<Time>,
    cause: String,
    tries: u32,
    /// Whether the worker was there once.
    met: bool,
    standing: Standing,
    sender: Option<Sender>,
    /// Why the job's files cannot be sent: the worker is to be told on every link until it ends the job.
    unsendable: Option<TransferError>,
    receiver: Option<Receiver>,
    queries: u64,
    story: story::Story,
    end: Option<Terminal>,
    wish: Option<Wish>,
    out: VecDeque<ClientEffect>,
}

/// What the worker knows of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing.
    New,
    /// It may have it: the job was said, and no answer has come yet.
    Submitted,
    /// It has it.
    Accepted,
}

/// Where the client is with its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Between two tries.
    Pausing { until: Time },
    /// The shell makes a link.
    Connecting,
    /// There is a link, proven or not.
    Linked,
    /// The link is to be closed; then the next try.
    Closing,
    /// All is over.
    Finished,
}

impl JobClient {
    /// Begins: the first effect asks for a link. `max_results` is how many bytes of results the disk has room for.
    pub fn new(
        key: KeyPair,
        target: Target,
        plan: Plan,
        times: ClientTimes,
        max_results: u64,
        now: Time,
    ) -> Result<Self, BadPlan> {
        let mut client = Self {
            key,
            target,
            times,
            submit: Vec::new(),
            command: None,
            wants_results: true,
            max_results,
            stage: Stage::Connecting,
            channel: None,
            down_since: Some(now),
            cause: "no answer".to_owned(),
            tries: 0,
            met: false,
            standing: Standing::New,
            sender: None,
            unsendable: None,
            receiver: None,
            queries: 0,
            story: story::Story::new(1, now),
            end: None,
            wish: None,
            out: VecDeque::from([ClientEffect::Show(Show::Connecting), ClientEffect::Connect]),
        };
        client.plan(plan, now)?;
        Ok(client)
    }

    fn plan(&mut self, plan: Plan, now: Time) -> Result<(), BadPlan> {
        match plan {
            Plan::Submit { job, files } => {
                let (count, bytes) = (files.len() as u32, total(&files));
                self.submit = Submission { job: *job, files: count, bytes }.frames()?;
                self.sender = Some(Sender::new(TransferId::FILES, files)?);
            }
            Plan::Attach { from_seq, results } => {
                self.standing = Standing::Accepted;
                self.wants_results = results;
                self.story = story::Story::new(from_seq, now);
            }
            Plan::Command(wish) => {
                self.standing = Standing::Accepted;
                self.command = Some(wish);
            }
        }
        Ok(())
    }

    /// Takes one input.
    pub fn handle(&mut self, input: ClientInput, now: Time) {
        if self.stage == Stage::Finished {
            return;
        }
        match input {
            ClientInput::LinkUp { link, binding, nonce } => self.link_up(link, binding, nonce, now),
            ClientInput::ConnectFailed { cause, chance } => self.connect_failed(cause, chance, now),
            ClientInput::WorkerLost { for_ms } => self.worker_lost(for_ms),
            ClientInput::Control { link, text } if self.is_current(link) => self.control(&text, now),
            ClientInput::Bulk { link, data } if self.is_current(link) => self.bulk(&data, now),
            ClientInput::BulkTaken { link, count } if self.is_current(link) => {
                if let Some(sender) = &mut self.sender {
                    sender.taken(count, now);
                }
            }
            ClientInput::LinkDown { link, cause, chance } => self.link_down(link, cause, chance, now),
            ClientInput::Disk(answer) => self.disk(answer, now),
            ClientInput::Wish(wish) => self.wish(wish, now),
            ClientInput::Leave => {
                self.say_bye(ByeReason::Leaving);
                self.finish(Outcome::Left);
            }
            _ => {}
        }
        self.look_at_time(now);
        self.pump(now);
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<ClientEffect> {
        self.out.pop_front()
    }

    /// When to give [`ClientInput::Tick`].
    pub fn next_timeout(&self) -> Option<Time> {
        let pause = match self.stage {
            Stage::Pausing { until } => Some(until),
            Stage::Finished => return None,
            _ => None,
        };
        let channel = self.channel.as_ref().filter(|_| self.stage == Stage::Linked).map(Channel::next_timeout);
        let sender = self.sender.as_ref().and_then(Sender::stalls_at);
        let receiver = self.receiver.as_ref().and_then(Receiver::next_timeout);
        let ack = self.story.next_timeout().filter(|_| self.is_open());
        [pause, channel, sender, receiver, ack, self.gives_up_at()].into_iter().flatten().min()
    }

    /// Whether the worker has taken the job, as far as is known here.
    pub const fn is_accepted(&self) -> bool {
        matches!(self.standing, Standing::Accepted)
    }

    /// The number of the last event shown: to come back later with [`Plan::Attach`].
    pub const fn last_seq(&self) -> u64 {
        self.story.last_seq()
    }

    fn wish(&mut self, wish: Wish, now: Time) {
        if self.end.is_some() {
            return;
        }
        if self.standing == Standing::New {
            // The worker has never heard of the job: it ends here.
            let cause = Some("ended before the worker had the job".to_owned());
            let state = EndState::Cancelled;
            let terminal = Terminal { state, stopped_early: false, code: None, cause, exit: None, ended_at: now };
            self.say_bye(ByeReason::Done);
            return self.finish(Outcome::Ended { terminal, results: None });
        }
        if self.wish != Some(Wish::Cancel) {
            self.wish = Some(wish);
            self.say_wish();
        }
    }

    fn say_wish(&mut self) {
        match self.wish.or(self.command) {
            Some(Wish::Stop) => self.say(&PeerFrame::Stop),
            Some(Wish::Cancel) => self.say(&PeerFrame::Cancel),
            None => {}
        }
    }

    fn disk(&mut self, answer: DiskAnswer, now: Time) {
        let for_sender =
            matches!(answer, DiskAnswer::Hashed(_) | DiskAnswer::Read { .. } | DiskAnswer::SourceFailed { .. });
        if for_sender {
            if let Some(sender) = &mut self.sender {
                sender.disk(answer, now);
            }
        } else if let Some(receiver) = &mut self.receiver {
            receiver.disk(answer, now);
        }
    }

    /// Carries out what sender and receiver want.
    fn pump(&mut self, now: Time) {
        while let Some(out) = self.sender.as_mut().and_then(Sender::next_out) {
            match out {
                Out::Progress(progress) => self.show(Show::Sending(progress)),
                // The worker ends the job and says so.
                Out::Failed(error) => self.sending_failed(error, now),
                Out::Done(_) => self.sender = None,
                out => self.carry(out),
            }
        }
        while let Some(out) = self.receiver.as_mut().and_then(Receiver::next_out) {
            match out {
                Out::Progress(progress) => self.show(Show::Receiving(progress)),
                Out::Failed(error) => self.results_failed(error),
                Out::Done(root) => self.results_there(root),
                out => self.carry(out),
            }
        }
    }

    fn carry(&mut self, out: Out) {
        match out {
            Out::Say(frame) => self.say(&frame),
            Out::Bulk(data) => self.say_bulk(data),
            Out::Disk(request) => self.out.push_back(ClientEffect::Disk(request)),
            Out::Broken(why) => self.refuse_protocol(&why),
            Out::Progress(_) | Out::Done(_) | Out::Failed(_) => {}
        }
    }

    /// The job's files cannot be sent. If the worker has it, it ends the job; else there is nothing to end.
    fn sending_failed(&mut self, error: TransferError, now: Time) {
        self.sender = None;
        if self.standing != Standing::New {
            self.unsendable = Some(error);
            self.say_unsendable();
            return;
        }
        let (code, cause) = (Some(error.code), Some(error.cause));
        let state = EndState::Failed;
        let terminal = Terminal { state, stopped_early: false, code, cause, exit: None, ended_at: now };
        self.say_bye(ByeReason::Done);
        self.finish(Outcome::Ended { terminal, results: None });
    }

    fn say_unsendable(&mut self) {
        if let Some(TransferError { code, cause, told: false }) = self.unsendable.clone() {
            self.say(&PeerFrame::TransferFailed { transfer: TransferId::FILES, code, cause });
        }
    }

    fn results_failed(&mut self, error: TransferError) {
        self.receiver = None;
        if !error.told {
            let (code, cause) = (error.code, error.cause.clone());
            self.say(&PeerFrame::TransferFailed { transfer: TransferId::RESULTS, code, cause });
        }
        self.over(Some(Err(error)));
    }

    fn results_there(&mut self, root: Hash) {
        self.receiver = None;
        self.over(Some(Ok(root)));
    }

    /// Leaves after the job's end.
    fn over(&mut self, results: Option<Result<Hash, TransferError>>) {
        let Some(terminal) = self.end.clone() else { return };
        self.say_bye(ByeReason::Done);
        self.finish(Outcome::Ended { terminal, results });
    }

    fn show(&mut self, show: Show) {
        self.out.push_back(ClientEffect::Show(show));
    }

    fn finish(&mut self, outcome: Outcome) {
        if self.stage == Stage::Finished {
            return;
        }
        self.stage = Stage::Finished;
        self.sender = None;
        self.receiver = None;
        self.out.push_back(ClientEffect::Finished(outcome));
    }
}
