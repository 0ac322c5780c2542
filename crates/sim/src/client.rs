//! Our client: a user who wants a job done, a real half of the signaling, the real half of one job.

use sleap_rtc_session::pool_client::{CallId, ClaimRequest, Effect, Fact, Failure, Input, PoolClient, Setup};
use sleap_rtc_session::pool_line::FirstTry;
use sleap_rtc_session::{ClientError, ClientInput, ClientTimes, JobClient, Outcome, Plan, Target};
use sleap_rtc_wire::claim::Reason;
use sleap_rtc_wire::peer::Wish;
use sleap_rtc_wire::{Filters, JobId, Metadata, RoomId};

use crate::event::Event;
use crate::seen::Note;
use crate::world::{World, member};

/// How long a claim may stay unused, as `train` asks for, ms.
const LEASE_MS: u64 = 90_000;

/// What a client's process leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    jobs: u32,
    /// The job that is not over.
    pub(crate) open: Option<OpenJob>,
}

/// A job that a user has begun.
#[derive(Clone, Debug)]
pub(crate) struct OpenJob {
    pub(crate) job: JobId,
    pub(crate) attempt: u32,
    pub(crate) room: RoomId,
    /// Where it is, once it is accepted.
    pub(crate) target: Option<Target>,
}

/// A run of the client's program.
pub(crate) struct Process {
    pub(crate) pool: PoolClient,
    pub(crate) session: Option<JobClient>,
    /// The claim that is asked for.
    claiming: Option<CallId>,
    /// The link that is asked for.
    pub(crate) making: Option<CallId>,
    /// The link that the answer has made, until it is up.
    pub(crate) rising: Option<usize>,
    pub(crate) link: Option<usize>,
    pub(crate) calls: u64,
    /// The offer that is open has a claim in it.
    pub(crate) offered_claim: bool,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("claiming", &self.claiming).finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn start_client(&mut self, who: usize) {
        let now = self.nodes[who].clock.at(self.now);
        let place = &self.places[self.nodes[who].room];
        let (room_id, token) = (place.id.clone(), Some(place.token.clone()));
        let first = if self.random.one_in(4) { FirstTry::Once } else { FirstTry::KeepTrying };
        let metadata = Metadata::default();
        let setup = Setup { peer_id: self.peer_id(who), room_id: room_id.clone(), token, metadata, first };
        let pool = PoolClient::new(setup, now);
        let (session, claiming, making, rising, link) = (None, None, None, None, None);
        let mut process = Process { pool, session, claiming, making, rising, link, calls: 0, offered_claim: false };
        let desk = &mut self.nodes[who].desk;
        let open = desk.open.take().filter(|open| open.room == room_id && self.random.below(4) > 0);
        if let Some((open, target)) =
            open.clone().and_then(|open| Some((open.target.clone()?, open))).map(|(t, o)| (o, t))
        {
            self.seen.note(Note::ClientAttach);
            let key = member(self.nodes[who].member).key.clone();
            let (plan, times) = (Plan::Attach { from_seq: 1, results: true }, self.times());
            let target = Target { me: self.peer_id(who), ..target };
            process.session = JobClient::new(key, target, plan, times, u64::MAX, now).ok();
            process.pool.handle(Input::JobRuns(true), now, 0);
            self.nodes[who].desk.open = Some(open);
        } else {
            let open = open.unwrap_or_else(|| {
                let desk = &mut self.nodes[who].desk;
                desk.jobs += 1;
                let job = JobId::new(&format!("job{who}-{}", desk.jobs)).unwrap_or_else(|_| unreachable!("a valid id"));
                OpenJob { job, attempt: 1, room: room_id, target: None }
            });
            self.nodes[who].desk.open = Some(open);
        }
        if process.session.is_none() {
            self.ask(who, &mut process);
        }
        self.nodes[who].client = Some(Box::new(process));
        self.tend_client(who);
    }

