//! The one end of a job: decided once, recorded, then told.

use sleap_rtc_wire::Time;
use sleap_rtc_wire::job::{EndState, FailCode, Terminal, What};
use sleap_rtc_wire::manifest::FileEntry;
use sleap_rtc_wire::mutation::{self, Mutation};
use sleap_rtc_wire::peer::TransferId;

use super::{Fact, JobWorker, Pending, RECORD_AGAIN_MS, Results, Stage, WorkerEffect};
use crate::events::clean_terminal;
use crate::record::JobRecord;
use crate::transfer::{Sender, TransferError};

/// Why an attempt that a later one replaced is cancelled, for people.
const SUPERSEDED: &str = "a later attempt of this job was granted to another worker";

/// An end that the trainer does not know of yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doom {
    /// The user wants it.
    Cancelled,
    /// A later attempt of the job was granted elsewhere.
    Superseded,
    /// The worker cannot go on.
    Failed { code: FailCode, cause: String },
}

impl JobWorker {
    pub(super) fn fail(&mut self, code: FailCode, cause: String, now: Time) {
        self.finish(failed(code, cause, now), now);
    }

    pub(super) fn cancelled(&mut self, cause: Option<&str>, now: Time) {
        self.finish(terminal(EndState::Cancelled, None, cause.map(str::to_owned), now), now);
    }

    pub(super) fn abort(&mut self, code: FailCode, cause: String, now: Time) {
        if self.stage == Stage::Running {
            self.doom(Doom::Failed { code, cause });
        } else {
            self.fail(code, cause, now);
        }
    }

    /// A later attempt was granted elsewhere: this one is cancelled.
    pub(super) fn superseded(&mut self, now: Time) {
        match self.stage {
            Stage::Running => self.doom(Doom::Superseded),
            // Nobody has brought it: the room's end of the claim is the end of it.
            Stage::Offered => self.withdrawn(),
            _ => self.cancelled(Some(SUPERSEDED), now),
        }
    }

    /// The trainer is to be ended now. A cancel weighs more than a failure; the second of a kind changes nothing.
    pub(super) fn doom(&mut self, doom: Doom) {
        if self.doom.is_none() {
            self.out.push_back(WorkerEffect::Cancel);
        }
        let weighs_more = match (&self.doom, &doom) {
            (None, _) | (Some(Doom::Failed { .. }), Doom::Cancelled | Doom::Superseded) => true,
            (Some(_), _) => false,
        };
        if weighs_more {
            self.doom = Some(doom);
        }
    }

    pub(super) fn trainer_ended(&mut self, mut terminal: Terminal, now: Time) {
        if self.stage != Stage::Running {
            return;
        }
        match self.doom.take() {
            Some(doom @ (Doom::Cancelled | Doom::Superseded)) => {
                let cause = (doom == Doom::Superseded).then(|| SUPERSEDED.to_owned());
                terminal = Terminal { state: EndState::Cancelled, stopped_early: false, code: None, cause, ..terminal };
            }
            // A model that was there first is not thrown away.
            Some(Doom::Failed { code, cause }) if terminal.state != EndState::Completed => {
                terminal = Terminal { state: EndState::Failed, code: Some(code), cause: Some(cause), ..terminal };
            }
            _ => {}
        }
        self.finish(terminal, now);
    }

    /// Ends the job, once.
    fn finish(&mut self, mut terminal: Terminal, now: Time) {
        let over = matches!(self.stage, Stage::Doomed(_) | Stage::Ending { .. } | Stage::Ended(_) | Stage::Forgotten);
        if over && !mutation::on(Mutation::SecondEnd) {
            return;
        }
        self.receiver = None;
        clean_terminal(&mut terminal);
        if self.stage == Stage::Checking {
            self.stage = Stage::Doomed(terminal);
        } else if self.durable || self.stage == Stage::Accepting {
            let seq = self.log.next_seq();
            self.stage = Stage::Ending { terminal, seq };
            self.record_end();
        } else {
            // What was never recorded as accepted needs no recorded end: after a restart nothing of it is known.
            self.conclude(terminal, now);
        }
    }

    fn record_end(&mut self) {
        if let Stage::Ending { terminal, seq } = self.stage.clone() {
            self.again_at = None;
            self.tickets += 1;
            self.records.insert(self.tickets, Pending::Ended);
            let record = Box::new(JobRecord::Ended { terminal, seq });
            self.out.push_back(WorkerEffect::Record { ticket: self.tickets, record });
        }
    }

    /// The end is on the disk, or needs not be: now it is told.
    pub(super) fn conclude(&mut self, mut terminal: Terminal, now: Time) {
        clean_terminal(&mut terminal);
        self.log.push(now, What::End { end: terminal.clone() });
        self.stage = Stage::Ended(terminal.clone());
        self.out.push_back(WorkerEffect::Over { terminal });
        self.note_absence(now);
        if self.ran {
            self.list_results();
        } else {
            self.results_listed(Vec::new());
        }
    }

    pub(super) fn recorded(&mut self, ticket: u64, now: Time) {
        match (self.records.remove(&ticket), &self.stage) {
            (Some(Pending::Accepted), _) => self.taken(now),
            (Some(Pending::Reserved(seq)), _) => self.reserved = self.reserved.max(seq),
            (Some(Pending::Ended), Stage::Ending { terminal, .. }) => {
                let terminal = terminal.clone();
                self.conclude(terminal, now);
            }
            _ => {}
        }
    }

    pub(super) fn record_failed(&mut self, ticket: u64, cause: String, now: Time) {
        let Some(pending) = self.records.remove(&ticket) else { return };
        match (pending, self.stage.clone()) {
            (Pending::Accepted, Stage::Accepting) => {
                let cause = format!("the job could not be recorded: {cause}");
                self.conclude(failed(FailCode::DiskFull, cause, now), now);
            }
            // Nothing of the job is on the disk, so nothing need be before its end is told.
            (Pending::Ended, Stage::Ending { terminal, .. }) if !self.durable => self.conclude(terminal, now),
            (Pending::Ended, Stage::Ending { .. }) => self.again_at = Some(now.plus_ms(RECORD_AGAIN_MS)),
            (Pending::Reserved(_), _) => self.reserving = self.reserved,
            _ => {}
        }
        self.out.push_back(WorkerEffect::Report(Fact::RecordFailed { cause }));
    }

    pub(super) fn record_again(&mut self, now: Time) {
        if self.again_at.is_some_and(|at| now >= at) {
            self.record_end();
        }
    }

    pub(super) fn list_results(&mut self) {
        if matches!(self.results, Results::Unknown) {
            self.results = Results::Asked;
            self.out.push_back(WorkerEffect::ListResults);
        }
    }

    pub(super) fn results_listed(&mut self, files: Vec<FileEntry>) {
        self.results = match Sender::new(TransferId::RESULTS, files) {
            Ok(sender) => Results::Known(Box::new(sender)),
            Err(error) => Results::Broken(TransferError::new(FailCode::Internal, format!("the results: {error}"))),
        };
    }
}

pub(super) fn failed(code: FailCode, cause: String, now: Time) -> Terminal {
    terminal(EndState::Failed, Some(code), Some(cause), now)
}

fn terminal(state: EndState, code: Option<FailCode>, cause: Option<String>, now: Time) -> Terminal {
    Terminal { state, stopped_early: false, code, cause, exit: None, ended_at: now }
}
