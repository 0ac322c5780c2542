//! Jobs through the server.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sleap_rtc_room::Call;
use sleap_rtc_wire::{PeerId, RoomId};

use super::ask::{forward, handed_on, job_not_found, member_of, written};
use crate::app::App;
use crate::http::body::Body;
use crate::http::fault::Fault;
use crate::http::rooms::call;
use crate::secret_file::random_hex;

/// Bytes of a job's id, written as 8 hex digits.
const ID: usize = 4;
/// Ids that are tried before giving up.
const DRAWS: usize = 8;

#[derive(Deserialize)]
struct Submit {
    room_id: RoomId,
    peer_id: PeerId,
    config: Map<String, Value>,
}

/// `POST /api/jobs/submit`.
pub(crate) async fn submit(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Fault> {
    let Submit { room_id, peer_id, config } = body.json()?;
    let (shown, _) = member_of(&app, &headers, &room_id).await?;
    let submitted_by = shown.known().map_or("operator", |person| person.username());
    let (channels, now) = (&app.context.channels, app.context.now());
    let job_id = draw_id(&app, &room_id)?;
    let frame = json!({"type": "job_assigned", "job_id": job_id, "config": config, "submitted_by": submitted_by});
    let text = written(&frame)?;
    // Before the worker has it, so that its first word comes second.
    channels.begin_job(&room_id, &peer_id, &job_id, now);
    let assign = Call::Assign { worker: peer_id.clone(), job_id: job_id.clone(), text };
    let given = call(&app, &room_id, assign).await.and_then(handed_on);
    if let Err(fault) = given {
        channels.forget_job(&room_id, &job_id);
        return Err(fault);
    }
    tracing::info!(room = %room_id, worker = %peer_id, job = job_id, by = submitted_by, "job handed to a worker");
    Ok(Json(json!({"job_id": job_id})))
}

/// An id that no job has of which this room's channels know.
fn draw_id(app: &App, room: &RoomId) -> Result<String, Fault> {
    for _ in 0..DRAWS {
        let id = format!("job_{}", random_hex::<ID>().map_err(|_| Fault::internal())?);
        if app.context.channels.worker_of(room, &id).is_none() {
            return Ok(id);
        }
    }
    Err(Fault::internal())
}

#[derive(Deserialize)]
struct Cancel {
    room_id: RoomId,
    peer_id: PeerId,
    #[serde(default)]
    mode: Option<Mode>,
}

/// How a job is to end.
#[derive(Clone, Copy, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Now, with everything that was to follow.
    Cancel,
    /// Its training early; what follows goes on.
    Stop,
}

/// `POST /api/jobs/{job_id}/cancel`.
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(job_id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Fault> {
    let Cancel { room_id, peer_id, mode } = body.json()?;
    member_of(&app, &headers, &room_id).await?;
    may_cancel(&app, &room_id, &peer_id, &job_id)?;
    let mut frame = json!({"type": "job_cancel", "job_id": job_id});
    if let Some(mode) = mode {
        frame["mode"] = json!(mode);
    }
    forward(&app, &room_id, &peer_id, &frame).await?;
    Ok(Json(json!({"status": "cancel_sent"})))
}

/// A deployed worker ends whatever it runs, whichever job it is told to end: so it is told only if this job is what it runs, as far
/// as is known here.
pub(super) fn may_cancel(app: &App, room: &RoomId, worker: &PeerId, job_id: &str) -> Result<(), Fault> {
    let live = app.registry.live(room);
    let holds = live.and_then(|cell| {
        cell.look(|room| {
            let one = room.occupied().find(|one| one.worker == worker)?;
            Some((one.job.map(str::to_owned), one.guest.is_some()))
        })
    });
    let is_on_it = || app.context.channels.worker_of(room, job_id).as_ref() == Some(worker);
    let may = match holds.flatten() {
        Some((Some(job), _)) => job == job_id,
        Some((None, has_guest)) => !has_guest && is_on_it(),
        None => is_on_it(),
    };
    if may { Ok(()) } else { Err(job_not_found()) }
}
