//! A room full of workers, 50 of them with the card that is looked for.

use serde_json::{Value, json};
use sleap_rtc_room::{Admission, Effect, Input, Room, RoomConfig};
use sleap_rtc_wire::claim::{Claim, Release};
use sleap_rtc_wire::record::{RoomKind, RoomRecord};
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
    effects: Vec<Effect>,
}

impl Lab {
    pub(crate) fn with_workers(workers: usize) -> Self {
        let config = RoomConfig { max_peers: usize::MAX, ..RoomConfig::default() };
        let room = Room::load(record(), Vec::new(), config, NOW);
        let mut lab = Self { room, peers: 0, workers, claims: 0, effects: Vec::with_capacity(1024) };
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
        let admission = Admission { member, key: None, fallback_peer_id: None };
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

    /// The claim that has just been granted.
    pub(crate) fn claimed(&self) -> ClaimId {
        let claimed = self.frames().find_map(|frame| match frame {
            ToPeer::Claimed(claimed) => Some(claimed.claim_id.clone()),
            _ => None,
        });
        claimed.unwrap()
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

pub(crate) fn closes(n: usize) -> Input {
    Input::Closed { conn: conn(n) }
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
    }
}
