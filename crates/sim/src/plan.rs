//! What is to happen in a world: who is in it, and what goes wrong when. Made from a seed; written and read as text, so that a
//! failing one can be made smaller and kept.

use crate::random::Random;

/// Times that differ from world to world, ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knobs {
    /// How long an ephemeral room outlives its last peer.
    pub grace_ms: u64,
    /// How long the unused claims and the place in line of a client outlive its connection.
    pub client_grace_ms: u64,
    /// After how long a silent worker counts as lost.
    pub lost_ms: u64,
    /// How long a restarted room waits for its workers.
    pub recover_ms: u64,
    /// How long it waits in any case.
    pub settle_ms: u64,
    /// How long an anonymous identity outlives its last connection.
    pub identity_ms: u64,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPlan {
    /// Made with a name, with this time to live, seconds (0: for ever); `None`: ephemeral.
    pub named: Option<u64>,
    /// Who makes it: an index into the members.
    pub owner: usize,
}

/// Kinds of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Our worker.
    Worker,
    /// Our client.
    Client,
    /// A peer of the old programs, with an anonymous identity: role worker, client or peer, no claims.
    Plain,
    /// A peer that knows claims and keeps to no rule.
    Rough,
    /// A worker of the deployed kind, as it behaves.
    OldWorker,
    /// A client of that kind.
    OldClient,
}

/// A peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerPlan {
    /// What it is.
    pub kind: Kind,
    /// In which room.
    pub room: usize,
    /// Whose it is.
    pub member: usize,
}

/// What is done to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Kill the server; it is back after `ms`.
    KillServer,
    /// Start a second server beside the first, whose writes fail from now on; it ends after `ms`.
    SecondServer,
    /// No write is taken for `ms`.
    StoreDown,
    /// Writes take long for `ms`.
    StoreSlow,
    /// Cut a peer's connection to the server; both hear of it soon.
    Cut,
    /// Cut it; the server hears of it after `ms`.
    HalfOpen,
    /// Cut a peer off from everybody for `ms`.
    Partition,
    /// Everything is slow for `ms`.
    SlowNetwork,
    /// Cut a link of this peer.
    CutLink,
    /// Kill a peer's process; it is back after `ms`.
    Kill,
    /// Kill a worker's process in the middle of its next record; it is back after `ms`.
    KillWriting,
    /// Cut a worker off on which a job runs, from everybody, until it counts as lost and `ms` longer.
    Lose,
    /// A worker's disk fails for `ms`.
    DiskFails,
    /// A worker is told to end at once: its jobs are broken off; a new process comes after a while.
    EndNow,
    /// Drain a worker; a new process comes after `ms`.
    Drain,
    /// A client's user cancels.
    Cancel,
    /// A client's user stops the job early.
    Stop,
    /// A client's user leaves; the next comes after `ms`.
    Leave,
    /// HTTP: extend a room.
    Extend,
    /// HTTP: delete a room; it is made again after `ms`, under its old name if `who` is even.
    DeleteRoom,
    /// HTTP: delete a peer.
    DeletePeer,
    /// HTTP: give a job to a worker of the deployed kind.
    Assign,
}

impl Deed {
    /// All of them by name, with how often each is drawn.
    pub const ALL: &[(Self, &'static str, u64)] = &[
        (Self::KillServer, "kill-server", 10),
        (Self::SecondServer, "second-server", 6),
        (Self::StoreDown, "store-down", 4),
        (Self::StoreSlow, "store-slow", 3),
        (Self::Cut, "cut", 12),
        (Self::HalfOpen, "half-open", 8),
        (Self::Partition, "partition", 8),
        (Self::SlowNetwork, "slow-network", 3),
        (Self::CutLink, "cut-link", 8),
        (Self::Kill, "kill", 10),
        (Self::KillWriting, "kill-writing", 4),
        (Self::Lose, "lose", 24),
        (Self::DiskFails, "disk-fails", 4),
        (Self::EndNow, "end-now", 4),
        (Self::Drain, "drain", 4),
        (Self::Cancel, "cancel", 4),
        (Self::Stop, "stop", 3),
        (Self::Leave, "leave", 5),
        (Self::Extend, "extend", 2),
        (Self::DeleteRoom, "delete-room", 2),
        (Self::DeletePeer, "delete-peer", 3),
        (Self::Assign, "assign", 6),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(deed, ..)| *deed == self).map_or("", |(_, name, _)| name)
    }
}

