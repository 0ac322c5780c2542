//! The events of a training for a program: one JSON object a line, told apart by `event`.

use serde_json::{Value, json};
use sleap_rtc_client::{Missing, TrainEvent};
use sleap_rtc_wire::claim::{ClaimWaiting, Workers};

use crate::roster;
use crate::text::clean;

/// The event on one line. The worker's own events keep the form that they have on the wire.
pub(crate) fn line(event: &TrainEvent) -> String {
    match event {
        // Nothing in it can fail to be written: no maps with keys that are not texts.
        TrainEvent::Job(event) => serde_json::to_string(event).unwrap_or_default(),
        other => object(other).to_string(),
    }
}

fn object(event: &TrainEvent) -> Value {
    match event {
        TrainEvent::Reading { labels } => json!({"event": "reading", "labels": labels.display().to_string()}),
        TrainEvent::Planned { files, bytes } => json!({"event": "planned", "files": files, "bytes": bytes}),
        TrainEvent::Finding { job_id, room } => json!({"event": "finding", "job_id": job_id, "room": room}),
        TrainEvent::Waiting(waiting) => {
            let ClaimWaiting { place, reason, workers, estimate_ms, .. } = *waiting;
            let Workers { matching, busy, draining, held, silent } = workers;
            json!({
                "event": "waiting", "place": place, "reason": reason, "matching": matching, "busy": busy,
                "draining": draining, "held": held, "silent": silent, "estimate_ms": estimate_ms,
            })
        }
        TrainEvent::Missing(missing) => {
            let each = |one: &Missing| json!({"name": clean(&one.name), "silent_ms": one.silent_ms});
            json!({"event": "missing", "workers": missing.iter().map(each).collect::<Vec<_>>()})
        }
        TrainEvent::Found { worker, entry } => {
            let name = entry.as_deref().map_or(worker.as_str(), roster::name);
            let device = entry.as_deref().map(roster::device);
            json!({"event": "found", "worker": worker, "name": clean(name), "device": device.map(|text| clean(&text).into_owned())})
        }
        TrainEvent::Connecting => json!({"event": "connecting"}),
        TrainEvent::Connected { path } => json!({"event": "connected", "path": path}),
        TrainEvent::Accepted { attached } => json!({"event": "accepted", "attached": attached}),
        TrainEvent::Sending { done, total } => json!({"event": "sending", "done": done, "total": total}),
        TrainEvent::Job(event) => json!(event),
        TrainEvent::Reconnecting { accepted, retry_ms, cause } => {
            json!({"event": "reconnecting", "job_runs": accepted, "retry_ms": retry_ms, "cause": clean(cause)})
        }
        TrainEvent::ServerAway { retry_ms, cause, place_kept_ms } => {
            json!({"event": "server_away", "retry_ms": retry_ms, "cause": clean(cause), "place_kept_ms": place_kept_ms})
        }
        TrainEvent::Lost { worker, for_ms, attempt, attempts } => {
            let worker = clean(worker);
            json!({"event": "lost", "worker": worker, "silent_ms": for_ms, "attempt": attempt, "attempts": attempts})
        }
        TrainEvent::ServerBack => json!({"event": "server_back"}),
        TrainEvent::Receiving { done, total } => json!({"event": "receiving", "done": done, "total": total}),
        TrainEvent::Landed { folder, files, bytes } => {
            json!({"event": "landed", "folder": folder.display().to_string(), "files": files, "bytes": bytes})
        }
    }
}
