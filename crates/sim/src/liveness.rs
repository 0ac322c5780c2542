//! The end of a world: faults stop, and then everybody who waits is served or told why, every job ends, all rooms and identities go.

use sleap_rtc_room::Call;
use sleap_rtc_session::pool_worker::Input;
use sleap_rtc_wire::record::IdentityKind;

use crate::model::{Rule, Violation};
use crate::plan::Kind;
use crate::seen::Note;
use crate::world::World;

/// How long clients may take to be served after faults have stopped, ms: the longest wait, and the longest a job takes.
const SERVED_MS: u64 = 4 * 3_600_000;
/// How long rooms and identities may take to go, ms: the two hours of an ephemeral room that nobody has joined.
const GONE_MS: u64 = 3 * 3_600_000;

impl World {
    /// Lets everything happen that the plan says, then brings the world to its end. `false`: a rule does not hold.
    pub fn run(&mut self) -> bool {
        while self.steps < self.plan.events {
            if !self.step() {
                return false;
            }
        }
        self.finish()
    }

    fn finish(&mut self) -> bool {
        self.calm_down();
        let served = |world: &Self| {
            world.nodes.iter().all(|node| node.client.is_none() && node.rough.is_none() && node.old.is_none())
                && (0..world.nodes.len()).all(|who| !world.model.runs(who))
        };
        if !self.until(SERVED_MS, served, "clients or jobs are left") {
            return false;
        }
        self.closing = true;
        for who in 0..self.nodes.len() {
            self.worker_input(who, Input::Drain);
        }
        let left = |world: &Self| world.nodes.iter().all(|node| node.worker.is_none());
        if !self.until(SERVED_MS, left, "workers are left") {
            return false;
        }
        if !self.until(SERVED_MS, |world| world.server().is_some(), "no server is up") {
            return false;
        }
        for room in 0..self.places.len() {
            if self.plan.rooms[room].named.is_some_and(|seconds| seconds == 0 || seconds > 7_200) {
                self.call(room, Call::Delete);
            }
        }
        let gone = |world: &Self| {
            world.store.rooms.is_empty()
                && world.store.identities.values().all(|one| one.kind != IdentityKind::Anonymous)
                && world.halls.iter().flatten().all(|hall| hall.over)
        };
        self.until(GONE_MS, gone, "rooms or identities are left") && self.nothing_is_left()
    }

    /// Faults stop, and nobody new comes.
    fn calm_down(&mut self) {
        self.calm = true;
        self.over = true;
        self.slow_until = self.now;
        self.store.down_until = self.now;
        self.store.slow_until = self.now;
        for node in &mut self.nodes {
            node.blocked_until = self.now;
            node.disk_fails_until = self.now;
        }
        for who in 0..self.nodes.len() {
            if !matches!(self.nodes[who].kind, Kind::Worker | Kind::Client) {
                self.end_process(who);
            }
        }
    }

    fn until(&mut self, within: u64, done: impl Fn(&Self) -> bool, otherwise: &str) -> bool {
        let limit = self.now + within;
        while !done(self) {
            if self.queue.next_at().is_none_or(|at| at > limit) {
                let text = format!("{otherwise} {within} ms after faults have stopped: {}", self.left_over());
                self.violate(Violation::new(Rule::EverythingComesToAnEnd, text));
                return false;
            }
            if !self.step() {
                return false;
            }
        }
        true
    }

    fn left_over(&self) -> String {
        let running: Vec<usize> = (0..self.nodes.len()).filter(|who| self.nodes[*who].is_running()).collect();
        let rooms: Vec<_> = self.store.rooms.keys().collect();
        let identities: Vec<_> = self.store.identities.keys().filter(|one| one.as_str().starts_with("anon")).collect();
        format!("processes {running:?}, runs {:?}, rooms {rooms:?}, identities {identities:?}", self.model.machines())
    }

    fn nothing_is_left(&mut self) -> bool {
        if self.store.memberships.is_empty() && self.store.workers.is_empty() {
            self.seen.note(Note::CleanEnd);
            return true;
        }
        let text = format!("{:?} and {:?} are left", self.store.memberships, self.store.workers);
        self.violate(Violation::new(Rule::EverythingComesToAnEnd, text));
        false
    }
}