    pub(crate) fn times(&self) -> ClientTimes {
        ClientTimes { connect_ms: 60_000, lost_ms: self.plan.knobs.lost_ms }
    }

    /// Asks for a worker.
    pub(crate) fn ask(&mut self, who: usize, process: &mut Process) {
        let now = self.nodes[who].clock.at(self.now);
        let wait_ms = *self.random.pick(&[0, 20_000, 600_000, 600_000, 1_800_000]);
        let filters = match self.random.below(4) {
            0 => serde_json::json!({"properties": {"gpu_memory_mb": {"$gte": 16_384}}}),
            1 => serde_json::json!({"tags": ["a100"]}),
            _ => serde_json::Value::Null,
        };
        let count = if self.random.one_in(12) { 2 } else { 1 };
        let Some(open) = self.nodes[who].desk.open.clone() else { return };
        let request = ClaimRequest {
            filters: Filters::parse(filters).unwrap_or_default(),
            count,
            wait_ms,
            lease_ms: LEASE_MS,
            job_id: open.job,
            attempt: open.attempt,
        };
        process.calls += 1;
        let call = CallId(process.calls);
        process.claiming = Some(call);
        process.pool.handle(Input::Claim { call, request }, now, 0);
    }

    pub(crate) fn client_input(&mut self, who: usize, input: Input) {
        let (now, chance) = (self.nodes[who].clock.at(self.now), self.random.next());
        if let Some(process) = self.nodes[who].client.as_deref_mut() {
            process.pool.handle(input, now, chance);
            self.tend_client(who);
        }
    }

    pub(crate) fn session_input(&mut self, who: usize, input: ClientInput) {
        let now = self.nodes[who].clock.at(self.now);
        let session = self.nodes[who].client.as_deref_mut().and_then(|process| process.session.as_mut());
        if let Some(session) = session {
            session.handle(input, now);
            self.tend_client(who);
        }
    }

    pub(crate) fn wake_client(&mut self, who: usize) -> bool {
        let (now, chance) = (self.nodes[who].clock.at(self.now), self.random.next());
        let Some(process) = self.nodes[who].client.as_deref_mut() else { return false };
        let mut any = false;
        if process.pool.next_timeout().is_some_and(|at| at <= now) {
            process.pool.handle(Input::Tick, now, chance);
            any = true;
        }
        if let Some(session) =
            process.session.as_mut().filter(|session| session.next_timeout().is_some_and(|at| at <= now))
        {
            session.handle(ClientInput::Tick, now);
            any = true;
        }
        self.tend_client(who);
        any
    }

    /// Carries out everything that the process wants, and sets its alarm.
    pub(crate) fn tend_client(&mut self, who: usize) {
        let Some(mut process) = self.nodes[who].client.take() else { return };
        let mut goes_on = true;
        loop {
            if let Some(effect) = process.pool.next_effect() {
                goes_on &= self.client_effect(who, &mut process, effect);
            } else if let Some(effect) = process.session.as_mut().and_then(JobClient::next_effect) {
                goes_on &= self.session_effect(who, &mut process, effect);
            } else {
                break;
            }
        }
        let next = [process.pool.next_timeout(), process.session.as_ref().and_then(JobClient::next_timeout)];
        self.nodes[who].client = Some(process);
        if goes_on {
            self.alarm(who, next.into_iter().flatten().min());
        } else {
            self.client_ends(who);
        }
    }

    /// The user has what it wants, or gives up; after a while comes the next.
    pub(crate) fn client_ends(&mut self, who: usize) {
        let now = self.nodes[who].clock.at(self.now);
        if let Some(process) = self.nodes[who].client.as_deref_mut() {
            process.pool.handle(Input::Leave, now, 0);
            while let Some(effect) =
                self.nodes[who].client.as_deref_mut().and_then(|process| process.pool.next_effect())
            {
                match effect {
                    Effect::Send(frame) => self.send(who, frame),
                    Effect::Disconnect => self.disconnect(who),
                    _ => {}
                }
            }
        }
        self.end_process(who);
        // Who has a job that is not over comes back for it soon.
        let soon = self.nodes[who].desk.open.is_some();
        let longest = *self.random.pick(if soon { &[500, 5_000, 20_000] } else { &[500, 20_000, 200_000] });
        let at = self.now + self.random.between(100, longest);
        self.queue.push(at, Event::Start { who });
    }

