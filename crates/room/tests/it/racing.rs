//! Random races of clients of the deployed kind for workers of their kind: two never reach one worker.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use sleap_rtc_room::{Answer, Call, CallId, Effect, Input, RoomConfig};
use sleap_rtc_wire::{ConnId, FromPeer, Text, ToPeer};

use crate::desk::*;

const CLIENTS: usize = 3;
const WORKERS: usize = 2;

/// One thing that happens; workers and clients by their number.
#[derive(Clone, Copy, Debug)]
enum Step {
    Offer(usize, usize),
    /// The worker reads an offer: it says that it is reserved.
    Read(usize),
    /// It answers the one that it has read last.
    Answer(usize),
    /// Its client's link is gone: it registers again where it is, or says so by an update.
    Ends(usize, bool),
    /// It is connected anew, and says that it is available whatever is true.
    Reconnects(usize),
    /// Registers again before it has read anything new.
    RegistersTwice(usize),
    ClientComes(usize),
    ClientGoes(usize),
    Assign(usize),
    Reports(usize, &'static str),
    Wait(u64),
    Restart,
}

/// What a worker's program knows.
#[derive(Default)]
struct Worker {
    conn: Option<ConnId>,
    /// Offers that it was handed and has not read.
    offers: Vec<usize>,
    read: Option<usize>,
    /// Whom it has answered, and since when its link is.
    linked: Option<usize>,
    job: Option<String>,
}

struct Race {
    desk: Desk,
    workers: Vec<Worker>,
    clients: Vec<Option<ConnId>>,
    /// Clients that were connected ever since a worker answered them, whose server was never away.
    sure: BTreeMap<usize, usize>,
    conns: u64,
    jobs: u64,
    seen: BTreeMap<&'static str, usize>,
}

impl Race {
    fn new() -> Self {
        let mut race = Self {
            desk: Desk::with(record(sleap_rtc_wire::record::RoomKind::Named), quiet()),
            workers: (0..WORKERS).map(|_| Worker::default()).collect(),
            clients: vec![None; CLIENTS],
            sure: BTreeMap::new(),
            conns: 0,
            jobs: 0,
            seen: BTreeMap::new(),
        };
        (0..WORKERS).for_each(|n| race.take(Step::Reconnects(n)));
        (0..CLIENTS).for_each(|n| race.take(Step::ClientComes(n)));
        race
    }

    fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn new_conn(&mut self) -> ConnId {
        self.conns += 1;
        conn(self.conns)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Offer(client, worker) => self.offer(client, worker),
            Step::Read(n) => {
                if self.workers[n].conn.is_some() && !self.workers[n].offers.is_empty() {
                    self.workers[n].read = Some(self.workers[n].offers.remove(0));
                    self.says(n, "reserved");
                }
            }
            Step::Answer(n) => self.answer(n),
            Step::Ends(n, registers) => {
                self.workers[n].linked = None;
                self.sure.remove(&n);
                match self.workers[n].conn {
                    Some(conn) if registers => _ = self.desk.go(registers_old(conn, n)),
                    Some(_) => self.says(n, "available"),
                    None => {}
                }
            }
            Step::Reconnects(n) => {
                let conn = self.new_conn();
                if let Some(before) = self.workers[n].conn.replace(conn).filter(|conn| conn.n % 2 == 0) {
                    self.desk.go(closes(before));
                }
                self.workers[n].offers.clear();
                self.desk.go(registers_old(conn, n));
            }
            Step::RegistersTwice(n) => {
                if let Some(conn) = self.workers[n].conn.filter(|_| self.workers[n].linked.is_none()) {
                    self.desk.go(registers_old(conn, n));
                }
            }
            Step::ClientComes(n) => {
                if self.clients[n].is_none() {
                    let conn = self.new_conn();
                    self.clients[n] = Some(conn);
                    let name = client_name(n);
                    self.desk.enter(conn, &name, plain(&name, "client", json!({})));
                }
            }
            Step::ClientGoes(n) => {
                if let Some(conn) = self.clients[n].take() {
                    self.desk.go(closes(conn));
                    self.sure.retain(|_, client| *client != n);
                }
            }
            Step::Assign(n) => self.assign(n),
            Step::Reports(n, status) => self.reports(n, status),
            Step::Wait(ms) => {
                self.desk.wait(ms);
                self.desk.tick();
            }
            Step::Restart => {
                self.saw("restart");
                self.desk.restart(quiet());
                self.workers.iter_mut().for_each(|worker| (worker.conn, worker.offers) = (None, Vec::new()));
                self.clients = vec![None; CLIENTS];
                self.sure.clear();
            }
        }
    }

