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
        wait_ms: u64,
        /// A job of few, so that some are asked for again; `None`: one that nobody has asked for.
        job: Option<u64>,
        attempt: u32,
    },
    Withdraw {
        client: usize,
        nth: usize,
    },
    /// A peer goes for good.
    Leave(usize),
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
    let status = prop_oneof![4 => Just("available"), 1 => Just("busy"), 1 => Just("reserved"), 1 => Just("maintenance"), 1 => Just("draining")];
    prop_oneof![
        8 => peer().prop_map(Step::Connect),
        2 => peer().prop_map(Step::Again),
        2 => peer().prop_map(Step::Lose),
        1 => peer().prop_map(Step::CloseStale),
        1 => WORKERS.prop_map(Step::Kill),
        10 => claim(),
        3 => (client(), 0..2_usize).prop_map(|(client, nth)| Step::Withdraw { client, nth }),
        1 => peer().prop_map(Step::Leave),
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

fn claim() -> impl Strategy<Value = Step> {
    let count = prop_oneof![6 => Just(1_u32), 1 => 2..4_u32];
    let wait_ms = prop_oneof![1 => Just(0_u64), 2 => 0..8_000_000_u64];
    let job = prop_oneof![1 => Just(None), 2 => (0..4_u64).prop_map(Some)];
    (0..CLIENTS, count, 0..200_000_u64, wait_ms, job, 1..4_u32).prop_map(
        |(client, count, lease_ms, wait_ms, job, attempt)| Step::Claim {
            client,
            count,
            lease_ms,
            wait_ms,
            job,
            attempt,
        },
    )
}
