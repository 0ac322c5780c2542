//! What may happen next.

use proptest::prelude::*;

/// Peers are numbered: 0 to 2 are clients, 3 to 6 workers, 7 a worker that lies about what it holds.
pub(crate) const CLIENTS: usize = 3;
pub(crate) const WORKERS: std::ops::Range<usize> = 3..7;
pub(crate) const LIAR: usize = 7;
pub(crate) const PEERS: usize = 8;

/// One thing that happens. Numbers that point at nothing make a step without effect.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A peer registers on a new connection, which it then uses; it does not close the earlier one.
    Connect(usize),
    /// A peer registers again on its connection.
    Again(usize),
    /// The latest connection of a peer is lost.
    Lose(usize),
    /// An earlier connection of some peer is closed at last.
    CloseStale(usize),
    /// A worker's program is killed: it forgets what it held.
    Kill(usize),
    Claim {
        client: usize,
        count: u32,
        lease_ms: u64,
    },
    Release {
        client: usize,
        nth: usize,
    },
    Use(usize),
    Free(usize),
    /// A worker says what it does; `true`: only if it is available.
    Status(usize, &'static str, bool),
    Discover(usize),
    Message(usize, usize),
    /// A peer uses a claim id that is not its own.
    Meddle(usize, u64),
    Wait(u64),
    /// The clock moves to the room's next timeout.
    Timeout,
    /// The store answers its oldest request.
    Store(bool),
    /// The server is killed. `true`: the oldest write under way was committed.
    Restart(bool),
    Extend,
    DeletePeer(usize),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let peer = || 0..PEERS;
    let client = || 0..CLIENTS;
    let status =
        prop_oneof![4 => Just("available"), 1 => Just("busy"), 1 => Just("reserved"), 1 => Just("maintenance")];
    prop_oneof![
        8 => peer().prop_map(Step::Connect),
        2 => peer().prop_map(Step::Again),
        2 => peer().prop_map(Step::Lose),
        1 => peer().prop_map(Step::CloseStale),
        1 => WORKERS.prop_map(Step::Kill),
        10 => (client(), prop_oneof![6 => Just(1_u32), 1 => 2..4_u32], 0..200_000_u64)
            .prop_map(|(client, count, lease_ms)| Step::Claim { client, count, lease_ms }),
        2 => (client(), 0..3_usize).prop_map(|(client, nth)| Step::Release { client, nth }),
        6 => WORKERS.prop_map(Step::Use),
        3 => WORKERS.prop_map(Step::Free),
        4 => (WORKERS, status, any::<bool>()).prop_map(|(worker, status, only)| Step::Status(worker, status, only)),
        1 => peer().prop_map(Step::Discover),
        1 => (peer(), peer()).prop_map(|(from, to)| Step::Message(from, to)),
        1 => (peer(), 0..20_u64).prop_map(|(peer, n)| Step::Meddle(peer, n)),
        4 => prop_oneof![0..2_000_u64, 0..60_000_u64, 0..4_000_000_u64].prop_map(Step::Wait),
        3 => Just(Step::Timeout),
        14 => prop_oneof![9 => Just(true), 1 => Just(false)].prop_map(Step::Store),
        1 => any::<bool>().prop_map(Step::Restart),
        1 => Just(Step::Extend),
        1 => peer().prop_map(Step::DeletePeer),
    ]
}
