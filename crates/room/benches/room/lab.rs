//! A room full of workers, 50 of them with the card that is looked for.

use std::collections::VecDeque;

use serde_json::{Value, json};
use sleap_rtc_room::{Admission, Effect, Input, Room, RoomConfig};
use sleap_rtc_wire::claim::{Claim, Release, Withdraw};
use sleap_rtc_wire::record::{RoomKind, RoomRecord, Switches};
use sleap_rtc_wire::signal::{Discover, Register, UpdateMetadata};
use sleap_rtc_wire::{
    CLAIMS, ClaimId, ConnId, Filters, FromPeer, JobId, MemberId, Metadata, PeerId, RoomId, Time, ToPeer,
};

/// Workers with the rare card, whatever the size of the room.
pub(crate) const RARE: usize = 50;
const NOW: Time = Time(1_795_478_400_000);

pub(crate) struct Lab {
    room: Room,
    /// Peers so far: each has a name and a connection of its own.
    peers: usize,
    pub(crate) workers: usize,
    claims: usize,
    /// Who holds the rare cards, the one that took it first in front, while a line waits for them.
    pub(crate) held: VecDeque<(usize, ClaimId)>,
    effects: Vec<Effect>,
}

impl Lab {
    pub(crate) fn with_workers(workers: usize) -> Self {
        let config = RoomConfig { max_peers: usize::MAX, ..RoomConfig::default() };
        let room = Room::load(record(), Vec::new(), config, NOW);
        let mut lab =
            Self { room, peers: 0, workers, claims: 0, held: VecDeque::new(), effects: Vec::with_capacity(1024) };
        lab.settle();
        for n in 0..workers {
            let rare = n % (workers / RARE) == 0;
            let worker = lab.newcomer("worker", told(n, rare));
            lab.enter(worker);
        }
        lab
    }

    /// A peer that wants to come in, as the server's `access` lets it.
    pub(crate) fn newcomer(&mut self, role: &str, metadata: Metadata) -> Input {
        let n = self.peers;
        self.peers += 1;
        let register = Register {
            peer_id: Some(peer(n)),
            role: role.to_owned(),
            metadata,
            features: vec![CLAIMS.to_owned()],
            ..Register::default()
        };
        let member = MemberId::new(&format!("{n:064x}")).unwrap();
        let admission = Admission { member, key: None, fallback_peer_id: None, ice_servers: Vec::new() };
        Input::Register { conn: conn(n), admission, register: Box::new(register) }
    }

    /// Lets one in; its number.
    pub(crate) fn enter(&mut self, newcomer: Input) -> usize {
        self.take(newcomer);
        self.settle();
        self.last()
    }

    /// The number of the last newcomer.
    pub(crate) fn last(&self) -> usize {
        self.peers - 1
    }

    /// A client that may claim.
    pub(crate) fn client(&mut self) -> usize {
        let client = self.newcomer("client", Metadata::default());
        self.enter(client)
    }

    /// What is timed: the room takes an input in, and its effects are taken out.
    pub(crate) fn take(&mut self, input: Input) {
        self.room.handle(input, NOW);
        while let Some(effect) = self.room.next_effect() {
            self.effects.push(effect);
        }
    }

    /// The store takes everything at once, and nobody waits for it. Outside the time.
    pub(crate) fn settle(&mut self) {
        while let Some(effect) = self.room.next_effect() {
            self.effects.push(effect);
        }
        while let Some(effect) = self.effects.pop() {
            if let Effect::Persist { ticket, .. } = effect {
                self.take(Input::Persisted(ticket));
            }
        }
    }

