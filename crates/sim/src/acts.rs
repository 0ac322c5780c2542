//! What is done to the world: faults, and what people do from outside.

use sleap_rtc_access::{Caller, Person, may_delete_peer, may_delete_room, may_extend};
use sleap_rtc_room::Call;
use sleap_rtc_session::WorkerInput;
use sleap_rtc_session::pool_worker::Input;
use sleap_rtc_wire::MemberId;
use sleap_rtc_wire::job::FailCode;
use sleap_rtc_wire::peer::Wish;
use sleap_rtc_wire::record::{IdentityKind, RoomRecord};

use crate::event::Event;
use crate::plan::{Act, Deed, Kind};
use crate::seen::Note;
use crate::world::{World, member};

impl World {
    pub(crate) fn act(&mut self, act: Act) {
        let Act { deed, who, ms, .. } = act;
        let who = who % self.nodes.len().max(1);
        let until = self.now + ms;
        match deed {
            Deed::KillServer => self.server_dies(ms),
            Deed::SecondServer => self.second_server(ms),
            Deed::StoreDown => self.store.down_until = self.store.down_until.max(until.min(self.now + 90_000)),
            Deed::StoreSlow => {
                self.seen.note(Note::StoreSlow);
                self.store.slow_until = until;
            }
            Deed::Cut => {
                let after = [self.random.between(1, 2_000), self.random.between(1, 2_000)];
                self.cut_of(who, after[0], after[1]);
            }
            Deed::HalfOpen => {
                self.seen.note(Note::HalfOpen);
                self.cut_of(who, ms.clamp(2_000, 60_000), 1);
            }
            Deed::Partition => self.partition(who, ms),
            Deed::SlowNetwork => {
                self.seen.note(Note::SlowNetwork);
                self.slow_until = until.min(self.now + 60_000);
            }
            Deed::CutLink => self.cut_a_link(who),
            Deed::Kill => self.kill(who, ms),
            Deed::KillWriting => self.nodes[who].dies_writing = Some(ms),
            Deed::Lose => self.lose(who, ms),
            Deed::DiskFails => self.nodes[who].disk_fails_until = until,
            // Half of them in the very moment in which a job ends.
            Deed::EndNow if ms.is_multiple_of(2) => self.nodes[who].ends_at_end = true,
            Deed::EndNow => self.end_now(who),
            Deed::Drain => {
                if self.nodes[who].worker.is_some() {
                    self.seen.note(Note::Drain);
                    self.worker_input(who, Input::Drain);
                }
            }
            Deed::Cancel => self.client_wish(who, Wish::Cancel),
            Deed::Stop => self.client_wish(who, Wish::Stop),
            Deed::Leave => self.client_leaves(who),
            Deed::Extend => self.extend(who),
            Deed::DeleteRoom => self.delete_room(who, ms),
            Deed::DeletePeer => self.delete_peer(who),
            Deed::Assign => self.assign(who),
        }
    }

    fn server_dies(&mut self, ms: u64) {
        let Some(server) = self.server() else { return };
        self.seen.note(Note::ServerCrash);
        self.kill_server(server);
        // Its machine's clock may be set back meanwhile, by a little.
        let offset_ms = self.random.below(4_001).cast_signed() - 2_000;
        self.queue.push(self.now + ms.clamp(200, 60_000), Event::Serve { offset_ms });
    }

    fn second_server(&mut self, ms: u64) {
        let alive = self.servers.iter().filter(|server| server.alive).count();
        let (Some(server), 1) = (self.server(), alive) else { return };
        self.seen.note(Note::SecondServer);
        self.servers[server].deposed = true;
        self.model.two_servers = true;
        self.serve(0);
        self.queue.push(self.now + 1_000, Event::Flap { server });
        self.queue.push(self.now + ms.clamp(30_000, 300_000), Event::EndSecond { server });
    }

    pub(crate) fn flap(&mut self, server: usize) -> bool {
        if !self.servers[server].alive || self.calm {
            return false;
        }
        let wires: Vec<usize> = self.nodes.iter().filter_map(|node| node.wire).collect();
        if !wires.is_empty() {
            let wire = *self.random.pick(&wires);
            let after = self.random.between(1, 500);
            self.cut_wire(wire, after, after);
        }
        let at = self.now + self.random.between(500, 8_000);
        self.queue.push(at, Event::Flap { server });
        true
    }

