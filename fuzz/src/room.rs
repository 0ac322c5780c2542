//! A room, to which anything may happen in any order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};
use sleap_rtc_room::{Admission, Call, CallId, Effect, Input, Room, RoomConfig, Ticket};
use sleap_rtc_wire::claim::{ClaimGranted, HeldClaim, HeldState};
use sleap_rtc_wire::record::{Change, Mesh, RoomKind, RoomRecord, Switches, WorkerRecord};
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{
    CLAIMS, ConnId, FromPeer, MemberId, Metadata, NodeId, PeerId, RoomId, Text, Time, ToPeer, limits,
};

/// Connections, and peers' names.
const CONNS: u8 = 8;
const NAMES: [&str; 6] = ["gpu1", "gpu2", "gpu3", "laptop", "laptop-2", "tui"];
const ROLES: [&str; 3] = ["worker", "client", "peer"];
/// Steps of one run: a longer input says nothing new.
const STEPS: usize = 256;

/// The bytes that decide; zero when they are used up.
struct Dice<'a>(&'a [u8]);

impl<'a> Dice<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()]
    }

    fn yes(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn bytes(&mut self) -> &'a [u8] {
        let (first, rest) = self.0.split_at(usize::from(self.byte()).min(self.0.len()));
        self.0 = rest;
        first
    }
}

struct World {
    room: Room,
    now: Time,
    workers: BTreeMap<PeerId, WorkerRecord>,
    writes: VecDeque<(Ticket, Vec<Change>)>,
    /// Connections that the room may send to.
    open: BTreeSet<ConnId>,
    asked: BTreeSet<CallId>,
    last_call: u64,
    /// What workers and clients were told of claims.
    grants: Vec<ClaimGranted>,
    is_removed: bool,
}

/// Does what the bytes say, and looks at the room after each step.
pub fn run(data: &[u8]) {
    let mut dice = Dice(data);
    let mut world = World::new(&mut dice);
    for _ in 0..STEPS {
        if dice.0.is_empty() || world.is_removed {
            return;
        }
        world.step(&mut dice);
        let violations = world.room.violations(world.now);
        assert!(violations.is_empty(), "{violations:?}");
    }
}

impl World {
    fn new(dice: &mut Dice<'_>) -> Self {
        let now = Time(1_000_000);
        let mesh = if dice.yes() { Mesh::Reference } else { Mesh::Off };
        let record = RoomRecord {
            room_id: RoomId::new("pool").expect("an id"),
            token: "secret".to_owned(),
            created_by: MemberId::new("u_0").expect("an id"),
            created_at: now,
            name: None,
            kind: if dice.yes() { RoomKind::Named } else { RoomKind::Ephemeral },
            ttl_ms: Some(7_200_000),
            expires_at: Some(now.plus_ms(7_200_000)),
            epoch: 0,
            switches: Switches { mesh, strict_offers: dice.yes() },
        };
        let config = RoomConfig { max_peers: 5, ..RoomConfig::default() };
        let mut world = Self {
            room: Room::load(record, Vec::new(), config, now),
            now,
            workers: BTreeMap::new(),
            writes: VecDeque::new(),
            open: BTreeSet::new(),
            asked: BTreeSet::new(),
            last_call: 0,
            grants: Vec::new(),
            is_removed: false,
        };
        world.drain();
        world
    }

    fn put(&mut self, input: Input) {
        self.room.handle(input, self.now);
        self.drain();
    }

    fn step(&mut self, dice: &mut Dice<'_>) {
        let conn = conn(dice);
        match dice.byte() % 12 {
            0 | 1 => self.register(conn, dice),
            2..=5 => {
                let frame = self.frame(dice).to_string();
                self.says(conn, &frame);
            }
            6 => {
                if let Ok(text) = std::str::from_utf8(dice.bytes()) {
                    self.says(conn, text);
                }
            }
            7 => {
                self.open.remove(&conn);
                self.put(Input::Closed { conn });
            }
            8 => self.call(dice),
            9 => self.wait(dice),
            10 => self.write(dice.yes()),
            _ => self.restart(),
        }
    }