    /// `false`: the process ends.
    fn client_effect(&mut self, who: usize, process: &mut Process, effect: Effect) -> bool {
        match effect {
            Effect::Connect { fresh } => self.connect(who, fresh),
            Effect::Disconnect => self.disconnect(who),
            Effect::Send(frame) => self.send(who, frame),
            Effect::ClaimDone { call, outcome } if process.claiming == Some(call) => {
                process.claiming = None;
                return match outcome {
                    Ok(claimed) => self.begin(who, process, claimed),
                    Err(failure) => self.no_worker(who, &failure),
                };
            }
            Effect::OfferDone { call, outcome } if process.making == Some(call) => {
                process.making = None;
                let link = outcome.ok().and_then(|sdp| sdp.strip_prefix("answer-")?.parse::<usize>().ok());
                match link {
                    Some(link) if !self.links[link].cut => {
                        process.rising = Some(link);
                        self.raise_link(link);
                    }
                    // With a claim in the offer, a failed offer has given the claim back: no further try can do.
                    _ if process.offered_claim => return self.unreachable(who, process),
                    _ => self.not_made(who, process),
                }
            }
            Effect::Report(Fact::Waiting(waiting)) => self.seen.note(Note::of_reason(waiting.reason)),
            Effect::GiveUp(_) => return process.session.is_some() && process.link.is_some(),
            Effect::ClaimDone { .. } | Effect::OfferDone { .. } | Effect::DiscoverDone { .. } | Effect::Report(_) => {}
        }
        true
    }

    fn no_worker(&mut self, who: usize, failure: &Failure) -> bool {
        if let Failure::Refused(refused) = failure {
            self.seen.note(Note::of_reason(refused.reason));
        }
        // `train` says so and ends; its user may try again.
        let runs = matches!(failure, Failure::Refused(refused) if refused.reason == Reason::JobRuns);
        if !runs || self.random.one_in(4) {
            self.nodes[who].desk.open = None;
        }
        false
    }

    /// `train` says that it did not come to the worker.
    fn unreachable(&mut self, who: usize, process: &mut Process) -> bool {
        let cause = "no link".to_owned();
        self.finished(who, process, Outcome::Failed(ClientError::Unreachable { cause }))
    }

    pub(crate) fn not_made(&mut self, who: usize, process: &mut Process) {
        let (now, chance) = (self.nodes[who].clock.at(self.now), self.random.next() as u32);
        if let Some(session) = &mut process.session {
            session.handle(ClientInput::ConnectFailed { cause: "no link".to_owned(), chance }, now);
        }
    }

    /// The user wants something of the running job.
    pub(crate) fn client_wish(&mut self, who: usize, wish: Wish) {
        if self.nodes[who].client.as_deref().is_some_and(|process| process.session.is_some()) {
            self.seen.note(if wish == Wish::Cancel { Note::Cancel } else { Note::Stop });
            self.session_input(who, ClientInput::Wish(wish));
        }
    }

    /// The user goes: a job that runs goes on.
    pub(crate) fn client_leaves(&mut self, who: usize) {
        let now = self.nodes[who].clock.at(self.now);
        let Some(process) = self.nodes[who].client.as_deref_mut() else { return };
        self.seen.note(Note::ClientLeaves);
        if let Some(call) = process.claiming.take() {
            process.pool.handle(Input::Abandon { call }, now, 0);
        }
        if process.session.is_none() {
            self.nodes[who].desk.open = None;
        } else {
            return self.session_input(who, ClientInput::Leave);
        }
        self.client_ends(who);
    }
}
