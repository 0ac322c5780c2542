//! What a registered peer costs that does nothing.

use crate::Bench;
use crate::discover::fill;
use crate::report::{Aim, Report};
use crate::rig::Error;
use crate::rig::room::{Room, worker_metadata};

const PEERS: usize = 2_000;

pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Error> {
    let room = Room::make(bench.server.address).await?;
    // The first peer pays for what all of them share.
    let _first = room.join("first", "worker", worker_metadata("first", "NVIDIA RTX A5000")).await?;
    let before = bench.server.resident_kb()?;
    let sockets = fill(&room, PEERS).await?;
    let each = (bench.server.resident_kb()? - before) / PEERS as f64 * 1024.0 / 1000.0;
    report.figure(&format!("idle registered peer, {PEERS} in one room"), "kB", each, Aim::AtMost(15.0));
    drop(sockets);
    Ok(())
}
