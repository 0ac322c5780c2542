//! What every peer's machine does for the program on it: start it, connect it, wake it, kill it, give it what its disk has done.

use sleap_rtc_session::pool_line::Cause;
use sleap_rtc_session::{
    ClientInput, DiskAnswer, DiskRequest, Grant, JobRecord, WorkerInput, pool_client, pool_worker,
};
use sleap_rtc_wire::job::Terminal;
use sleap_rtc_wire::{FromPeer, PeerId, Time, ToPeer};

use crate::clock::Clock;
use crate::event::{DiskDone, Event};
use crate::plan::{Kind, PeerPlan};
use crate::random::Random;
use crate::seen::Note;
use crate::world::{Node, World, member};

impl Node {
    pub(crate) fn new(plan: &PeerPlan, random: &mut Random) -> Self {
        let offset = random.below(20_001).cast_signed() - 10_000;
        Self {
            kind: plan.kind,
            room: plan.room,
            member: plan.member,
            clock: Clock::new(0, offset, random.below(401).cast_signed() - 200),
            life: 0,
            wire: None,
            attempt: 0,
            blocked_until: 0,
            disk_fails_until: 0,
            dies_writing: None,
            ends_at_end: false,
            wake: None,
            disk_at: 0,
            worker: None,
            client: None,
            rough: None,
            old: None,
            disk: crate::worker::Disk::default(),
            desk: crate::client::Desk::default(),
        }
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.worker.is_some() || self.client.is_some() || self.rough.is_some() || self.old.is_some()
    }
}

impl World {
    pub(crate) fn start(&mut self, who: usize) {
        let ended = self.closing || self.over && self.nodes[who].kind != Kind::Worker;
        if self.nodes[who].is_running() || ended {
            return;
        }
        let ppm = self.random.below(401).cast_signed() - 200;
        let offset = self.random.below(20_001).cast_signed() - 10_000;
        let node = &mut self.nodes[who];
        node.life += 1;
        node.clock = Clock::new(self.now, offset, ppm);
        node.wake = None;
        match node.kind {
            Kind::Worker => self.start_worker(who),
            Kind::Client => self.start_client(who),
            Kind::Plain | Kind::Rough => self.start_rough(who),
            Kind::OldWorker | Kind::OldClient => self.start_old(who),
        }
    }

    /// The process is gone, in whatever it was.
    pub(crate) fn end_process(&mut self, who: usize) {
        self.drop_everything(who);
        let node = &mut self.nodes[who];
        // Nothing that is on its way to this process counts any more.
        node.life += 1;
        node.wake = None;
        if node.worker.take().is_some() {
            self.model.trainer_ends(who);
        }
        node.client = None;
        node.rough = None;
        node.old = None;
    }

    /// Wakes the machine at this time of its clock, if it is not woken before.
    pub(crate) fn alarm(&mut self, who: usize, next: Option<Time>) {
        let Some(next) = next else { return };
        let node = &mut self.nodes[who];
        let at = node.clock.when(next, self.now);
        if node.wake.is_none_or(|planned| at < planned) {
            node.wake = Some(at);
            let life = node.life;
            self.queue.push(at, Event::Wake { who, life, at });
        }
    }

    pub(crate) fn wake(&mut self, who: usize, life: u32, at: u64) -> bool {
        let node = &mut self.nodes[who];
        if node.life != life || node.wake != Some(at) {
            return false;
        }
        node.wake = None;
        match node.kind {
            Kind::Worker => self.wake_worker(who),
            Kind::Client => self.wake_client(who),
            Kind::Plain | Kind::Rough | Kind::OldWorker | Kind::OldClient => false,
        }
    }

    /// The machine tries to reach the server.
    pub(crate) fn connect(&mut self, who: usize, fresh: bool) {
        let node = &mut self.nodes[who];
        node.attempt += 1;
        let (life, attempt) = (node.life, node.attempt);
        let event = if node.blocked_until > self.now + 10_000 {
            self.queue.push(self.now + 10_000, Event::Shut { who, life, attempt });
            return;
        } else {
            Event::Knock { who, life, attempt, fresh }
        };
        let at = self.now.max(self.nodes[who].blocked_until) + self.delay(60);
        self.queue.push(at, event);
    }

    /// Somebody knocks: signs in, and gets a socket.
    pub(crate) fn knock(&mut self, who: usize, life: u32, attempt: u32, fresh: bool) {
        let at = self.now + self.delay(60);
        let servers: Vec<usize> = (0..self.servers.len()).filter(|server| self.servers[*server].alive).collect();
        if servers.is_empty() || self.store.down_until > self.now || self.nodes[who].life != life {
            return self.queue.push(at, Event::Shut { who, life, attempt });
        }
        let server = *self.random.pick(&servers);
        self.sign_in_of(who, fresh);
        let wire = self.new_wire(who, server);
        self.queue.push(at, Event::Open { who, life, attempt, wire });
    }

