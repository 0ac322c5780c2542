//! What browsers ask of a worker.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sleap_rtc_wire::{Code, PeerId, RoomId};

use super::ask::{forward, job_not_found, member_of};
use super::jobs::may_cancel;
use crate::app::App;
use crate::http::body::Body;
use crate::http::fault::Fault;

/// The frames that a browser has to say to a worker. Above all not `job_assigned`, which takes the worker, not `offer`, which could
/// skip its challenge, and not `error`, which can end its process.
const MESSAGES: [&str; 6] =
    ["fs_list_req", "use_worker_path", "fs_check_videos", KEY_EXCHANGE, "encrypted_relay", JOB_CANCEL];
const KEY_EXCHANGE: &str = "key_exchange";
const JOB_CANCEL: &str = "job_cancel";

#[derive(Deserialize)]
struct List {
    room_id: RoomId,
    peer_id: PeerId,
    path: String,
    /// Comes back in the answer.
    req_id: Value,
    #[serde(default)]
    offset: Option<u64>,
}

/// `POST /api/fs/list`.
pub(crate) async fn list(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Fault> {
    let List { room_id, peer_id, path, req_id, offset } = body.json()?;
    member_of(&app, &headers, &room_id).await?;
    let mut frame = json!({"type": "fs_list_req", "req_id": req_id, "path": path});
    if let Some(offset) = offset {
        frame["offset"] = json!(offset);
    }
    forward(&app, &room_id, &peer_id, &frame).await?;
    Ok(Json(json!({"status": "request_forwarded"})))
}

#[derive(Deserialize)]
struct Said {
    room_id: RoomId,
    peer_id: PeerId,
    #[serde(rename = "message")]
    frame: Map<String, Value>,
}

impl Said {
    fn kind(&self) -> &str {
        self.frame.get("type").and_then(Value::as_str).unwrap_or_default()
    }
}

/// `POST /api/worker/message`.
pub(crate) async fn message(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Fault> {
    hand_on(&app, &headers, body.json()?, &MESSAGES).await
}

/// `POST /api/worker/key`.
pub(crate) async fn key(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Fault> {
    hand_on(&app, &headers, body.json()?, &[KEY_EXCHANGE]).await
}

async fn hand_on(app: &App, headers: &HeaderMap, asked: Said, kinds: &[&str]) -> Result<Json<Value>, Fault> {
    member_of(app, headers, &asked.room_id).await?;
    if !kinds.contains(&asked.kind()) {
        let text = format!("message.type must be one of {}", kinds.join(", "));
        return Err(Fault::new(StatusCode::FORBIDDEN, Code::Forbidden, text));
    }
    if asked.kind() == JOB_CANCEL {
        let job_id = asked.frame.get("job_id").and_then(Value::as_str).ok_or_else(job_not_found)?;
        may_cancel(app, &asked.room_id, &asked.peer_id, job_id)?;
    }
    forward(app, &asked.room_id, &asked.peer_id, &asked.frame.into()).await?;
    Ok(sent())
}

#[derive(Deserialize)]
struct Encrypted {
    room_id: RoomId,
    peer_id: PeerId,
    session_id: String,
    nonce: String,
    ciphertext: String,
}

/// `POST /api/worker/fs` and `POST /api/worker/job`: what the server cannot read.
pub(crate) async fn encrypted(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Fault> {
    let Encrypted { room_id, peer_id, session_id, nonce, ciphertext } = body.json()?;
    member_of(&app, &headers, &room_id).await?;
    let frame = json!({"type": "encrypted_relay", "session_id": session_id, "nonce": nonce, "ciphertext": ciphertext});
    forward(&app, &room_id, &peer_id, &frame).await?;
    Ok(sent())
}

fn sent() -> Json<Value> {
    Json(json!({"status": "sent"}))
}