/// Something that is done to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// After how many events.
    pub at: u64,
    /// What.
    pub deed: Deed,
    /// To whom: a peer or a room, as the deed asks for.
    pub who: usize,
    /// For how long, ms.
    pub ms: u64,
}

/// A world to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed of everything that is not said here: how long each thing takes, what users want.
    pub seed: u64,
    /// After how many events the faults stop.
    pub events: u64,
    /// Times.
    pub knobs: Knobs,
    /// Rooms.
    pub rooms: Vec<RoomPlan>,
    /// Peers.
    pub peers: Vec<PeerPlan>,
    /// What goes wrong, in order.
    pub acts: Vec<Act>,
}

/// Members with a key.
pub(crate) const MEMBERS: usize = 6;

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64, events: u64) -> Self {
        let mut random = Random::new(seed);
        let knobs = Knobs {
            grace_ms: *random.pick(&[0, 5_000, 60_000]),
            client_grace_ms: *random.pick(&[1_000, 5_000, 30_000]),
            // Longer than the minute after which a server calls a connection dead, as `--lost-after` must be.
            lost_ms: *random.pick(&[75_000, 75_000, 120_000, 600_000]),
            recover_ms: *random.pick(&[2_000, 5_000, 20_000]),
            settle_ms: 1_500,
            identity_ms: *random.pick(&[5_000, 60_000]),
        };
        let rooms = Self::rooms(&mut random);
        let peers = Self::peers(&mut random, rooms.len());
        let mut plan = Self { seed, events, knobs, rooms, peers, acts: Vec::new() };
        plan.acts = plan.acts(&mut random);
        plan
    }

    fn rooms(random: &mut Random) -> Vec<RoomPlan> {
        let count = random.between(1, 3);
        (0..count)
            .map(|_| {
                let named = *random.pick(&[None, Some(0), Some(120), Some(3600), Some(2_592_000)]);
                RoomPlan { named, owner: random.index(MEMBERS) }
            })
            .collect()
    }

    fn peers(random: &mut Random, rooms: usize) -> Vec<PeerPlan> {
        let mut peers = Vec::new();
        for room in 0..rooms {
            // The first room is the busy one.
            let share = if room == 0 { 1 } else { 3 };
            // Some rooms have more workers than one member may book.
            let (few, many) = if room == 0 && random.one_in(12) { (10, 12) } else { (1, 4) };
            for (kind, low, high) in [
                (Kind::Worker, few, many),
                (Kind::Client, 1, 5),
                (Kind::Plain, 0, 2),
                (Kind::Rough, 0, 2),
                (Kind::OldWorker, 0, 2),
                (Kind::OldClient, 0, 3),
            ] {
                for _ in 0..random.between(low, high).div_ceil(share) {
                    peers.push(PeerPlan { kind, room, member: random.index(MEMBERS) });
                }
            }
        }
        peers
    }

    fn acts(&self, random: &mut Random) -> Vec<Act> {
        let mix: u64 = Deed::ALL.iter().map(|(.., weight)| weight).sum();
        // One world in eight is at peace: what holds without faults must hold there too.
        let most = if random.one_in(8) { 0 } else { self.events / 50 };
        let count = random.between(most / 2, most);
        let mut acts: Vec<Act> = (0..count)
            .map(|_| {
                let mut at = random.below(mix);
                let mut deed = Deed::KillServer;
                for (one, _, weight) in Deed::ALL {
                    deed = *one;
                    if at < *weight {
                        break;
                    }
                    at -= weight;
                }
                let longest = *random.pick(&[500, 5_000, 40_000, 150_000, 900_000]);
                let ms = random.between(1, longest);
                Act { at: random.below(self.events.max(1)), deed, who: random.index(self.peers.len()), ms }
            })
            .collect();
        acts.sort_by_key(|act| act.at);
        acts
    }
}