    fn sign_in_of(&mut self, who: usize, fresh: bool) {
        let node = &self.nodes[who];
        if node.rough.as_deref().is_some_and(|process| process.anonymous) {
            return self.sign_in_anonymous(who, fresh);
        }
        let member = member(node.member);
        self.sign_in(&member.id, Some(member.public));
    }

    /// What the program shows as its id token.
    pub(crate) fn id_token(&self, who: usize) -> String {
        let node = &self.nodes[who];
        let anonymous = node.rough.as_deref().and_then(|process| process.identity.as_ref());
        anonymous.unwrap_or(&member(node.member).id).as_str().to_owned()
    }

    pub(crate) fn opened(&mut self, who: usize, life: u32, attempt: u32, wire: usize) {
        let node = &mut self.nodes[who];
        if node.life != life || node.attempt != attempt {
            // The program does not want it any more: the machine closes it.
            return self.close_up(wire);
        }
        node.wire = Some(wire);
        let id_token = Some(self.id_token(who));
        match self.nodes[who].kind {
            Kind::Worker => self.worker_input(who, pool_worker::Input::Connected { id_token }),
            Kind::Client => self.client_input(who, pool_client::Input::Connected { id_token }),
            Kind::Plain | Kind::Rough => self.rough_connected(who),
            Kind::OldWorker | Kind::OldClient => self.old_registers(who),
        }
    }

    pub(crate) fn shut(&mut self, who: usize, life: u32, attempt: u32) {
        if self.nodes[who].life != life || self.nodes[who].attempt != attempt {
            return;
        }
        let cause = Cause::Unreachable("no answer".to_owned());
        match self.nodes[who].kind {
            Kind::Worker => self.worker_input(who, pool_worker::Input::ConnectFailed(cause)),
            Kind::Client => self.client_input(who, pool_client::Input::ConnectFailed(cause)),
            Kind::Plain | Kind::Rough => self.rough_lost(who),
            Kind::OldWorker | Kind::OldClient => self.old_lost(who),
        }
    }

    /// The program drops its socket, or the try to open one.
    pub(crate) fn disconnect(&mut self, who: usize) {
        self.nodes[who].attempt += 1;
        if let Some(wire) = self.nodes[who].wire.take() {
            self.close_up(wire);
        }
    }

    pub(crate) fn send(&mut self, who: usize, frame: FromPeer) {
        if let Some(wire) = self.nodes[who].wire {
            self.send_up(wire, frame);
        }
    }

    /// A frame arrives at a peer.
    pub(crate) fn down(&mut self, wire: usize, frame: ToPeer) -> bool {
        let who = self.wires[wire].who;
        if self.wires[wire].cut || self.nodes[who].wire != Some(wire) || self.nodes[who].life != self.wires[wire].life {
            return false;
        }
        if matches!(self.nodes[who].kind, Kind::OldWorker | Kind::OldClient) {
            self.old_hears(who, frame);
            return true;
        }
        let frame = match frame {
            ToPeer::Relayed(text) => ToPeer::decode(&text).unwrap_or(ToPeer::Unknown),
            frame => frame,
        };
        match self.nodes[who].kind {
            Kind::Worker => self.worker_hears(who, frame),
            Kind::Client => self.client_input(who, pool_client::Input::Frame(frame)),
            Kind::Plain | Kind::Rough => self.rough_hears(who, frame),
            // Heard above.
            Kind::OldWorker | Kind::OldClient => {}
        }
        true
    }

    pub(crate) fn peer_hears(&mut self, wire: usize) {
        let who = self.wires[wire].who;
        if self.nodes[who].wire != Some(wire) || self.nodes[who].life != self.wires[wire].life {
            return;
        }
        self.nodes[who].wire = None;
        let replaced = self.wires[wire].replaced;
        let cause = if replaced { Cause::Replaced } else { Cause::Closed("cut".to_owned()) };
        match self.nodes[who].kind {
            Kind::Worker => self.worker_input(who, pool_worker::Input::Disconnected(cause)),
            Kind::Client => self.client_input(who, pool_client::Input::Disconnected(cause)),
            Kind::Plain | Kind::Rough => self.rough_lost(who),
            Kind::OldWorker | Kind::OldClient => self.old_lost(who),
        }
    }

    pub(crate) fn later(&mut self, who: usize, at: u64, done: DiskDone) {
        let node = &mut self.nodes[who];
        let life = node.life;
        // A disk does one thing after the other.
        node.disk_at = node.disk_at.max(at);
        self.queue.push(node.disk_at, Event::Disk { who, life, done });
    }

