//! The world goes on: steps, conditions, and what must hold in the end.

use std::collections::VecDeque;

use sleap_rtc_session::{ClientInput, JobRecord, Outcome, Plan, Show, WorkerInput};
use sleap_rtc_wire::job::{EndState, JobEvent, Phase, What};
use sleap_rtc_wire::peer::PeerFrame;

use crate::fixtures::new_client;
use crate::world::{Answer, Flow, Message, World};

impl World {
    /// One thing happens: a message arrives, the trainer says a word, or time passes to the next alarm.
    pub(crate) fn step(&mut self) -> bool {
        self.drain();
        if self.answer_late() {
            return true;
        }
        if let Some(word) = self.trainer.pop_front() {
            self.worker_input(word);
            self.deliver();
            return true;
        }
        if self.deliver() || self.late.as_ref().is_some_and(|late| !late.answers.is_empty() || !late.writes.is_empty())
        {
            return true;
        }
        let Some(next) = self.client.next_timeout().into_iter().chain(self.worker.next_timeout()).min() else {
            return false;
        };
        self.now = next.max(self.now);
        self.client.handle(ClientInput::Tick, self.now);
        self.worker.handle(WorkerInput::Tick, self.now);
        self.drain();
        true
    }

    /// Perhaps one of the late answers comes.
    fn answer_late(&mut self) -> bool {
        let Some(late) = &mut self.late else { return false };
        match late.below(4) {
            0 if !late.answers.is_empty() => {
                let index = late.below(late.answers.len());
                match late.answers.swap_remove(index) {
                    Answer::Client(answer) => self.client.handle(answer, self.now),
                    Answer::Worker(answer) => self.worker.handle(answer, self.now),
                }
            }
            1 => {
                let Some((ticket, record)) = late.writes.pop_front() else { return false };
                self.write(ticket, record);
            }
            _ => return false,
        }
        self.drain();
        true
    }

    /// Steps until `done`, or fails the test.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..20_000 {
            if done(self) {
                return;
            }
            if !self.step() {
                break;
            }
        }
        assert!(done(self), "never: {what}; outcome {:?}, ends {:?}, facts {:?}", self.outcome, self.ends, self.facts);
    }

    pub(crate) fn finish(&mut self) -> Outcome {
        self.until("the client finishes", |world| world.outcome.is_some());
        self.outcome.clone().unwrap()
    }

    /// The events that the client was shown.
    pub(crate) fn events(&self) -> Vec<JobEvent> {
        let event = |show: &Show| if let Show::Event(event) = show { Some(event.clone()) } else { None };
        self.shows.iter().filter_map(event).collect()
    }

    pub(crate) fn shown_ends(&self) -> usize {
        self.events().iter().filter(|event| matches!(event.what, What::End { .. })).count()
    }

    pub(crate) fn recorded_ends(&self) -> usize {
        self.records.iter().filter(|record| matches!(record, JobRecord::Ended { .. })).count()
    }

    pub(crate) fn frames(&self, to_worker: bool) -> Vec<PeerFrame> {
        let text = |(way, text): &(bool, String)| (*way == to_worker).then(|| PeerFrame::decode(text).unwrap());
        self.said.iter().filter_map(text).collect()
    }

    /// Everything that must hold after a job that went well, however often it was cut.
    pub(crate) fn assert_completed(&mut self) {
        let outcome = self.finish();
        let Outcome::Ended { terminal, results: Some(Ok(_)) } = outcome else { panic!("{outcome:?}") };
        assert_eq!(terminal.state, EndState::Completed);
        assert_eq!(self.worker_disk.made, self.client_disk.source, "the worker has the client's files");
        assert_eq!(self.client_disk.made, self.worker_disk.source, "the client has the results");
        assert_eq!((self.runs, self.taken, self.ends.len()), (1, 1, 1), "one run, one end");
        assert_eq!(self.recorded_ends(), 1);
        assert_eq!(self.shown_ends(), 1);
        let numbers: Vec<u64> = self.events().iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "each event once, in order");
    }
    pub(crate) fn shown_phase(&self, phase: Phase) -> bool {
        self.events().iter().any(|event| event.what == What::Phase { phase })
    }

    /// A second program of the owner makes a link while the first one's is up, and says all it has to say. It is the client
    /// from now on.
    pub(crate) fn second_link(&mut self, plan: Plan) {
        let first = self.link.take();
        let earlier = std::mem::replace(&mut self.client, new_client(plan, self.now));
        let shows = std::mem::take(&mut self.shows);
        self.drain();
        while self.deliver() {}
        if let (Some((link, _)), false) = (&first, self.outcome.is_some()) {
            self.worker.handle(WorkerInput::LinkDown { link: *link }, self.now);
        } else {
            self.link = first;
            self.client = earlier;
            self.shows = shows;
        }
        self.drain();
    }
}

impl Flow {
    pub(crate) fn is_empty(&self) -> bool {
        self.to_worker.is_empty() && self.to_client.is_empty()
    }
}

impl World {
    /// Steps while no bulk message arrives.
    pub(crate) fn hold_bulk(&mut self, mut done: impl FnMut(&Self) -> bool) {
        let mut held = Vec::new();
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            if let Some((_, flow)) = &mut self.link {
                let (bulk, control) = std::mem::take(&mut flow.to_worker)
                    .into_iter()
                    .partition(|message| matches!(message, Message::Bulk(_)));
                flow.to_worker = control;
                let bulk: VecDeque<Message> = bulk;
                held.extend(bulk);
            }
            self.step();
        }
        panic!("never");
    }

    /// Steps while nothing arrives at all.
    pub(crate) fn go_silent(&mut self, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            if let Some((_, flow)) = &mut self.link {
                flow.to_worker.clear();
                flow.to_client.clear();
            }
            self.step();
        }
        panic!("never");
    }
}
