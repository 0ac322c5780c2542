//! Who is in a room, and who is missed there, as a table.

use std::time::Duration;

use serde_json::{Value, json};
use sleap_rtc_client::{is_of_python, name_of};
use sleap_rtc_session::pool_client::Found;
use sleap_rtc_wire::Metadata;
use sleap_rtc_wire::signal::{AbsentPeer, PeerEntry};

use crate::text::{clean, count, duration};

/// The table: workers, then those that are silent or lost, then clients, each in the order they came. `now` is Unix time in
/// seconds.
pub fn table(found: &Found, now: u64) -> Vec<String> {
    let mut rows: Vec<[String; 4]> = vec![["NAME", "ROLE", "DEVICE", "STATE"].map(str::to_owned)];
    let (workers, others): (Vec<_>, Vec<_>) = found.peers.iter().partition(|peer| peer.role == "worker");
    rows.extend(workers.into_iter().map(|peer| row(peer, now)));
    rows.extend(found.absent.iter().map(|worker| absent_row(worker, now)));
    rows.extend(others.into_iter().map(|peer| row(peer, now)));
    columns(&rows)
}

/// Rows with their columns one below the other; the last one is as wide as it likes.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// One line about all of them: `2 workers (1 available), 1 of the Python package, 1 missing, 1 other`.
pub fn summary(found: &Found) -> String {
    let workers = || found.peers.iter().filter(|peer| peer.role == "worker");
    let ours = || workers().filter(|peer| !is_of_python(&peer.metadata));
    let free = ours().filter(|peer| text(&peer.metadata, "status") == "available").count();
    let (all, ours) = (workers().count(), ours().count());
    let mut parts = vec![format!("{} ({free} available)", count(ours, "worker"))];
    if all > ours {
        // Free or not, no command of ours can use them.
        parts.push(format!("{} of the Python package", all - ours));
    }
    if !found.absent.is_empty() {
        parts.push(format!("{} missing", found.absent.len()));
    }
    parts.push(count(found.peers.len() - all, "other"));
    parts.join(", ")
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
        "is_of_python": is_of_python(&peer.metadata),
        "was_silent_ms": peer.was_silent_ms,
    })
}

/// The same of a worker that is silent or lost: not a `peer`, as it is not in the room.
pub fn absent_to_json(worker: &AbsentPeer, now: u64) -> Value {
    let known = |name: &str| worker.metadata.property(name).cloned().unwrap_or(Value::Null);
    json!({
        "event": "missing",
        "peer_id": worker.peer_id,
        "name": clean(name_of(&worker.metadata, &worker.peer_id)),
        "role": "worker",
        "status": known("status"),
        "job_id": worker.job_id,
        "gpu_model": known("gpu_model"),
        "gpu_memory_mb": known("gpu_memory_mb"),
        "tags": worker.metadata.tags().collect::<Vec<_>>(),
        "seen_at": worker.seen_at,
        "silent_s": silent(worker, now).as_secs(),
    })
}

fn silent(worker: &AbsentPeer, now: u64) -> Duration {
    Duration::from_secs(now.saturating_sub(worker.seen_at as u64))
}

fn row(peer: &PeerEntry, now: u64) -> [String; 4] {
    let device = if peer.role == "worker" { slot(&peer.metadata) } else { String::new() };
    let mut role = clean(&peer.role).into_owned();
    if is_of_python(&peer.metadata) {
        // Which only the Python package's own clients can use.
        role.push_str(" (Python)");
    }
    [clean(name(peer)).into_owned(), role, device, state(peer, now)]
}

fn absent_row(worker: &AbsentPeer, now: u64) -> [String; 4] {
    let name = clean(name_of(&worker.metadata, &worker.peer_id)).into_owned();
    let status = clean(text(&worker.metadata, "status"));
    let mut state = format!("{status} {}", duration(silent(worker, now)));
    if let Some(job) = &worker.job_id {
        state = format!("{state}  job {job}");
    }
    [name, "worker".to_owned(), slot(&worker.metadata), state]
}

/// Two workers of one machine have one name: the slot tells them apart.
fn slot(metadata: &Metadata) -> String {
    let device = device_of(metadata);
    match text(metadata, "device") {
        slot if slot.starts_with("gpu") => clean(&format!("{slot} {device}")).into_owned(),
        _ => clean(&device).into_owned(),
    }
}

fn text<'a>(metadata: &'a Metadata, name: &str) -> &'a str {
    metadata.property(name).and_then(Value::as_str).unwrap_or_default()
}

/// How people call it: the name that it was given, else its machine's, else its id.
pub(crate) fn name(peer: &PeerEntry) -> &str {
    name_of(&peer.metadata, &peer.peer_id)
}

/// `NVIDIA RTX 4090, 24 GB`, or that there is none.
pub(crate) fn device(peer: &PeerEntry) -> String {
    device_of(&peer.metadata)
}

fn device_of(metadata: &Metadata) -> String {
    let memory = metadata.property("gpu_memory_mb").and_then(Value::as_u64).filter(|mib| *mib > 0);
    match (text(metadata, "gpu_model"), memory) {
        ("", None) => "CPU".to_owned(),
        (model, None) => model.to_owned(),
        // Rounded up: an "8 GB" card reports a little less than 8 GiB.
        (model, Some(mib)) => format!("{model}, {} GB", mib.div_ceil(1024)),
    }
}

/// What it does, and for which job since when.
fn state(peer: &PeerEntry, now: u64) -> String {
    let status = text(&peer.metadata, "status");
    let mut parts = vec![clean(status).into_owned()];
    let job = text(&peer.metadata, "current_job_id");
    if !job.is_empty() {
        parts.push(format!("job {}", clean(job)));
    }
    if let Some(since) = peer.metadata.property("job_start_time").and_then(Value::as_f64)
        && status == "busy"
    {
        parts.push(duration(Duration::from_secs(now.saturating_sub(since as u64))));
    }
    if let Some(ms) = peer.was_silent_ms {
        parts.push(format!("came back (was silent {})", duration(Duration::from_millis(ms))));
    }
    parts.join("  ")
}