    pub(crate) fn disk_done(&mut self, who: usize, life: u32, done: DiskDone) -> bool {
        if self.nodes[who].life != life {
            self.torn(who, &done);
            return false;
        }
        match done {
            DiskDone::Fence { room, seen, good, early } => {
                let (fence, cause) = (seen.fence, "disk full".to_owned());
                if !good {
                    self.seen.note(Note::DiskFails);
                } else if !early {
                    self.keep(who, room, seen);
                }
                let bad = pool_worker::Input::FenceFailed { fence, cause };
                self.worker_input(who, if good { pool_worker::Input::FencePersisted(fence) } else { bad });
            }
            DiskDone::Record { job, ticket, line, good } => {
                if good {
                    self.recorded(who, &job, &line);
                    self.job_input(who, &job, WorkerInput::Recorded { ticket });
                } else {
                    self.seen.note(Note::DiskFails);
                    let cause = "disk full".to_owned();
                    self.job_input(who, &job, WorkerInput::RecordFailed { ticket, cause });
                }
            }
            DiskDone::Accepted { job } => self.take_slot(who, &job),
            DiskDone::Transfer { job, request } => {
                if let Some(answer) = answer_of(&request) {
                    self.job_input(who, &job, WorkerInput::Disk(answer));
                }
            }
            DiskDone::Listed { job } => self.job_input(who, &job, WorkerInput::Results(Vec::new())),
            DiskDone::ClientTransfer { request } => {
                if let Some(answer) = answer_of(&request) {
                    self.session_input(who, ClientInput::Disk(answer));
                }
            }
        }
        true
    }

    /// A line of a job's record is on the disk. Lines of a new attempt replace what an earlier one left.
    fn recorded(&mut self, who: usize, job: &sleap_rtc_wire::JobId, line: &str) {
        let record: Result<JobRecord, _> = serde_json::from_str(line);
        let bytes = self.nodes[who].disk.records.entry(job.clone()).or_default();
        match record {
            Ok(JobRecord::Accepted { .. }) => bytes.clear(),
            Ok(JobRecord::Ended { terminal, .. }) => {
                if let Err(violation) = crate::model::Model::recorded_end(who, job, bytes, &terminal) {
                    self.broken.get_or_insert(violation);
                }
            }
            _ => {}
        }
        self.nodes[who].disk.records.entry(job.clone()).or_default().extend_from_slice(line.as_bytes());
    }

    /// The process died while this was being written: nothing of it is there, or a part.
    fn torn(&mut self, who: usize, done: &DiskDone) {
        let DiskDone::Record { job, line, good: true, .. } = done else { return };
        let part = self.random.index(line.len());
        // A line that is being added to a record; the very first one makes the file.
        if part > 0 && self.nodes[who].worker.is_none() {
            self.seen.note(Note::TornRecord);
            let bytes = self.nodes[who].disk.records.entry(job.clone()).or_default();
            bytes.extend_from_slice(&line.as_bytes()[..part]);
        }
    }

    /// A job is over, and the room and whoever watches are told.
    pub(crate) fn ended(&mut self, who: usize, grant: &Grant, terminal: &Terminal) {
        self.seen.note(Note::JobEnded);
        if let Err(violation) = self.model.ended(who, grant, terminal) {
            self.violate(violation);
        }
    }

    pub(crate) fn trainer_starts(&mut self, who: usize, grant: &Grant, run: u32) {
        if let Err(violation) = self.model.trainer_starts(who, grant, &mut self.seen) {
            self.violate(violation);
        }
        let life = self.nodes[who].life;
        let longest = *self.random.pick(&[5_000, 40_000, 300_000, self.plan.knobs.lost_ms * 4]);
        let takes = self.random.between(1_000, longest);
        let event = |ends| Event::Trainer { who, life, job: grant.job_id.clone(), run, ends };
        self.queue.push(self.now + takes / 2, event(false));
        self.queue.push(self.now + takes, event(true));
    }

    pub(crate) fn answered(&mut self, who: usize, life: u32, to: PeerId, sdp: String) {
        if self.nodes[who].life == life {
            self.worker_input(who, pool_worker::Input::Answered { to, sdp });
        }
    }
}

/// What a disk says that has no chunks: jobs here have no files, what matters is who may run them.
fn answer_of(request: &DiskRequest) -> Option<DiskAnswer> {
    match request {
        DiskRequest::Query { query, hashes } => {
            Some(DiskAnswer::Have { query: *query, have: vec![true; hashes.len()] })
        }
        DiskRequest::Assemble { .. } => Some(DiskAnswer::Assembled),
        DiskRequest::Read { .. } | DiskRequest::Store { .. } => None,
    }
}
