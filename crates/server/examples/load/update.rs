//! A worker tells its state: `update_metadata` and the confirmation with the whole metadata.

use serde_json::json;

use crate::Bench;
use crate::report::{Aim, Report};
use crate::rig::Error;
use crate::rig::forwarder::end;
use crate::rig::room::{Room, worker_metadata};
use crate::rounds::{System, in_turn};
use crate::way::Way;

pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Error> {
    let room = Room::make(bench.server.address).await?;
    let socket = room.join("w", "worker", worker_metadata("w", "NVIDIA RTX A5000")).await?;
    let metadata = json!({"properties": {"status": "busy", "current_job": "job-1", "free_at": 1_800_000_000}});
    let frame = json!({"type": "update_metadata", "peer_id": "w", "metadata": metadata}).to_string();
    let mut ours = Way::round_trip(socket, &frame, r#"{"type":"metadata_updated""#);
    // What comes back is longer than what goes there; the yardstick carries the longer one both ways.
    let answer = ours.once().await?;
    let echo = Way::round_trip(end(bench.plain.address, "e", "e").await?, &answer, "");
    let mut systems = [System { process: &bench.server, way: ours }, System { process: &bench.plain, way: echo }];
    for in_flight in [1, 32] {
        let [ours, plain] = in_turn(&mut systems, in_flight).await?;
        let what = |figure: &str| format!("update_metadata, {in_flight} in flight{figure}, beside plain");
        report.throughput(&what(""), &ours, &plain, Aim::AtLeast(0.4));
        report.time(&what(", p99"), 0.99, &ours, &plain, Aim::None);
        report.cpu(&what(", CPU"), &ours, &plain, Aim::None);
    }
    Ok(())
}