    fn says(&mut self, conn: ConnId, text: &str) {
        match FromPeer::decode(&Text::from(text)) {
            // The server keeps these from the room, and all others while the connection has no seat.
            Ok(FromPeer::Register(_)) | Err(_) => {}
            Ok(frame) if self.open.contains(&conn) => self.put(Input::Frame { conn, frame }),
            Ok(_) => {}
        }
    }

    fn register(&mut self, conn: ConnId, dice: &mut Dice<'_>) {
        let status = dice.one(&["available", "busy", "reserved", "x"]);
        let metadata = json!({"tags": ["sleap-rtc"], "properties": {"status": status, "gpu_memory_mb": dice.byte()}});
        let member = MemberId::new(&format!("u_{}", dice.byte() % 4)).expect("an id");
        let held = self.grants.last().filter(|_| dice.yes()).cloned();
        let register = Register {
            peer_id: PeerId::new(dice.one(&NAMES)).ok(),
            role: dice.one(&ROLES).to_owned(),
            metadata: serde_json::from_value::<Metadata>(metadata).expect("metadata"),
            is_admin: dice.yes(),
            features: if dice.yes() { vec![CLAIMS.to_owned()] } else { Vec::new() },
            claims: held
                .map(|grant| HeldClaim { grant, state: HeldState::Leased, used_at: None })
                .into_iter()
                .collect(),
            ..Register::default()
        };
        let admission = Admission { member, key: None, fallback_peer_id: None, ice_servers: Vec::new() };
        self.open.insert(conn);
        self.put(Input::Register { conn, admission, register: Box::new(register) });
    }

    /// A frame of any sort, mostly with names that mean something.
    fn frame(&self, dice: &mut Dice<'_>) -> Value {
        let (from, to) = (dice.one(&NAMES), dice.one(&NAMES));
        let grant = self.grants.get(usize::from(dice.byte()) % self.grants.len().max(1));
        let (claim, fence) =
            grant.map_or((json!("0123456789abcdef"), json!(1)), |grant| (json!(grant.claim_id), json!(grant.fence)));
        let request = format!("r{}", dice.byte() % 4);
        let status = dice.one(&["available", "busy", "reserved", "running", "complete", "failed", "rejected"]);
        match dice.byte() % 24 {
            0 => {
                json!({"type": "discover_peers", "from_peer_id": from, "filters": {"role": dice.one(&ROLES)}, "absent": true})
            }
            1 => json!({"type": "update_metadata", "peer_id": from, "metadata": {"properties": {"status": status}}}),
            2..=4 => json!({
                "type": "claim", "request_id": request, "job_id": format!("j{}", dice.byte() % 4), "count": dice.byte() % 4,
                "lease_ms": u32::from(dice.byte()) * 1000, "wait_ms": u32::from(dice.byte()) * 1000, "attempt": dice.byte() % 3,
            }),
            5 => json!({"type": "release", "claim_id": claim}),
            6 => json!({"type": "withdraw", "request_id": request}),
            7 | 8 => json!({"type": "claim_used", "claim_id": claim, "fence": fence}),
            9 => json!({"type": "claim_released", "claim_id": claim, "fence": fence, "outcome": "completed"}),
            10 => json!({"type": "leave"}),
            11 => json!({"type": "peer_message", "from_peer_id": from, "to_peer_id": to, "payload": 1}),
            12 | 13 => json!({"type": "offer", "sender": from, "target": to, "sdp": "v=0"}),
            14 | 15 => json!({"type": "answer", "sender": from, "target": to, "sdp": "v=0"}),
            16 => json!({"type": "candidate", "sender": from, "target": to, "candidate": "c"}),
            17 => json!({"type": "error", "target": to, "reason": "worker_busy"}),
            18 => json!({"type": "mesh_connect", "from_peer_id": from, "target_peer_id": to, "offer": {"sdp": "v=0"}}),
            19 => json!({"type": "mesh_answer", "from_peer_id": from, "target_peer_id": to, "answer": {"sdp": "v=0"}}),
            20 => json!({"type": "ice_candidate", "from_peer_id": from, "target_peer_id": to, "candidate": {"c": 1}}),
            21 | 22 => json!({"type": "job_status", "job_id": format!("j{}", dice.byte() % 4), "status": status}),
            _ => json!({"type": "job_progress", "job_id": "j1", "event": "epoch_end"}),
        }
    }

