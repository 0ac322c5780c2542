//! A message of 1 KiB from one peer to another.

use serde_json::json;

use crate::Bench;
use crate::report::{Aim, Report};
use crate::rig::Error;
use crate::rig::forwarder::end;
use crate::rig::process::Process;
use crate::rig::room::{Room, worker_metadata};
use crate::rounds::{System, in_turn};
use crate::way::Way;

/// A message's payload, bytes.
const PAYLOAD: usize = 1024;

/// The frame: the same for all, so that all carry the same.
pub(crate) fn frame() -> String {
    json!({"type": "peer_message", "from_peer_id": "a", "to_peer_id": "b", "payload": "x".repeat(PAYLOAD)}).to_string()
}

pub(crate) async fn through(process: &Process) -> Result<System<'_>, Error> {
    let to = end(process.address, "b", "a").await?;
    let from = end(process.address, "a", "b").await?;
    Ok(System { process, way: Way::between(from, to, &frame()) })
}

/// From a client to a worker.
pub(crate) async fn in_room(room: &Room) -> Result<Way, Error> {
    let from = room.join("a", "client", json!({})).await?;
    let to = room.join("b", "worker", worker_metadata("b", "NVIDIA RTX A5000")).await?;
    Ok(Way::between(from, to, &frame()))
}

pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Error> {
    let way = in_room(&Room::make(bench.server.address).await?).await?;
    let server = System { process: &bench.server, way };
    let mut systems = [server, through(&bench.plain).await?, through(&bench.json).await?];
    let [ours, plain, json] = in_turn(&mut systems, 1).await?;
    report.throughput("relay, 1 in flight, beside plain", &ours, &plain, Aim::AtLeast(0.8));
    report.time("relay, 1 in flight, p50, beside plain", 0.5, &ours, &plain, Aim::None);
    report.time("relay, 1 in flight, p99, beside plain", 0.99, &ours, &plain, Aim::AtMost(2.0));
    report.cpu("relay, 1 in flight, CPU a message, beside json", &ours, &json, Aim::AtMost(1.5));
    let [ours, plain, json] = in_turn(&mut systems, 32).await?;
    report.throughput("relay, 32 in flight, beside json", &ours, &json, Aim::AtLeast(0.8));
    report.throughput("relay, 32 in flight, beside plain", &ours, &plain, Aim::None);
    report.time("relay, 32 in flight, p99, beside json", 0.99, &ours, &json, Aim::None);
    report.cpu("relay, 32 in flight, CPU a message, beside json", &ours, &json, Aim::AtMost(1.5));
    report.cpu("relay, 32 in flight, CPU a message, beside plain", &ours, &plain, Aim::None);
    Ok(())
}
