//! Who is in a room, as a table.

use std::time::Duration;

use serde_json::{Value, json};
use sleap_rtc_wire::signal::PeerEntry;

use crate::text::{clean, duration};

/// The table, workers first, then clients, each in the order they joined. `now` is Unix time in seconds.
pub fn table(peers: &[PeerEntry], now: u64) -> Vec<String> {
    let mut rows: Vec<[String; 4]> = vec![["NAME", "ROLE", "DEVICE", "STATE"].map(str::to_owned)];
    rows.extend(sorted(peers).into_iter().map(|peer| row(peer, now)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2].map(width);
    rows.iter()
        .map(|[name, role, device, state]| {
            let [a, b, c] = widths;
            format!("{name:a$}  {role:b$}  {device:c$}  {state}").trim_end().to_owned()
        })
        .collect()
}

/// One line about all of them: `2 workers (1 available), 1 client`.
pub fn summary(peers: &[PeerEntry]) -> String {
    let workers = peers.iter().filter(|peer| peer.role == "worker").count();
    let free = peers.iter().filter(|peer| peer.role == "worker" && property(peer, "status") == "available").count();
    let clients = peers.len() - workers;
    let s = |n: usize| if n == 1 { "" } else { "s" };
    format!("{workers} worker{} ({free} available), {clients} other{}", s(workers), s(clients))
}

/// The same for a program, one object a peer.
pub fn to_json(peer: &PeerEntry) -> Value {
    let known = |name: &str| peer.metadata.property(name).cloned().unwrap_or(Value::Null);
    json!({
        "event": "peer",
        "peer_id": peer.peer_id,
        "name": clean(name(peer)),
        "role": peer.role,
        "status": known("status"),
        "job_id": known("current_job_id"),
        "job_start_time": known("job_start_time"),
        "gpu_model": known("gpu_model"),
        "gpu_memory_mb": known("gpu_memory_mb"),
        "tags": peer.metadata.tags().collect::<Vec<_>>(),
        "connected_at": peer.connected_at,
    })
}

fn sorted(peers: &[PeerEntry]) -> Vec<&PeerEntry> {
    let mut sorted: Vec<&PeerEntry> = peers.iter().collect();
    sorted.sort_by_key(|peer| peer.role != "worker");
    sorted
}

fn row(peer: &PeerEntry, now: u64) -> [String; 4] {
    let device = match property(peer, "device") {
        _ if peer.role != "worker" => String::new(),
        // Two workers of one machine have one name: the slot tells them apart.
        slot if slot.starts_with("gpu") => format!("{slot} {}", device(peer)),
        _ => device(peer),
    };
    [clean(name(peer)).into_owned(), clean(&peer.role).into_owned(), clean(&device).into_owned(), state(peer, now)]
}

fn property<'a>(peer: &'a PeerEntry, name: &str) -> &'a str {
    peer.metadata.property(name).and_then(Value::as_str).unwrap_or_default()
}

/// How people call it: the name that it was given, else its machine's, else its id.
pub(crate) fn name(peer: &PeerEntry) -> &str {
    ["worker_name", "name", "hostname"]
        .into_iter()
        .map(|key| property(peer, key))
        .find(|text| !text.is_empty())
        .unwrap_or(peer.peer_id.as_str())
}

/// `NVIDIA RTX 4090, 24 GB`, or that there is none.
pub(crate) fn device(peer: &PeerEntry) -> String {
    let memory = peer.metadata.property("gpu_memory_mb").and_then(Value::as_u64).filter(|mib| *mib > 0);
    match (property(peer, "gpu_model"), memory) {
        ("", None) => "CPU".to_owned(),
        (model, None) => model.to_owned(),
        // Rounded up: an "8 GB" card reports a little less than 8 GiB.
        (model, Some(mib)) => format!("{model}, {} GB", mib.div_ceil(1024)),
    }
}

/// What it does, and for which job since when.
fn state(peer: &PeerEntry, now: u64) -> String {
    let status = property(peer, "status");
    let mut parts = vec![clean(status).into_owned()];
    let job = property(peer, "current_job_id");
    if !job.is_empty() {
        parts.push(format!("job {}", clean(job)));
    }
    if let Some(since) = peer.metadata.property("job_start_time").and_then(Value::as_f64)
        && status == "busy"
    {
        parts.push(duration(Duration::from_secs(now.saturating_sub(since as u64))));
    }
    parts.join("  ")
}