    /// The frames that came out since the last [`Lab::settle`].
    pub(crate) fn frames(&self) -> impl Iterator<Item = &ToPeer> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Send { frame, .. } => Some(frame),
            _ => None,
        })
    }

    /// The claim that has just been granted, and to whom.
    pub(crate) fn claimed(&self) -> (usize, ClaimId) {
        let claimed = self.effects.iter().find_map(|effect| match effect {
            Effect::Send { conn, frame: ToPeer::Claimed(claimed) } => Some((conn.n as usize, claimed.claim_id.clone())),
            _ => None,
        });
        claimed.unwrap()
    }

    /// Whether a claim has just been put in line.
    pub(crate) fn waits(&self) -> bool {
        self.frames().any(|frame| matches!(frame, ToPeer::ClaimWaiting(_)))
    }

    /// All rare cards are taken, and so many claims wait for one.
    pub(crate) fn fill_line(&mut self, waiting: usize, filters: &Value) {
        if !self.held.is_empty() {
            return;
        }
        let clients: Vec<usize> = (0..waiting.div_ceil(8)).map(|_| self.client()).collect();
        for client in clients.iter().take(RARE) {
            let claim = self.claim(*client, filters.clone(), 0);
            self.take(claim);
            let claimed = self.claimed();
            self.held.push_back(claimed);
            self.settle();
        }
        for client in clients.iter().cycle().take(waiting) {
            self.wait_in_line(*client, filters);
        }
    }

    /// One more in line.
    pub(crate) fn wait_in_line(&mut self, client: usize, filters: &Value) {
        let claim = self.claim(client, filters.clone(), 3_600_000);
        self.take(claim);
        assert!(self.waits());
        self.settle();
    }

    /// How many peers the last discovery found.
    pub(crate) fn found(&self) -> usize {
        let count = self.frames().find_map(|frame| match frame {
            ToPeer::PeerList { count, .. } => Some(*count),
            _ => None,
        });
        count.unwrap()
    }

    pub(crate) fn claim(&mut self, client: usize, filters: Value, wait_ms: u64) -> Input {
        self.claims += 1;
        let claim = Claim {
            request_id: format!("request-{}", self.claims),
            filters: Filters::parse(filters).unwrap(),
            wait_ms,
            lease_ms: 30_000,
            job_id: JobId::new(&format!("job-{}", self.claims)).unwrap(),
            attempt: 1,
            count: 1,
            seat: None,
        };
        says(client, FromPeer::Claim(claim))
    }
}

/// What a worker tells about itself, as ours does.
pub(crate) fn told(n: usize, rare: bool) -> Metadata {
    let (gpu, memory_mb) = if rare { ("NVIDIA H100 80GB HBM3", 81_559) } else { ("NVIDIA RTX A5000", 24_564) };
    let host = format!("gpu-node-{n:05}");
    Metadata::from(json!({
        "tags": ["sleap-rtc", "training-worker", "lab-a"],
        "properties": {
            "gpu_memory_mb": memory_mb,
            "gpu_model": gpu,
            "gpu_name": gpu,
            "name": host,
            "worker_name": host,
            "hostname": host,
            "device": "cuda:0",
            "sleap_nn_version": "0.1.0",
            "worker_version": "0.1.0",
            "max_concurrent_jobs": 1,
            "supported_models": ["base", "centroid", "topdown"],
            "supported_job_types": ["training"],
            "status": "available",
        }
    }))
}

pub(crate) fn discover(asker: usize, filters: Value) -> Input {
    let filters = Filters::parse(filters).unwrap();
    says(asker, FromPeer::DiscoverPeers(Discover { from_peer_id: peer(asker), filters, absent: false }))
}

pub(crate) fn update(worker: usize, properties: &Value) -> Input {
    let metadata = Metadata::from(json!({"properties": properties}));
    says(
        worker,
        FromPeer::UpdateMetadata(UpdateMetadata { peer_id: peer(worker), metadata, condition: None, request_id: None }),
    )
}

pub(crate) fn release(client: usize, claim_id: ClaimId) -> Input {
    says(client, FromPeer::Release(Release { claim_id }))
}

/// Gives up the last claim that was asked for.
pub(crate) fn withdraw(client: usize, lab: &Lab) -> Input {
    says(client, FromPeer::Withdraw(Withdraw { request_id: format!("request-{}", lab.claims) }))
}

/// For good: the room does not miss it.
pub(crate) fn leaves(n: usize) -> Input {
    says(n, FromPeer::Leave)
}

fn says(n: usize, frame: FromPeer) -> Input {
    Input::Frame { conn: conn(n), frame }
}

fn conn(n: usize) -> ConnId {
    ConnId { n: n as u64, ..ConnId::default() }
}

fn peer(n: usize) -> PeerId {
    PeerId::new(&format!("worker-of-the-lab-{n}")).unwrap()
}

fn record() -> RoomRecord {
    RoomRecord {
        room_id: RoomId::new("a7f3d2e1").unwrap(),
        token: "f9g2h5".to_owned(),
        created_by: MemberId::new("ana").unwrap(),
        created_at: NOW,
        name: None,
        kind: RoomKind::Named,
        ttl_ms: None,
        expires_at: None,
        epoch: 0,
        switches: Switches::default(),
    }
}
