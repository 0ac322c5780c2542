//! Who is there: 50 matches among many, beside one frame of the answer's size.

use serde_json::{Value, json};

use crate::Bench;
use crate::report::{Aim, Report};
use crate::rig::Error;
use crate::rig::forwarder::end;
use crate::rig::room::Room;
use crate::rig::socket::Socket;
use crate::rounds::{System, in_turn};
use crate::way::Way;

/// Workers that are found.
pub(crate) const MATCHES: usize = 50;
/// What they have and the others have not.
const WANTED: &str = "NVIDIA H100";
const OTHER: &str = "NVIDIA RTX A5000";
/// Peers that join at once.
const AT_ONCE: usize = 50;

/// Fills a room with so many workers, of which [`MATCHES`], evenly spread, are those that [`frame`] asks for.
pub(crate) async fn fill(room: &Room, workers: usize) -> Result<Vec<Socket>, Error> {
    let every = workers / MATCHES;
    let gpu = |n: usize| if n.is_multiple_of(every) { WANTED } else { OTHER };
    room.join_all((0..workers).map(|n| (format!("worker-{n}"), gpu(n))).collect(), AT_ONCE).await
}

pub(crate) fn frame(asker: &str) -> String {
    let filters = json!({
        "role": "worker", "tags": ["training-worker"],
        "properties": {"status": "available", "gpu_model": WANTED, "gpu_memory_mb": {"$gte": 16384}},
    });
    json!({"type": "discover_peers", "from_peer_id": asker, "filters": filters}).to_string()
}

/// An asker, which has been answered once: the answer.
pub(crate) async fn asker(room: &Room, name: &str) -> Result<(Way, String), Error> {
    let socket = room.join(name, "client", json!({})).await?;
    let mut way = Way::round_trip(socket, &frame(name), r#"{"type":"peer_list""#);
    let answer = way.once().await?;
    let value: Value = serde_json::from_str(&answer)?;
    let found = value["peers"].as_array().map_or(0, Vec::len);
    if found == MATCHES { Ok((way, answer)) } else { Err(format!("{found} were found").into()) }
}

pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Error> {
    for workers in [1_000, 5_000] {
        let room = Room::make(bench.server.address).await?;
        let sockets = fill(&room, workers).await?;
        let (way, answer) = asker(&room, "asker").await?;
        let echo = Way::round_trip(end(bench.plain.address, "e", "e").await?, &answer, "");
        let json = Way::round_trip(end(bench.json.address, "e", "e").await?, &answer, "");
        let mut systems = [
            System { process: &bench.server, way },
            System { process: &bench.plain, way: echo },
            System { process: &bench.json, way: json },
        ];
        let [ours, plain, json] = in_turn(&mut systems, 1).await?;
        let kb = answer.len() / 1000;
        let what = |figure| format!("{MATCHES} of {workers} discovered, {figure}, beside a frame of {kb} kB");
        report.time(&what("p50"), 0.5, &ours, &plain, Aim::AtMost(2.0));
        report.time(&what("p99"), 0.99, &ours, &plain, Aim::AtMost(2.0));
        report.cpu(&what("CPU"), &ours, &plain, Aim::None);
        report.time(&format!("{MATCHES} of {workers} discovered, p50, beside json"), 0.5, &ours, &json, Aim::None);
        drop(sockets);
    }
    Ok(())
}
