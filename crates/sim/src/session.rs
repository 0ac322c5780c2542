//! The job of our client: the real half of one job, with what its shell does for it.

use sleap_rtc_session::pool_client::{CallId, Input, Offer};
use sleap_rtc_session::{ClientEffect, ClientError, ClientInput, JobClient, LinkId, Outcome, Plan, Show, Target};
use sleap_rtc_wire::claim::Claimed;
use sleap_rtc_wire::job::{JobSpec, TrainOptions, What};

use crate::client::Process;
use crate::event::DiskDone;
use crate::world::{World, member};

impl World {
    /// A worker is ours: the job goes there.
    pub(crate) fn begin(&mut self, who: usize, process: &mut Process, mut claimed: Vec<Claimed>) -> bool {
        let now = self.nodes[who].clock.at(self.now);
        for more in claimed.split_off(1) {
            process.pool.handle(Input::Release { claim: more.claim_id }, now, 0);
        }
        let (Some(claimed), Some(open)) = (claimed.pop(), self.nodes[who].desk.open.as_mut()) else { return false };
        let Some(worker_key) = claimed.worker_key else { return false };
        let target = Target {
            room: open.room.clone(),
            me: self.peer_id(who),
            worker: claimed.worker,
            worker_key,
            job_id: self.nodes[who].desk.open.as_ref().map_or_else(|| unreachable!(), |open| open.job.clone()),
            attempt: self.nodes[who].desk.open.as_ref().map_or(1, |open| open.attempt),
            claim_id: claimed.claim_id,
            fence: claimed.fence,
        };
        let job = Box::new(spec(&target));
        let key = member(self.nodes[who].member).key.clone();
        let plan = Plan::Submit { job, files: Vec::new() };
        if let Some(open) = &mut self.nodes[who].desk.open {
            open.target = Some(target.clone());
        }
        process.session = JobClient::new(key, target, plan, self.times(), u64::MAX, now).ok();
        process.session.is_some()
    }

    /// `false`: the process ends.
    pub(crate) fn session_effect(&mut self, who: usize, process: &mut Process, effect: ClientEffect) -> bool {
        let now = self.nodes[who].clock.at(self.now);
        match effect {
            ClientEffect::Connect => {
                let Some(target) = self.nodes[who].desk.open.as_ref().and_then(|open| open.target.clone()) else {
                    return false;
                };
                process.calls += 1;
                let call = CallId(process.calls);
                process.making = Some(call);
                let accepted = process.session.as_ref().is_some_and(JobClient::is_accepted);
                process.offered_claim = !accepted;
                let offer = Offer {
                    worker: target.worker,
                    sdp: format!("offer-{who}"),
                    claim: (!accepted).then_some(target.claim_id),
                    job: Some(target.job_id),
                };
                process.pool.handle(Input::Offer { call, offer }, now, 0);
            }
            ClientEffect::Send { link, text } => self.say(link.0 as usize, true, text),
            ClientEffect::Close { link } => self.close_link(link.0 as usize, false),
            ClientEffect::Disk(request) => {
                let at = self.now + self.delay(4);
                self.later(who, at, DiskDone::ClientTransfer { request });
            }
            ClientEffect::Show(Show::Accepted { .. }) => process.pool.handle(Input::JobRuns(true), now, 0),
            ClientEffect::Show(Show::Event(event)) => {
                if let What::End { end } = &event.what {
                    self.heard_end(who, end);
                }
            }
            ClientEffect::SendBulk { .. } | ClientEffect::Show(_) => {}
            ClientEffect::Finished(outcome) => {
                process.session = None;
                return self.finished(who, process, outcome);
            }
        }
        true
    }

    fn heard_end(&mut self, who: usize, end: &sleap_rtc_wire::job::Terminal) {
        let Some(open) = &self.nodes[who].desk.open else { return };
        let (job, attempt) = (open.job.clone(), open.attempt);
        if let Err(violation) = self.model.heard_end(&job, attempt, end, &mut self.seen) {
            self.violate(violation);
        }
    }

    /// `false`: the process ends.
    pub(crate) fn finished(&mut self, who: usize, process: &mut Process, outcome: Outcome) -> bool {
        let now = self.nodes[who].clock.at(self.now);
        match outcome {
            Outcome::Ended { terminal, results } => {
                // Without results from the worker it may be the client's own word for a job that never came there.
                if results.is_some() {
                    self.heard_end(who, &terminal);
                }
                self.nodes[who].desk.open = None;
            }
            // The job goes on, and its user may come back to it.
            Outcome::Left | Outcome::Obeyed { .. } => {}
            // With `--retry`, it is tried elsewhere.
            Outcome::Failed(ClientError::Lost { .. }) => {
                if let Some(open) = self.nodes[who].desk.open.as_mut() {
                    (open.attempt, open.target) = (open.attempt + 1, None);
                    process.pool.handle(Input::JobRuns(false), now, 0);
                    self.ask(who, process);
                    return true;
                }
            }
            Outcome::Failed(_) => self.nodes[who].desk.open = None,
        }
        false
    }

    pub(crate) fn client_link_up(&mut self, who: usize, link: usize, input: ClientInput) {
        let Some(process) = self.nodes[who].client.as_deref_mut().filter(|process| process.rising == Some(link)) else {
            return self.close_link(link, false);
        };
        process.rising = None;
        process.link = Some(link);
        self.session_input(who, input);
    }

    pub(crate) fn client_link_down(&mut self, who: usize, link: usize) {
        let chance = self.random.next() as u32;
        let Some(process) = self.nodes[who].client.as_deref_mut() else { return };
        if process.rising.take_if(|rising| *rising == link).is_some() {
            let Some(mut process) = self.nodes[who].client.take() else { return };
            self.not_made(who, &mut process);
            self.nodes[who].client = Some(process);
            return self.tend_client(who);
        }
        process.link.take_if(|one| *one == link);
        let cause = "cut".to_owned();
        self.session_input(who, ClientInput::LinkDown { link: LinkId(link as u64), cause, chance });
    }
}

fn spec(target: &Target) -> JobSpec {
    JobSpec {
        job_id: target.job_id.clone(),
        attempt: target.attempt,
        trainer: "sleap-nn".to_owned(),
        run_name: "run".to_owned(),
        labels: "labels.slp".to_owned(),
        val_labels: None,
        videos: Vec::new(),
        stages: Vec::new(),
        options: TrainOptions::default(),
    }
}