    fn offer(&mut self, client: usize, worker: usize) {
        let (Some(from), Some(to)) = (self.clients[client], self.workers[worker].conn) else { return };
        let frames = self.desk.go(heard(from, &described("offer", &client_name(client), &worker_name(worker))));
        match &frames[..] {
            [(conn, ToPeer::Relayed(_))] if *conn == to => {
                self.saw("handed on");
                let other = self.sure.get(&worker).filter(|other| **other != client);
                assert_eq!(other, None, "{} has an answer, and {client} reaches its worker", worker_name(worker));
                assert_eq!(self.workers[worker].job, None, "a job runs there, and {client} reaches the worker");
                self.workers[worker].offers.push(client);
            }
            [(conn, ToPeer::Error(error))] if *conn == from => {
                self.saw("busy");
                assert_eq!(error.reason, "worker_busy");
            }
            other => panic!("neither handed on nor refused: {other:?}"),
        }
    }

    fn answer(&mut self, n: usize) {
        let (Some(conn), Some(client)) = (self.workers[n].conn, self.workers[n].read.take()) else { return };
        let Some(to) = self.clients[client] else { return };
        let frames = self.desk.go(heard(conn, &described("answer", &worker_name(n), &client_name(client))));
        match &frames[..] {
            [(conn, ToPeer::Relayed(_))] if *conn == to => {
                self.saw("answered");
                if let Some(other) = self.sure.insert(n, client) {
                    assert_eq!(other, client, "two clients have an answer of {}", worker_name(n));
                }
                self.workers[n].linked = Some(client);
            }
            [] => self.saw("answer withheld"),
            other => panic!("neither handed on nor withheld: {other:?}"),
        }
    }

    fn assign(&mut self, n: usize) {
        self.jobs += 1;
        let job_id = format!("job_{}", self.jobs);
        let call = Call::Assign { worker: peer(&worker_name(n)), job_id: job_id.clone(), text: "{}".to_owned().into() };
        let effects = self.desk.put(Input::Call { id: CallId(1), call });
        let is_given = effects.contains(&Effect::Answer { id: CallId(1), answer: Answer::Forwarded });
        if is_given {
            self.saw("assigned");
            assert_eq!((self.sure.get(&n), &self.workers[n].job), (None, &None), "{} is taken", worker_name(n));
            self.workers[n].job = Some(job_id);
            // It always says so at once: what it does not take is in the protocol's own tests.
            self.reports(n, "accepted");
        }
    }

    fn reports(&mut self, n: usize, status: &'static str) {
        let (Some(conn), Some(job)) = (self.workers[n].conn, self.workers[n].job.clone()) else { return };
        let mut report = json!({"type": "job_status", "job_id": job, "status": status});
        if status == "complete" {
            report["stage"] = "inference".into();
            self.workers[n].job = None;
        }
        self.desk.go(heard(conn, &report.to_string()));
    }

    fn says(&mut self, n: usize, word: &str) {
        if let Some(conn) = self.workers[n].conn {
            self.desk.go(says(conn, status(&worker_name(n), word)));
        }
    }