    pub(crate) fn end_now(&mut self, who: usize) {
        let Some(process) = self.nodes[who].worker.as_deref() else { return };
        self.seen.note(Note::EndNow);
        for job in process.jobs.keys().cloned().collect::<Vec<_>>() {
            let cause = "the worker was ended by its owner".to_owned();
            self.job_input(who, &job, WorkerInput::Abort { code: FailCode::WorkerLost, cause });
        }
        self.worker_input(who, Input::Drain);
    }

    /// The next worker on which a job runs is not heard of until it counts as lost.
    fn lose(&mut self, who: usize, ms: u64) {
        let count = self.nodes.len();
        let next = (0..count).map(|more| (who + more) % count).find(|who| self.model.runs(*who));
        if let Some(who) = next.filter(|_| self.plan.knobs.lost_ms < 300_000) {
            self.partition(who, self.plan.knobs.lost_ms + 60_000 + ms.min(120_000));
        }
    }

    pub(crate) fn ends_now(&mut self, who: usize, life: u32) {
        if self.nodes[who].life == life {
            self.end_now(who);
        }
    }

    pub(crate) fn dies(&mut self, who: usize, life: u32, ms: u64) {
        if self.nodes[who].life == life {
            self.kill(who, ms);
        }
    }

    pub(crate) fn end_second(&mut self, server: usize) {
        if self.servers[server].alive {
            self.kill_server(server);
        }
    }

    fn cut_of(&mut self, who: usize, server_after: u64, peer_after: u64) {
        if let Some(wire) = self.nodes[who].wire {
            self.seen.note(Note::WireCut);
            self.cut_wire(wire, server_after, peer_after);
        }
    }

    fn cut_a_link(&mut self, who: usize) {
        let of = |link: &crate::network::Link| !link.cut && (link.client == who || link.worker == who);
        if let Some(link) = self.links.iter().rposition(of) {
            self.seen.note(Note::LinkCut);
            let after = [self.random.between(1, 40_000), self.random.between(1, 40_000)];
            self.cut_link(link, after);
        }
    }

    fn kill(&mut self, who: usize, ms: u64) {
        if !self.nodes[who].is_running() {
            return;
        }
        match self.nodes[who].kind {
            Kind::Worker => {
                self.seen.note(Note::WorkerCrash);
                if self.model.runs(who) {
                    self.seen.note(Note::CrashWhileRunning);
                }
            }
            Kind::Client => self.seen.note(Note::ClientCrash),
            Kind::Plain | Kind::Rough | Kind::OldWorker | Kind::OldClient => {}
        }
        self.end_process(who);
        self.queue.push(self.now + ms, Event::Start { who });
    }

    fn room_of(&self, who: usize) -> (usize, Option<RoomRecord>) {
        let room = self.nodes[who].room;
        let id = &self.places[room].id;
        (room, self.store.rooms.get(id).cloned())
    }

    fn extend(&mut self, who: usize) {
        let (room, Some(record)) = self.room_of(who) else { return };
        let owner = person(&record.created_by);
        let caller = Caller { person: Some(&owner), ..Caller::default() };
        if may_extend(&record, &caller).is_ok() {
            self.seen.note(Note::RoomExtended);
            self.call(room, Call::Extend);
        }
    }

    fn delete_room(&mut self, who: usize, ms: u64) {
        let (room, Some(record)) = self.room_of(who) else { return };
        let caller = Caller { token: Some(&record.token), ..Caller::default() };
        if may_delete_room(&record, &caller).is_ok() {
            self.seen.note(Note::RoomDeleted);
            self.call(room, Call::Delete);
            self.queue.push(self.now + ms.max(5_000), Event::MakeRoom { room });
        }
    }

    fn delete_peer(&mut self, who: usize) {
        let (room, Some(record)) = self.room_of(who) else { return };
        let peer = &member(self.nodes[who].member).id;
        let itself = person(peer);
        let caller = Caller { person: Some(&itself), ..Caller::default() };
        if may_delete_peer(&record, Some(peer), &caller).is_ok() {
            self.seen.note(Note::PeerDeleted);
            let id = self.peer_id(who);
            self.call(room, Call::DeletePeer(id));
        }
    }
}

fn person(member: &MemberId) -> Person {
    Person::alone(member.clone(), IdentityKind::Key, None, member.to_string())
}
