//! What an idle peer costs, and how fast messages are handed on, beside a bare WebSocket forwarder in the same run.
//!
//!     cargo run --release -p sleap-rtc-server --example relay_bench [peers, default 2000]
//!
//! Server and forwarder are processes of their own with one thread each; their CPU time and memory are read from `/proc`.
//! Both ends of every message are in this process. Absolute numbers depend on the machine: read the ratios.

#[path = "relay_bench/forwarder.rs"]
mod forwarder;
#[path = "relay_bench/load.rs"]
mod load;
#[path = "relay_bench/process.rs"]
mod process;
#[path = "relay_bench/room.rs"]
mod room;

use std::time::Instant;

use load::{Figures, relay};
use process::Process;
use room::Room;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Peers of the memory figure, if not given.
const PEERS: usize = 2000;
/// Rounds of server and forwarder in turn, so that a noisy neighbour meets both.
const ROUNDS: usize = 3;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("serve") => process::on_one_thread(room::serve()),
        Some("forward") => process::on_one_thread(forwarder::serve()),
        peers => {
            let peers = peers.map_or(Ok(PEERS), str::parse)?;
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(bench(peers))
        }
    }
}

async fn bench(peers: usize) -> Result<(), Error> {
    let mut server = Process::start("serve").await?;
    let mut forwarder = Process::start("forward").await?;
    println!("relay of 1 KiB messages, median of {ROUNDS} rounds of 3 s");
    println!(
        "{:10} {:>9} {:>10} {:>10} {:>12} {:>16}",
        "", "in flight", "p50 us", "p99 us", "messages/s", "messages/core s"
    );
    for in_flight in [1, 32] {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let room = Room::make(&server).await?;
            ours.push(relay(&server, room.pair().await?, in_flight).await?);
            bare.push(relay(&forwarder, forwarder::pair(&forwarder).await?, in_flight).await?);
        }
        let (ours, bare) = (Figures::median(&ours), Figures::median(&bare));
        ours.print("server", in_flight);
        bare.print("forwarder", in_flight);
        ours.compare(&bare);
    }
    let room = Room::make(&server).await?;
    // The first peer pays for what all of them share.
    let _first = room.join("first", "worker").await?;
    let (memory, cpu, begin) = (server.resident_kb()?, server.cpu_seconds()?, Instant::now());
    let sockets = room.join_many(peers).await?;
    let (took, used) = (begin.elapsed().as_secs_f64(), server.cpu_seconds()? - cpu);
    let each = (server.resident_kb()? - memory) / peers as f64;
    println!("idle registered peer: {each:.1} kB resident ({peers} peers in one room)");
    println!("connect and register: {:.0}/s seen, {:.0}/core s", peers as f64 / took, peers as f64 / used);
    drop(sockets);
    server.stop().await?;
    forwarder.stop().await
}