    /// Looks at the room from outside.
    fn check(&mut self) {
        assert_eq!(self.desk.room.violations(self.desk.now), [""; 0]);
        let Some((n, conn)) = self.clients.iter().enumerate().find_map(|(n, conn)| Some((n, (*conn)?))) else { return };
        let free = json!({"role": "worker", "properties": {"status": "available"}});
        let free = self.desk.found(conn, &client_name(n), free);
        for (n, worker) in self.workers.iter().enumerate() {
            let is_taken = self.sure.contains_key(&n) || worker.job.is_some();
            assert!(!is_taken || !free.contains(&worker_name(n)), "{} is taken and shown as free", worker_name(n));
        }
    }

    /// When everybody has gone and its time is over, everything is free.
    fn check_end(&mut self) {
        for n in 0..WORKERS {
            self.take(Step::Reconnects(n));
            self.take(Step::Reports(n, "complete"));
        }
        (0..CLIENTS).for_each(|n| self.take(Step::ClientGoes(n)));
        self.take(Step::Wait(12 * HOUR));
        self.take(Step::ClientComes(0));
        let conn = self.clients[0].unwrap();
        let list = self.desk.list(conn, &client_name(0), json!({"role": "worker"}));
        assert!(list.iter().all(|entry| entry.metadata.property("status") == Some(&Value::from("available"))));
        assert_eq!((list.len(), self.desk.room.stats().occupied), (WORKERS, 0));
    }
}

proptest! {
    #[test]
    fn two_clients_never_reach_one_worker(steps in prop::collection::vec(step(), 1..200)) {
        let mut race = Race::new();
        for step in steps {
            race.take(step);
            race.check();
        }
        race.check_end();
    }
}

/// The premises occur: a test of nothing would hold as well.
#[test]
fn the_races_reach_what_the_invariants_are_about() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    for _ in 0..50 {
        let mut race = Race::new();
        for step in prop::collection::vec(step(), 150..200).new_tree(&mut runner).unwrap().current() {
            race.take(step);
        }
        for (what, times) in race.seen {
            *seen.entry(what).or_default() += times;
        }
    }
    for what in ["handed on", "busy", "answered", "answer withheld", "assigned", "restart"] {
        assert!(seen.get(what).is_some_and(|times| *times >= 5), "{what}: {seen:?}");
    }
}

fn step() -> impl Strategy<Value = Step> {
    let (client, worker) = (|| 0..CLIENTS, || 0..WORKERS);
    let status = prop_oneof![Just("running"), Just("complete")];
    prop_oneof![
        10 => (client(), worker()).prop_map(|(client, worker)| Step::Offer(client, worker)),
        8 => worker().prop_map(Step::Read),
        8 => worker().prop_map(Step::Answer),
        3 => (worker(), any::<bool>()).prop_map(|(worker, registers)| Step::Ends(worker, registers)),
        2 => worker().prop_map(Step::Reconnects),
        1 => worker().prop_map(Step::RegistersTwice),
        4 => client().prop_map(Step::ClientComes),
        2 => client().prop_map(Step::ClientGoes),
        2 => worker().prop_map(Step::Assign),
        3 => (worker(), status).prop_map(|(worker, status)| Step::Reports(worker, status)),
        4 => prop_oneof![0..2_000_u64, 0..60_000_u64, Just(30_000_u64)].prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn client_name(n: usize) -> String {
    format!("c{n}")
}

fn worker_name(n: usize) -> String {
    format!("w{n}")
}

/// Nobody is pinged.
fn quiet() -> RoomConfig {
    RoomConfig { ping_ms: 1 << 50, ..RoomConfig::default() }
}

fn registers_old(conn: ConnId, n: usize) -> Input {
    let name = worker_name(n);
    registers(conn, keyed(&name), plain(&name, "worker", json!({"status": "available"})))
}

fn described(kind: &str, from: &str, to: &str) -> String {
    json!({"type": kind, "sender": from, "target": to, "sdp": "v=0"}).to_string()
}

fn heard(conn: ConnId, text: &str) -> Input {
    says(conn, FromPeer::decode(&Text::from(text.to_owned())).unwrap())
}