    fn call(&mut self, dice: &mut Dice<'_>) {
        let worker = PeerId::new(dice.one(&NAMES)).expect("an id");
        let call = match dice.byte() % 8 {
            0 => Call::Extend,
            1 => Call::DeletePeer(worker),
            2 if dice.byte() == 0xFF => Call::Delete,
            2 | 3 => Call::Expel(vec![MemberId::new(&format!("u_{}", dice.byte() % 4)).expect("an id")]),
            4 => Call::Change {
                name: None,
                switches: Some(Switches {
                    mesh: if dice.yes() { Mesh::Reference } else { Mesh::Off },
                    strict_offers: dice.yes(),
                }),
            },
            5 => Call::Forward { worker, text: r#"{"type":"fs_list_req"}"#.into() },
            _ => {
                let job_id = format!("j{}", dice.byte() % 4);
                Call::Assign {
                    worker,
                    text: format!(r#"{{"type":"job_assigned","job_id":"{job_id}"}}"#).into(),
                    job_id,
                }
            }
        };
        self.last_call += 1;
        let id = CallId(self.last_call);
        self.asked.insert(id);
        self.put(Input::Call { id, call });
    }

    fn wait(&mut self, dice: &mut Dice<'_>) {
        let ms = dice.one(&[1, 1_000, 30_000, 120_000, 600_000, 3_600_000, 86_400_000]);
        self.now = match self.room.next_timeout() {
            Some(at) if dice.yes() => self.now.max(at),
            _ => self.now.plus_ms(ms),
        };
        if self.room.next_timeout().is_some_and(|at| at <= self.now) {
            self.put(Input::Tick);
        }
    }

    /// The store takes the oldest write, or does not.
    fn write(&mut self, is_taken: bool) {
        let Some((ticket, changes)) = self.writes.pop_front() else { return };
        if !is_taken {
            return self.put(Input::PersistFailed(ticket));
        }
        for change in changes {
            match change {
                Change::PutWorker(record) => _ = self.workers.insert(record.peer_id.clone(), record),
                Change::DeleteWorker(_, worker) => _ = self.workers.remove(&worker),
                _ => {}
            }
        }
        self.put(Input::Persisted(ticket));
    }

    /// The server is killed, and starts again with what is in its store.
    fn restart(&mut self) {
        let config = RoomConfig { max_peers: 5, ..RoomConfig::default() };
        let workers = self.workers.values().cloned().collect();
        self.room = Room::load(self.room.record().clone(), workers, config, self.now);
        (self.open, self.asked, self.writes) = Default::default();
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.room.next_effect() {
            assert!(!self.is_removed, "{effect:?} after the end");
            match effect {
                Effect::Send { conn, frame } => self.sent(conn, &frame),
                Effect::Close { conn, .. } => assert!(self.open.remove(&conn), "{conn:?} is closed twice"),
                Effect::Persist { ticket, changes } => self.writes.push_back((ticket, changes)),
                Effect::Answer { id, answer } => assert!(self.asked.remove(&id), "{answer:?} was not asked for"),
                Effect::Removed => self.is_removed = true,
                Effect::Publish { .. } | Effect::Report(_) => {}
            }
        }
    }

    fn sent(&mut self, conn: ConnId, frame: &ToPeer) {
        assert!(self.open.contains(&conn), "{frame:?} to {conn:?}, which is not here");
        let text = frame.encode();
        assert!(text.len() <= limits::FRAME, "{} bytes", text.len());
        assert!(!text.contains("secret"), "the room's password: {text}");
        let read = ToPeer::decode(&text);
        assert!(matches!(frame, ToPeer::Relayed(_)) || read.is_ok(), "{text}: {read:?}");
        if let ToPeer::ClaimGranted(grant) = frame {
            self.grants.push(grant.clone());
        }
    }
}

fn conn(dice: &mut Dice<'_>) -> ConnId {
    ConnId { node: NodeId::default(), incarnation: 1, n: u64::from(dice.byte() % CONNS) }
}
