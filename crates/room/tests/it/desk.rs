//! Where the tests sit: a room, the time, and short words for what is said and expected.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sleap_rtc_room::{Admission, Answer, Call, CallId, Effect, Input, Room, RoomConfig};
use sleap_rtc_wire::claim::{
    Claim, ClaimEnded, ClaimRefused, ClaimReleased, ClaimUsed, ClaimWaiting, Claimed, EndReason, Release,
};
use sleap_rtc_wire::record::{Change, RoomKind, RoomRecord, Switches, WorkerRecord};
use sleap_rtc_wire::signal::{Discover, Register, UpdateMetadata};
use sleap_rtc_wire::{
    CLAIMS, ClaimId, Code, ConnId, ErrorFrame, Fence, Filters, FromPeer, JobId, MemberId, Metadata, PeerId, PublicKey,
    RoomId, Time, ToPeer,
};

pub(crate) const HOUR: u64 = 3_600_000;

/// A room that was loaded at [`START`] and whose epoch, 1,000, is committed.
pub(crate) struct Desk {
    pub(crate) room: Room,
    pub(crate) now: Time,
    /// The workers that the store expects.
    pub(crate) workers: BTreeMap<PeerId, WorkerRecord>,
}

pub(crate) const START: Time = Time(1_000);

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(record(RoomKind::Named), RoomConfig::default())
    }

    pub(crate) fn with(record: RoomRecord, config: RoomConfig) -> Self {
        let room = Room::load(record, Vec::new(), config, START);
        let mut desk = Self { room, now: START, workers: BTreeMap::new() };
        desk.settle();
        desk
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
    }

    /// Hands an input in, and says what comes out. Writes of workers, for which nobody waits, are taken at once.
    pub(crate) fn put(&mut self, input: Input) -> Vec<Effect> {
        self.room.handle(input, self.now);
        let mut effects = Vec::new();
        while let Some(effect) = self.room.next_effect() {
            match effect {
                Effect::Persist { ticket, changes } if is_of_workers(&changes) => {
                    self.note_workers(changes);
                    self.room.handle(Input::Persisted(ticket), self.now);
                }
                other => effects.push(other),
            }
        }
        effects
    }

    fn note_workers(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::PutWorker(record) => _ = self.workers.insert(record.peer_id.clone(), record),
                Change::DeleteWorker(_, worker) => _ = self.workers.remove(&worker),
                _ => {}
            }
        }
    }

    /// The server is killed and starts again, with what is in its store.
    pub(crate) fn restart(&mut self, config: RoomConfig) {
        let workers = self.workers.values().cloned().collect();
        self.room = Room::load(self.room.record().clone(), workers, config, self.now);
        self.settle();
    }

    /// [`Desk::put`], where the store takes everything at once; the frames that come out.
    pub(crate) fn go(&mut self, input: Input) -> Vec<(ConnId, ToPeer)> {
        self.room.handle(input, self.now);
        self.settle()
    }

    pub(crate) fn tick(&mut self) -> Vec<Effect> {
        self.put(Input::Tick)
    }

    fn settle(&mut self) -> Vec<(ConnId, ToPeer)> {
        let mut frames = Vec::new();
        while let Some(effect) = self.room.next_effect() {
            match effect {
                Effect::Persist { ticket, changes } => {
                    self.note_workers(changes);
                    self.room.handle(Input::Persisted(ticket), self.now);
                }
                Effect::Send { conn, frame } => frames.push((conn, frame)),
                _ => {}
            }
        }
        frames
    }

    /// What is answered to somebody who has this peer deleted.
    pub(crate) fn deletes(&mut self, id: u64, name: &str) -> Answer {
        let effects = self.put(calls(id, Call::DeletePeer(peer(name))));
        let mut answers = effects.into_iter().filter_map(|effect| match effect {
            Effect::Answer { id: of, answer } if of == CallId(id) => Some(answer),
            _ => None,
        });
        answers.next().unwrap()
    }

    /// A connected worker that takes part in claims and is available.
    pub(crate) fn worker(&mut self, name: &str, n: u64) -> ConnId {
        self.enter(conn(n), name, worker(name))
    }

    /// A connected client that takes part in claims.
    pub(crate) fn client(&mut self, name: &str, n: u64) -> ConnId {
        self.enter(conn(n), name, client(name))
    }

    /// A connected peer; `name` is the installation it belongs to.
    pub(crate) fn enter(&mut self, conn: ConnId, name: &str, register: Register) -> ConnId {
        let frames = self.go(registers(conn, keyed(name), register));
        assert!(frames.iter().any(|(_, frame)| matches!(frame, ToPeer::RegisteredAuth(_))), "{frames:?}");
        conn
    }

    /// The claim of this client, which must be granted.
    pub(crate) fn claimed(&mut self, client: ConnId, claim: Claim) -> Claimed {
        let frames = self.go(says(client, FromPeer::Claim(claim)));
        let claimed = frames.into_iter().find_map(|(conn, frame)| match frame {
            ToPeer::Claimed(claimed) if conn == client => Some(claimed),
            _ => None,
        });
        claimed.unwrap()
    }

    /// The claim of this client, which must get in line.
    pub(crate) fn waits(&mut self, client: ConnId, claim: Claim) -> ClaimWaiting {
        let frames = self.go(says(client, FromPeer::Claim(claim)));
        let [told] = &notices(&frames, client)[..] else { panic!("not in line, or told twice: {frames:?}") };
        told.clone()
    }

    /// The claim of this client, which must be refused.
    pub(crate) fn refused(&mut self, client: ConnId, claim: Claim) -> ClaimRefused {
        match only(self.go(says(client, FromPeer::Claim(claim)))) {
            (conn, ToPeer::ClaimRefused(refused)) if conn == client => refused,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// The names, in order, that a discovery by `asker` finds.
    pub(crate) fn found(&mut self, asker: ConnId, name: &str, filters: Value) -> Vec<String> {
        self.list(asker, name, filters).into_iter().map(|entry| entry.peer_id.to_string()).collect()
    }

    pub(crate) fn list(&mut self, asker: ConnId, name: &str, filters: Value) -> Vec<sleap_rtc_wire::signal::PeerEntry> {
        let frames = self.go(says(asker, discover(name, filters)));
        match frames.as_slice() {
            [(to, ToPeer::PeerList { peers, count, .. })] if *to == asker => {
                assert_eq!(*count, peers.len());
                peers.clone()
            }
            other => panic!("no single peer list: {other:?}"),
        }
    }

    /// What discovery shows as a peer's property.
    pub(crate) fn shown(&mut self, asker: ConnId, name: &str, peer: &str, property: &str) -> Value {
        let list = self.list(asker, name, json!({}));
        let entry = list.iter().find(|entry| entry.peer_id.as_str() == peer).unwrap();
        entry.metadata.property(property).cloned().unwrap_or(Value::Null)
    }
}

/// A room with these workers, on connections from 1 on.
pub(crate) fn room<const N: usize>(names: [&str; N]) -> (Desk, [ConnId; N]) {
    let mut desk = Desk::new();
    let mut n = 0;
    let conns = names.map(|name| {
        n += 1;
        desk.worker(name, n)
    });
    (desk, conns)
}

fn is_of_workers(changes: &[Change]) -> bool {
    changes.iter().all(|change| matches!(change, Change::PutWorker(_) | Change::DeleteWorker(..)))
}

/// Compares what happened with what must happen, in order.
#[track_caller]
pub(crate) fn assert_effects(happened: Vec<Effect>, expected: impl IntoIterator<Item = Effect>) {
    let without_facts: Vec<Effect> =
        happened.into_iter().filter(|effect| !matches!(effect, Effect::Report(_))).collect();
    assert_eq!(without_facts, expected.into_iter().collect::<Vec<_>>());
}

/// What this client is given.
pub(crate) fn claims(frames: &[(ConnId, ToPeer)], client: ConnId) -> Vec<Claimed> {
    let claimed = frames.iter().filter(|(conn, _)| *conn == client).filter_map(|(_, frame)| match frame {
        ToPeer::Claimed(claimed) => Some(claimed.clone()),
        _ => None,
    });
    claimed.collect()
}

/// What this client is told of its place in line.
pub(crate) fn notices(frames: &[(ConnId, ToPeer)], client: ConnId) -> Vec<ClaimWaiting> {
    let waiting = frames.iter().filter(|(conn, _)| *conn == client).filter_map(|(_, frame)| match frame {
        ToPeer::ClaimWaiting(waiting) => Some(waiting.clone()),
        _ => None,
    });
    waiting.collect()
}

/// The only frame, and for whom.
#[track_caller]
pub(crate) fn only(mut frames: Vec<(ConnId, ToPeer)>) -> (ConnId, ToPeer) {
    assert_eq!(frames.len(), 1, "{frames:?}");
    frames.remove(0)
}

pub(crate) fn record(kind: RoomKind) -> RoomRecord {
    let ttl_ms = if kind == RoomKind::Named { 30 * 24 * HOUR } else { 2 * HOUR };
    RoomRecord {
        room_id: RoomId::new("a7f3d2e1").unwrap(),
        token: "f9g2h5".to_owned(),
        created_by: key("ana").member(),
        created_at: START,
        name: None,
        kind,
        ttl_ms: Some(ttl_ms),
        expires_at: Some(START.plus_ms(ttl_ms)),
        epoch: 0,
        switches: Switches::default(),
    }
}

pub(crate) fn conn(n: u64) -> ConnId {
    ConnId { n, ..ConnId::default() }
}

pub(crate) fn peer(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

/// The installation key of this name.
pub(crate) fn key(name: &str) -> PublicKey {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    PublicKey(bytes)
}

pub(crate) fn keyed(name: &str) -> Admission {
    Admission { member: key(name).member(), key: Some(key(name)), fallback_peer_id: None, ice_servers: Vec::new() }
}

pub(crate) fn anonymous(name: &str) -> Admission {
    Admission { member: MemberId::new(name).unwrap(), key: None, fallback_peer_id: None, ice_servers: Vec::new() }
}

pub(crate) fn metadata(value: Value) -> Metadata {
    Metadata::from(value)
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
pub(crate) fn plain(name: &str, role: &str, properties: Value) -> Register {
    Register {
        peer_id: Some(peer(name)),
        role: role.to_owned(),
        metadata: metadata(json!({"tags": ["sleap-rtc"], "properties": properties})),
        token: Some("f9g2h5".to_owned()),
        ..Register::default()
    }
}

pub(crate) fn worker(name: &str) -> Register {
    Register { features: vec![CLAIMS.to_owned()], ..plain(name, "worker", json!({"status": "available"})) }
}

/// A worker that takes part in claims and says this of itself.
pub(crate) fn plain_worker(name: &str, properties: Value) -> Register {
    Register { features: vec![CLAIMS.to_owned()], ..plain(name, "worker", properties) }
}

pub(crate) fn worker_that_is(name: &str, status: &str) -> Register {
    plain_worker(name, json!({"status": status}))
}

pub(crate) fn client(name: &str) -> Register {
    Register { features: vec![CLAIMS.to_owned()], ..plain(name, "client", json!({})) }
}

pub(crate) fn registers(conn: ConnId, admission: Admission, register: Register) -> Input {
    Input::Register { conn, admission, register: Box::new(register) }
}

pub(crate) fn says(conn: ConnId, frame: FromPeer) -> Input {
    Input::Frame { conn, frame }
}

pub(crate) fn closes(conn: ConnId) -> Input {
    Input::Closed { conn }
}

pub(crate) fn calls(n: u64, call: Call) -> Input {
    Input::Call { id: CallId(n), call }
}

pub(crate) fn filters(value: Value) -> Filters {
    Filters::parse(value).unwrap()
}

pub(crate) fn discover(name: &str, value: Value) -> FromPeer {
    FromPeer::DiscoverPeers(Discover { from_peer_id: peer(name), filters: filters(value), absent: false })
}

pub(crate) fn update(name: &str, value: Value) -> UpdateMetadata {
    UpdateMetadata { peer_id: peer(name), metadata: metadata(value), condition: None, request_id: None }
}

pub(crate) fn status(name: &str, status: &str) -> FromPeer {
    FromPeer::UpdateMetadata(update(name, json!({"properties": {"status": status}})))
}

/// The claim `r1` is for the job `job-1`, and so on.
pub(crate) fn claim(request_id: &str) -> Claim {
    let number = request_id.strip_prefix('r').filter(|number| number.len() < 20).unwrap_or("1");
    Claim {
        request_id: request_id.to_owned(),
        filters: Filters::default(),
        wait_ms: 0,
        lease_ms: 30_000,
        job_id: JobId::new(&format!("job-{number}")).unwrap(),
        attempt: 1,
        count: 1,
        seat: None,
    }
}

/// A claim that waits for an hour.
pub(crate) fn patient(request_id: &str) -> Claim {
    Claim { wait_ms: HOUR, ..claim(request_id) }
}

pub(crate) fn uses(conn: ConnId, claim_id: &ClaimId) -> Input {
    says(conn, FromPeer::ClaimUsed(ClaimUsed { claim_id: claim_id.clone() }))
}

pub(crate) fn frees(conn: ConnId, claim_id: &ClaimId) -> Input {
    says(conn, FromPeer::ClaimReleased(ClaimReleased { claim_id: claim_id.clone() }))
}

pub(crate) fn releases(conn: ConnId, claim_id: &ClaimId) -> Input {
    says(conn, FromPeer::Release(Release { claim_id: claim_id.clone() }))
}

pub(crate) fn claim_id(text: &str) -> ClaimId {
    ClaimId::new(text).unwrap()
}

pub(crate) fn fence(epoch: u64, counter: u64) -> Fence {
    Fence { epoch, counter }
}

pub(crate) fn sent(conn: ConnId, frame: ToPeer) -> Effect {
    Effect::Send { conn, frame }
}

pub(crate) fn ended(claim: &str, reason: EndReason) -> ToPeer {
    ToPeer::ClaimEnded(ClaimEnded { claim_id: claim_id(claim), reason })
}

pub(crate) fn error(code: Code, text: &str) -> ToPeer {
    ToPeer::Error(ErrorFrame::new(code, text))
}

/// The code of the only frame, an error to this connection.
#[track_caller]
pub(crate) fn refused(frames: Vec<(ConnId, ToPeer)>, to: ConnId) -> Code {
    match only(frames) {
        (conn, ToPeer::Error(error)) if conn == to => error.code,
        other => panic!("no error for {to:?}: {other:?}"),
    }
}
