//! Who is in the room.

use insta::assert_snapshot;
use serde_json::json;
use sleap_rtc_cli::roster::{absent_to_json, summary, table, to_json};
use sleap_rtc_session::pool_client::Found;
use sleap_rtc_wire::signal::{AbsentPeer, PeerEntry};

fn found() -> Found {
    let absent = json!([
        {"peer_id": "worker-lab-3", "seen_at": 1685.2, "job_id": "9e1c", "metadata": {"properties":
            {"worker_name": "lab-3", "gpu_model": "RTX 4090", "gpu_memory_mb": 24_564, "device": "gpu1", "status": "silent"}}},
        {"peer_id": "worker-lab-4", "seen_at": 1000.0, "metadata": {"properties":
            {"worker_name": "lab-4", "status": "lost"}}}
    ]);
    let absent: Vec<AbsentPeer> = serde_json::from_value(absent).expect("workers");
    let mut peers = peers();
    peers[2].was_silent_ms = Some(180_000);
    Found { total: peers.len(), peers, absent }
}

fn peers() -> Vec<PeerEntry> {
    let list = json!([
        {"peer_id": "client-1", "role": "client", "metadata": {"properties": {"hostname": "laptop"}}, "connected_at": 0.0},
        {"peer_id": "worker-gpu-box-gpu0-1234", "role": "worker", "connected_at": 0.0, "metadata": {
            "tags": ["sleap-rtc", "training-worker"],
            "properties": {"worker_name": "gpu-box", "gpu_model": "NVIDIA RTX 4090", "gpu_memory_mb": 24_564, "device": "gpu0",
                "status": "busy", "current_job_id": "7d3f9a", "job_start_time": 1000}}},
        {"peer_id": "worker-old", "role": "worker", "connected_at": 0.0, "metadata": {"properties":
            {"hostname": "evil\u{1b}[2Jbox", "gpu_model": "CPU only", "gpu_memory_mb": 0, "sleap_version": "1.4", "status": "available"}}},
        {"peer_id": "worker-bare", "role": "worker", "connected_at": 0.0, "metadata": {}}
    ]);
    serde_json::from_value(list).expect("peers")
}

#[test]
fn a_room_is_a_table() {
    assert_snapshot!(table(&found(), 1725).join("\n"), @r"
    NAME         ROLE             DEVICE                       STATE
    gpu-box      worker           gpu0 NVIDIA RTX 4090, 24 GB  busy  job 7d3f9a  12 min 05 s
    evilbox      worker (Python)  CPU only                     available  came back (was silent 3 min 00 s)
    worker-bare  worker           CPU
    lab-3        worker           gpu1 RTX 4090, 24 GB         silent 40 s  job 9e1c
    lab-4        worker           CPU                          lost 12 min 05 s
    laptop       client
    ");
    assert_snapshot!(summary(&found()), @"2 workers (0 available), 1 of the Python package, 2 missing, 1 other");
}

#[test]
fn a_room_for_a_program() {
    assert_snapshot!(to_json(&peers()[1]), @r#"{"connected_at":0.0,"event":"peer","gpu_memory_mb":24564,"gpu_model":"NVIDIA RTX 4090","is_of_python":false,"job_id":"7d3f9a","job_start_time":1000,"name":"gpu-box","peer_id":"worker-gpu-box-gpu0-1234","role":"worker","status":"busy","tags":["sleap-rtc","training-worker"],"was_silent_ms":null}"#);
    assert_snapshot!(absent_to_json(&found().absent[0], 1725), @r#"{"event":"missing","gpu_memory_mb":24564,"gpu_model":"RTX 4090","job_id":"9e1c","name":"lab-3","peer_id":"worker-lab-3","role":"worker","seen_at":1685.2,"silent_s":40,"status":"silent","tags":[]}"#);
}
